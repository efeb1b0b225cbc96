"""Shingles against a plain reference, and what counts as a token."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.dedup.verify import exact_jaccard
from stages.text.buffers import TextBuffer, text_buffer
from stages.text.fold import ALONE, IGNORED, LETTER, class_of
from stages.text.shingles import shingle_hashes, shingle_sets
from tests.stages.text.test_fold import reference_fold

MASK = (1 << 64) - 1
STEP, BASE, MIX = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD


def buffer(texts: list[str]) -> TextBuffer:
    return text_buffer(pa.array(texts, pa.large_string()))


def mixed(value: int) -> int:
    value ^= value >> 32
    value = value * MIX & MASK
    return value ^ value >> 32


def tokens(text: str) -> list[tuple[str, bool]]:
    """The plain reference: each token, and whether it stands alone."""
    found: list[tuple[str, bool]] = []
    run = ""
    for character in reference_fold(text):
        kind = class_of(character)
        if kind == LETTER:
            run += character
        elif kind != IGNORED:
            found += [(run, False)] * bool(run) + [(character, True)] * (kind == ALONE)
            run = ""
    return found + [(run, False)] * bool(run)


def reference(text: str, size: int) -> list[int]:
    hashes = []
    for token, alone in tokens(text):
        run = STEP
        for character in token:
            run = (run ^ ord(character)) * STEP & MASK
        hashes.append(mixed(ord(token) * STEP & MASK) if alone else mixed(run))
    shingles = []
    for start in range(len(hashes) - size + 1):
        value = 0
        for token_hash in hashes[start : start + size]:
            value = (value * BASE + token_hash) & MASK
        shingles.append(mixed(value))
    return shingles


def per_document(texts: list[str], size: int) -> list[list[int]]:
    offsets, hashes = shingle_hashes(buffer(texts), size)
    return [hashes[start:end].tolist() for start, end in itertools.pairwise(offsets)]


@given(st.lists(st.text(max_size=40), max_size=6), st.integers(1, 7))
def test_hashes_equal_the_plain_reference_on_any_unicode(texts: list[str], size: int) -> None:
    assert per_document(texts, size) == [reference(text, size) for text in texts]


@given(st.lists(st.text("aB9 中の한ก，.\u00adé０Ａ\U0001f600\U00020000", max_size=60), max_size=6), st.integers(1, 7))
def test_hashes_equal_the_plain_reference_on_mixed_scripts(texts: list[str], size: int) -> None:
    assert per_document(texts, size) == [reference(text, size) for text in texts]


@given(st.lists(st.text("㌖㍿ﷺ½ﬁ株a 中", max_size=30), max_size=6), st.integers(1, 7))
def test_characters_that_are_folded_to_many_tokens_find_room(texts: list[str], size: int) -> None:
    assert per_document(texts, size) == [reference(text, size) for text in texts]


@pytest.mark.parametrize("text", ["one two three four", "一二三四", "", "，。！？；：", "😀😀😀😀😀😀"])
def test_a_text_of_fewer_than_five_tokens_has_no_shingle(text: str) -> None:
    assert per_document([text], 5) == [[]]


@pytest.mark.parametrize("text", ["one two three four five", "一二三四五", "GB/T 一 2 三"])
def test_a_text_of_five_tokens_has_one_shingle(text: str) -> None:
    assert len(per_document([text], 5)[0]) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("The Quick brown fox jumps", "the quick BROWN fox, jumps!"),
        ("第一条 为了保护", "第一条，为了保护"),
        ("ＧＤＰ　２０２０ 年 增 长 了", "gdp 2020年增长了"),
        ("in\u00adfor\u200dma\u00adtion 年 增 长 了", "information年增长了"),
        ("ÉTÉ ΑΒΓ ДОМ 一 二", "été αβγ дом 一 二"),
        ("eﬃcient Straße ㈱ 2 ½ 𝐀 𝟙㌔", "efficient STRASSE 株 2 1 2 a 1キロ"),
        ("中華人民共和國憲法", "中华人民共和国宪法"),
        ("㌖㍿", "キロメートル株式会社"),
    ],
)
def test_case_width_form_script_and_punctuation_do_not_count(left: str, right: str) -> None:
    a, b = per_document([left, right], 5)
    assert a == b != []


@pytest.mark.parametrize(("left", "right"), [("a b c d e", "a b c e d"), ("一二三四五", "五四三二一"), ("ab c d e f", "a bc d e f")])
def test_order_and_word_borders_count(left: str, right: str) -> None:
    a, b = per_document([left, right], 5)
    assert len(a) == len(b) == 1
    assert a != b


def test_a_sequence_of_numbers_gives_distinct_low_halves() -> None:
    hashes = np.concatenate([shingle_hashes(buffer([f"{n} b c d e" for n in range(50_000)]), 5)[1]])
    assert len(np.unique(hashes)) == 50_000
    assert len(np.unique(hashes & np.uint64(0xFFFFFFFF))) >= 49_990  # 0.3 collisions expected among 32-bit values


@given(st.lists(st.binary(max_size=30), max_size=6), st.integers(1, 4))
def test_invalid_utf8_is_read_within_the_document(texts: list[bytes], size: int) -> None:
    joined = text_buffer(pa.array(texts, pa.large_binary()))
    offsets, hashes = shingle_hashes(joined, size)
    for index, text in enumerate(texts):
        alone = text_buffer(pa.array([text], pa.large_binary()))
        assert hashes[offsets[index] : offsets[index + 1]].tolist() == shingle_hashes(alone, size)[1].tolist()


def test_a_slice_of_a_column_gives_its_own_documents() -> None:
    column = pa.array(["一二三四五六", "a b c d e f", "", "七八九十百千"], pa.large_string())
    offsets, hashes = shingle_hashes(text_buffer(column[1:]), 5)
    assert offsets.tolist() == [0, 2, 2, 4]
    assert hashes.tolist() == reference("a b c d e f", 5) + reference("七八九十百千", 5)


def test_real_documents_have_the_shingles_of_their_folded_text(real_texts: list[str]) -> None:
    folded = [reference_fold(text) for text in real_texts]
    ours, theirs = shingle_hashes(buffer(real_texts), 5), shingle_hashes(buffer(folded), 5)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])


@given(st.lists(st.text(max_size=40), max_size=6), st.integers(1, 7))
def test_a_text_has_the_shingles_of_its_folded_text(texts: list[str], size: int) -> None:
    assert per_document(texts, size) == per_document([reference_fold(text) for text in texts], size)


def test_a_chinese_text_and_its_traditional_form_have_nearly_the_same_shingles(real_texts: list[str]) -> None:
    convert = pytest.importorskip("opencc").OpenCC("s2t").convert
    chinese = [text for text in real_texts if sum("\u4e00" <= c <= "\u9fff" for c in text) > max(50, len(text) / 2)][::20]
    offsets, hashes = shingle_sets(buffer(chinese + [convert(text) for text in chinese]), 5)
    numbers = np.arange(len(chinese))
    similarity = exact_jaccard(offsets, hashes, numbers, numbers + len(chinese))
    assert len(chinese) > 200
    assert similarity.mean() > 0.99
    assert (similarity >= 0.8).mean() > 0.99


@given(st.lists(st.text("ab 中文", max_size=80), max_size=6))
def test_sets_are_sorted_and_unique(texts: list[str]) -> None:
    offsets, hashes = shingle_sets(buffer(texts), 2)
    sets = [hashes[start:end].tolist() for start, end in itertools.pairwise(offsets)]
    assert sets == [sorted(set(reference(text, 2))) for text in texts]

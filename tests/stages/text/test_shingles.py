"""Shingles against a plain reference, and what counts as a token."""

import itertools
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text.buffers import TextBuffer, text_buffer
from stages.text.shingles import shingle_hashes, shingle_sets

MASK = (1 << 64) - 1
STEP, BASE, MIX = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD
UNSPACED = [(0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007)]
UNSPACED += [(0x3040, 0x318F), (0x31A0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA960, 0xA97F), (0xAC00, 0xD7FF)]
UNSPACED += [(0xF900, 0xFAFF), (0x20000, 0x3FFFF), (0xF0000, 0x10FFFF)]


def buffer(texts: list[str]) -> TextBuffer:
    return text_buffer(pa.array(texts, pa.large_string()))


def mixed(value: int) -> int:
    value ^= value >> 32
    value = value * MIX & MASK
    return value ^ value >> 32


def tokens(text: str) -> list[str]:
    """The plain reference: one string a token."""
    found: list[str] = []
    run = ""
    for character in text:
        folded = fold(character)
        code, category = ord(folded), unicodedata.category(folded)
        if code >= 0x10000:
            pictures, tags = 0x1F000 <= code < 0x1FB00, 0xE0000 <= code < 0xF0000
            category = "So" if pictures else "Cf" if tags else "Lo"
        if category == "Cf" or 0xFE00 <= code <= 0xFE0F:
            continue
        if category == "Co" or (category[0] in "LMN" and any(low <= code <= high for low, high in UNSPACED)):
            found += [run, folded]
            run = ""
        elif category[0] in "LMN":
            run += folded
        else:
            found.append(run)
            run = ""
    return [token for token in [*found, run] if token]


def fold(character: str) -> str:
    """Case and width, where one character becomes one; characters beyond U+FFFF stay."""
    if character >= "\U00010000":
        return character
    wide = unicodedata.normalize("NFKC", character)
    for folded in (wide.casefold(), wide, character.casefold()):
        if len(folded) == 1 and folded < "\U00010000":
            return folded
    return character


def reference(text: str, size: int) -> list[int]:
    hashes = []
    for token in tokens(text):
        run = STEP
        for character in token:
            run = (run ^ ord(character)) * STEP & MASK
        alone = len(token) == 1 and any(low <= ord(token) <= high for low, high in [*UNSPACED, (0xE000, 0xF8FF)])
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
    ],
)
def test_case_width_and_punctuation_do_not_count(left: str, right: str) -> None:
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


@given(st.lists(st.text("ab 中文", max_size=80), max_size=6))
def test_sets_are_sorted_and_unique(texts: list[str]) -> None:
    offsets, hashes = shingle_sets(buffer(texts), 2)
    sets = [hashes[start:end].tolist() for start, end in itertools.pairwise(offsets)]
    assert sets == [sorted(set(reference(text, 2))) for text in texts]

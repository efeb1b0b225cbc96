"""Text to ids and back: SentencePiece's ids, every text back as it was, whatever the batch and the threads."""

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from tests.tokenizer.conftest import REAL, written_model
from tokenizer.codec import Tokenizer
from tokenizer.model_file import NORMAL, UNUSED, USER_DEFINED, parse_model, with_dummy_prefix

FOREIGN = [REAL / "tokenizers" / "rebuilt" / f"{name}.spm.model" for name in ("baichuan7b", "llama2")]
needs_real_data = pytest.mark.skipif(not REAL.exists(), reason="needs the real data beside the project")
ODD = "ab \n\t\r0９٣中文。，<h1>-`~😀👨\u200d👩\ue000\x00\u0301\U0010ffffก"
texts_of_all = st.one_of(st.text(max_size=60), st.text(st.sampled_from(ODD), max_size=200))


@given(texts_of_all)
def test_every_text_comes_back(small: Tokenizer, text: str) -> None:
    assert small.decode(small.encode(text)) == text


@given(texts_of_all)
def test_every_text_comes_back_with_a_dummy_prefix(small: Tokenizer, text: str) -> None:
    prefixed = _prefixed(small)
    ids = prefixed.encode(text)
    assert prefixed.decode(ids) == text
    assert prefixed.stock.decode(ids) == text


@given(texts_of_all)
def test_ids_are_those_of_sentencepiece(small: Tokenizer, text: str) -> None:
    text = text.replace("▁", "")
    assert small.encode(text) == small.stock.encode(text)
    assert _prefixed(small).encode(text) == _prefixed(small).stock.encode(text)


@given(st.text(st.sampled_from("▁ a中"), max_size=20))
def test_a_literal_lower_block_is_kept_apart_from_a_space(small: Tokenizer, text: str) -> None:
    ids = small.encode(text)
    assert small.decode(ids) == small.stock.decode(ids) == text
    pieces = [small.model.pieces[number] for number in ids]
    assert sum(piece == "<0xE2>" for piece in pieces) == text.count("▁")


LETTERS = "ab中x "
vocabularies = st.lists(
    st.tuples(st.text(st.sampled_from("ab中▁"), min_size=1, max_size=5), st.integers(-6, 0)), unique_by=lambda piece: piece[0], max_size=24
)


@settings(max_examples=300)
@given(vocabularies, st.text(st.sampled_from(LETTERS), max_size=120), st.booleans())
def test_any_vocabulary_gives_the_ids_of_sentencepiece(pieces: list[tuple[str, int]], text: str, prefix: bool) -> None:
    """Equal scores, pieces with characters that are no pieces, spaces anywhere, pieces that no merge reaches."""
    rest = [("▁", -9)] if all(piece != "▁" for piece, _ in pieces) else []
    made = Tokenizer(written_model([(piece, float(score), NORMAL) for piece, score in pieces + rest], prefix), "by hand")
    assert made.is_exact
    assert made.encode(text) == made.stock.encode(text)
    assert made.decode(made.encode(text)) == text


@pytest.mark.parametrize("run", ["a" * 100_000, "ab" * 5_000, " " * 3_000, "中" * 2_000, "aab" * 333 + "b"])
def test_long_stretches_without_a_cut_are_merged_alike(run: str) -> None:
    pieces = ["a", "b", "中", "▁", "aa", "ab", "aab", "aaaa", "▁▁", "▁▁▁", "中中", "ba", "aabaab"]
    made = Tokenizer(written_model([(piece, -float(score), NORMAL) for score, piece in enumerate(pieces)]), "by hand")
    assert made.encode(run) == made.stock.encode(run)


def test_the_longest_user_defined_symbol_is_taken_and_never_merged() -> None:
    pieces = [("-", -9.0, NORMAL), ("▁", -9.0, NORMAL), ("a", -9.0, NORMAL), ("a-", 0.0, NORMAL), ("--", 0.0, NORMAL), ("--a", 0.0, NORMAL)]
    made = Tokenizer(written_model([*pieces, ("---", 0.0, USER_DEFINED), ("---->", 0.0, USER_DEFINED)]), "by hand")
    for text in ("a---->a---a", "-----", "a--a----a", "---" * 5, "-", "--", "a-"):
        assert made.encode(text) == made.stock.encode(text), text
    assert [made.model.pieces[number] for number in made.encode("a---->--")] == ["a", "---->", "--"]


@needs_real_data
@pytest.mark.parametrize("file", FOREIGN, ids=lambda file: file.name)
@pytest.mark.parametrize("name", ["techdocs_zh", "speeches_en", "medicine_classical_zh"])
def test_other_peoples_models_give_the_ids_of_sentencepiece_on_real_documents(file: Path, name: str) -> None:
    with zstandard.open(REAL / f"{name}.jsonl.zst", "rb") as opened:
        column = pa.array([orjson.loads(line)["text"] for line, _ in zip(io.BufferedReader(opened), range(300), strict=False)])
    made = Tokenizer.load(file)
    offsets, ids = made.encode_arrow(column)
    assert [ids[a:b].tolist() for a, b in pairwise(offsets)] == made.stock.encode(column.to_pylist())
    assert made.decode_arrow(offsets, ids).cast(pa.string()).equals(column)


@given(st.lists(st.one_of(st.none(), texts_of_all), max_size=8), st.integers(1, 3), st.integers(0, 3))
def test_ids_do_not_depend_on_batch_type_or_threads(small: Tokenizer, texts: list[str | None], threads: int, skip: int) -> None:
    wanted = [small.encode(text or "") for text in texts[skip:]]
    for kind in (pa.string(), pa.large_string(), pa.large_binary()):
        data = [text.encode() if text is not None and kind == pa.large_binary() else text for text in texts]
        column = pa.array(data, kind).slice(skip)
        for given_column in (column, pa.chunked_array([column.slice(0, 2), column.slice(2)])):
            offsets, ids = small.encode_arrow(given_column, threads)
            assert [ids[a:b].tolist() for a, b in pairwise(offsets)] == wanted


def test_many_blocks_on_many_threads_come_back_in_order(small: Tokenizer) -> None:
    column = pa.array([f"document {i} 第{i}篇 " * (i % 700) for i in range(2_000)], pa.large_string())
    assert column.nbytes > 8 << 20
    one, four = small.encode_arrow(column, 1), small.encode_arrow(column, 4)
    assert np.array_equal(one.offsets, four.offsets)
    assert np.array_equal(one.ids, four.ids)
    assert small.decode_arrow(*four).cast(pa.large_string()).equals(column)


def test_no_text_has_the_unknown_id(small: Tokenizer) -> None:
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    _, ids = small.encode_arrow(pa.array(["".join(every), *every[:3000]], pa.large_string()))
    assert 0 not in ids


def test_behind_a_line_break_no_prefix_is_put(small: Tokenizer) -> None:
    prefixed = _prefixed(small)
    column = pa.array(["中文", ""])
    assert prefixed.encode_arrow(column, dummy_prefix=False).ids.tolist() == small.encode("中文")
    assert prefixed.encode("中文") == small.encode(" 中文")
    assert prefixed.encode_arrow(column).offsets[-1] == len(prefixed.encode("中文"))  # nothing before an empty text


@pytest.mark.parametrize(("data", "place"), [(b"ab\xff", 2), (b"\xe4\xb8", 0), ("中".encode() + b"\xed\xa0\x80", 3), (b"\xc0\xaf", 0)])
def test_bytes_that_are_no_text_are_named(small: Tokenizer, data: bytes, place: int) -> None:
    with pytest.raises(InputError, match=rf"row 2: byte {place} of the text is not UTF-8"):
        small.encode_arrow(pa.array([b"good", None, data], pa.large_binary()))


def test_half_a_surrogate_pair_is_named(small: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"character 2 is U\+D83D"):
        small.encode("ab\ud83d")


@pytest.mark.parametrize("number", [-1, 2000])
def test_an_id_that_is_not_there_is_named(small: Tokenizer, number: int) -> None:
    with pytest.raises(InputError, match=rf"id {number} is not of this vocabulary; wanted 0 to 1999"):
        small.decode([5, number])


def test_control_pieces_are_nothing_and_broken_bytes_are_replaced(small: Tokenizer) -> None:
    e4 = small.id_of("<0xE4>")
    assert e4 is not None
    assert small.decode([1, *small.encode("中a"), 2]) == "中a"
    assert small.decode([e4]) == "\ufffd"
    assert small.decode([]) == ""


def test_loads_from_a_folder_or_a_file(small: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(small.model_bytes)
    assert Tokenizer.load(tmp_path).identity() == Tokenizer.load(tmp_path / "tokenizer.model").identity() == small.identity()
    assert _prefixed(small).identity() != small.identity()


def test_what_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.model: cannot be read"):
        Tokenizer.load(tmp_path / "nothing.model")
    for content in (b"", b"hello", b"\x0a\xff\xff", written_model([("a", 0.0, NORMAL)])[:500]):
        (tmp_path / "bad.model").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.model: (not a|a) SentencePiece model"):
            Tokenizer.load(tmp_path / "bad.model")


@given(st.text(st.sampled_from("ab "), max_size=30))
def test_a_model_that_the_kernels_do_not_know_goes_through_sentencepiece(text: str) -> None:
    pieces = [("a", -1.0, NORMAL), ("b", -2.0, NORMAL), ("▁", -3.0, NORMAL), ("ab", 0.0, UNUSED), ("aba", -0.5, NORMAL)]
    made = Tokenizer(written_model(pieces), "unused pieces")
    assert not made.is_exact
    offsets, ids = made.encode_arrow(pa.array([text, None, text]))
    assert ids[: offsets[1]].tolist() == made.stock.encode(text)
    assert offsets.tolist() == [0, offsets[1], offsets[1], 2 * offsets[1]]


def test_a_patched_model_differs_in_its_prefix_alone(small: Tokenizer) -> None:
    before, after = small.model, parse_model(with_dummy_prefix(small.model_bytes), "patched")
    assert (before.add_dummy_prefix, after.add_dummy_prefix) == (False, True)
    assert (before.pieces, before.scores, before.types) == (after.pieces, after.scores, after.types)


_PREFIXED: dict[str, Tokenizer] = {}


def _prefixed(small: Tokenizer) -> Tokenizer:
    key = small.identity()
    if key not in _PREFIXED:
        _PREFIXED[key] = Tokenizer(with_dummy_prefix(small.model_bytes), "prefixed")
    return _PREFIXED[key]

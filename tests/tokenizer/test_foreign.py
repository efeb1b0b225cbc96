"""Other makers' tokenizers: their own ids, nothing added, cut or lost without a word."""

import base64
import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError, InputError
from tests.tokenizer.conftest import REAL, written_model
from tokenizer.codec import Tokenizer
from tokenizer.foreign import Encoded, Measured, open_tokenizer
from tokenizer.huggingface import files
from tokenizer.model_file import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED

VECTORS = REAL / "tokenizers" / "test-vectors"
FILES = {
    "falcon": "rebuilt/falcon.tokenizer.json",
    "gpt-2": "rebuilt/gpt-2.tokenizer.json",
    "mpt": "rebuilt/mpt.tokenizer.json",
    "deepseek-llm": "rebuilt/deepseek-llm.tokenizer.json",
    "qwen2": "qwen/qwen.tiktoken",
    "llama-spm": "rebuilt/llama2.spm.model",
}


def encoded(found: Measured, *texts: str) -> list[list[int]]:
    ids = found.encode(pa.array(texts, pa.large_string()))
    return [ids.ids[start:end].tolist() for start, end in pairwise(ids.offsets)]


def back(found: Measured, *texts: str) -> list[str]:
    return [text.decode() for text in found.decode(found.encode(pa.array(texts, pa.large_string())))]


def rank_file(folder: Path, merges: list[bytes]) -> Path:
    """All bytes, and merges behind them."""
    pieces = [bytes([byte]) for byte in range(256)] + merges
    file = folder / "tiny.tiktoken"
    file.write_bytes(b"".join(base64.b64encode(piece) + b" %d\n" % rank for rank, piece in enumerate(pieces)))
    return file


def json_file(folder: Path, content: dict[str, object]) -> Path:
    plain = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None}
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(plain | {"truncation": None, "padding": None} | content))
    return file


def test_a_rank_file_merges_by_rank_within_the_split(tmp_path: Path) -> None:
    found = open_tokenizer(str(rank_file(tmp_path, [b"ab", b"abc", b"\xe4\xb8", b"\xe4\xb8\xad", b" a"])), "gpt2")
    assert encoded(found, "abc ab", "中", "", "a a") == [[257, 32, 256], [259], [], [97, 260]]
    assert found.pieces.surfaces[259] == "中".encode()
    assert [int(found.pieces.kinds[number]) for number in (97, 0xE4, 258, 259)] == [NORMAL, BYTE, BYTE, NORMAL]
    assert found.format == "tiktoken, split gpt2"


@given(st.text(max_size=30))
def test_every_text_comes_back_from_ranks(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    if "ranks" not in _FOUND:
        _FOUND["ranks"] = open_tokenizer(str(rank_file(tmp_path_factory.mktemp("ranks"), [b"ab", b"\xe4\xb8"])), "qwen")
    assert back(_FOUND["ranks"], text) == [text]


_FOUND: dict[str, Measured] = {}


def test_text_that_reads_like_a_special_token_is_text(tmp_path: Path) -> None:
    found = open_tokenizer(str(rank_file(tmp_path, [])), "cl100k")
    assert encoded(found, "<|endoftext|>") == [list(b"<|endoftext|>")]


def test_ranks_of_no_published_size_want_a_split(tmp_path: Path) -> None:
    file = rank_file(tmp_path, [b"ab"])
    with pytest.raises(ConfigError, match=r"257 ranks are of no published file .*; give `split`: qwen, cl100k, gpt2, o200k, or a regular"):
        open_tokenizer(str(file))
    assert open_tokenizer(str(file), r"\w+|\W+").format == "tiktoken, split of your own"
    with pytest.raises(ConfigError, match=r"tiktoken takes no such split"):
        open_tokenizer(str(file), "(")


@pytest.mark.parametrize("line", [b"YQ==", b"YQ== x", b"!!! 3", b"YQ== 1 2"])
def test_a_broken_rank_file_is_named_with_its_line(line: bytes, tmp_path: Path) -> None:
    file = rank_file(tmp_path, [])
    file.write_bytes(file.read_bytes() + line + b"\n")
    with pytest.raises(InputError, match=r"tiny\.tiktoken:257: got b'.*', wanted a piece in base64 and its rank"):
        open_tokenizer(str(file), "gpt2")
    file.write_bytes(b"")
    with pytest.raises(InputError, match=r"has no ranks"):
        open_tokenizer(str(file), "gpt2")


def test_what_overflows_tiktoken_is_refused_and_the_rest_goes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = open_tokenizer(str(rank_file(tmp_path, [])), "qwen")
    ids = found.encode(pa.array(["a", " " * 1_000_000, "b"], pa.large_string()))
    assert ids.ids.tolist() == [97, 98]
    assert ids.offsets.tolist() == [0, 1, 1, 2]
    assert list(ids.refused) == [1]
    assert "the package gave up" in ids.refused[1]
    assert "StackOverflow" in capfd.readouterr().err


def test_a_word_without_an_unknown_piece_is_refused(tmp_path: Path) -> None:
    model = {"type": "WordLevel", "vocab": {"a": 0, "b": 1}, "unk_token": "<unk>"}
    found = open_tokenizer(str(json_file(tmp_path, {"model": model, "pre_tokenizer": {"type": "Whitespace"}})))
    ids = found.encode(pa.array(["a b", "a c", "b"], pa.large_string()))
    assert (ids.ids.tolist(), ids.offsets.tolist(), list(ids.refused)) == ([0, 1, 1], [0, 2, 2, 3], [1])
    assert "Missing [UNK]" in ids.refused[1]


def test_unknown_special_and_missing_ids_are_told_apart(tmp_path: Path) -> None:
    model = {"type": "WordLevel", "vocab": {"a": 0, "<unk>": 1, "b": 4, "<s>": 5, "<tag>": 6}, "unk_token": "<unk>"}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [{"id": 5, "content": "<s>", "special": True} | flags, {"id": 6, "content": "<tag>", "special": False} | flags]
    found = open_tokenizer(str(json_file(tmp_path, {"model": model, "added_tokens": added, "pre_tokenizer": {"type": "Whitespace"}})))
    assert found.pieces.kinds.tolist() == [NORMAL, UNKNOWN, UNUSED, UNUSED, NORMAL, CONTROL, USER_DEFINED]
    assert found.pieces.surfaces == (b"a", b"", b"", b"", b"b", b"", b"<tag>")
    assert encoded(found, "a x b") == [[0, 1, 4]]


def test_nothing_is_added_cut_or_padded(tmp_path: Path) -> None:
    template = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    }
    template |= {"pair": template["single"], "special_tokens": {"a": {"id": "a", "ids": [0], "tokens": ["a"]}}}
    content: dict[str, object] = {
        "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1}, "unk_token": "a"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": template,
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 8},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "a",
        },
    }
    assert encoded(open_tokenizer(str(json_file(tmp_path, content))), "b b b b", "b") == [[1, 1, 1, 1], [1]]


def test_byte_pieces_and_parts_of_characters_count_as_bytes(tmp_path: Path) -> None:
    vocabulary = {"a": 0, "ä": 1, "ä¸Ń": 2, "ĠA": 3}  # the bytes E4, E4 B8 AD and " A" in GPT-2's letters
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "vocab": vocabulary, "merges": []}
    found = open_tokenizer(str(json_file(tmp_path, {"model": model, "pre_tokenizer": byte_level, "decoder": byte_level})))
    assert found.pieces.surfaces == (b"a", b"\xe4", "中".encode(), b" A")
    assert found.pieces.kinds.tolist() == [NORMAL, BYTE, NORMAL, NORMAL]
    model = {"type": "BPE", "vocab": {"▁a": 0, "<0xE4>": 1, "<0x0A>": 2}, "merges": [], "byte_fallback": True}
    found = open_tokenizer(str(json_file(tmp_path, {"model": model})))
    assert found.pieces.surfaces == (b" a", b"\xe4", b"\n")
    assert found.pieces.kinds.tolist() == [NORMAL, BYTE, BYTE]


def test_our_files_for_hugging_face_give_our_ids(small: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(files(small)["tokenizer.json"])
    theirs = open_tokenizer(str(tmp_path))
    (tmp_path / "tokenizer.model").write_bytes(small.model_bytes)
    ours = open_tokenizer(str(tmp_path))  # of a folder with both, our own kind
    assert (theirs.format, ours.format) == ("tokenizer.json", "sentencepiece")
    texts = ["the 中文 😀\n1st", "", "  if x:\n\treturn", "𠀀"]
    assert encoded(theirs, *texts) == encoded(ours, *texts) == [small.encode(text) for text in texts]
    assert back(theirs, *texts) == back(ours, *texts) == texts
    assert np.array_equal(theirs.pieces.kinds == BYTE, ours.pieces.kinds == BYTE)


def test_a_model_with_losses_says_so() -> None:
    made = open_tokenizer_of(written_model([("▁", -1.0, NORMAL), ("a", -1.0, NORMAL), ("b", 0.0, UNUSED)]))
    assert made.format == "sentencepiece, by its own code"
    assert back(made, "a a") == ["a a"]


def open_tokenizer_of(model: bytes) -> Measured:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.model").write_bytes(model)
        return open_tokenizer(str(Path(folder) / "a.model"))


@pytest.mark.parametrize(("name", "package"), [("a.tiktoken", "tiktoken"), ("tokenizer.json", "tokenizers")])
def test_a_missing_package_is_named_with_its_extra(name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(b"{}")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"needs the package '{package}'; install it with: pip install 'baichuan-corpus\[compare\]'"):
        open_tokenizer(str(tmp_path / name))


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing: no such file"):
        open_tokenizer(str(tmp_path / "nothing"))
    with pytest.raises(InputError, match=r"holds no tokenizer\.model, tokenizer\.json or \.tiktoken file"):
        open_tokenizer(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match=r"not a tokenizer\.json that tokenizers [\d.]+ reads"):
        open_tokenizer(str(tmp_path))
    with pytest.raises(ConfigError, match=r"split is for \.tiktoken files"):
        open_tokenizer(str(tmp_path), "gpt2")


@pytest.mark.skipif(not VECTORS.exists(), reason="needs the real data beside the project")
@pytest.mark.parametrize("name", FILES)
def test_published_vectors_have_their_ids(name: str) -> None:
    found = open_tokenizer(str(REAL / "tokenizers" / FILES[name]))
    texts = (VECTORS / f"ggml-vocab-{name}.gguf.inp").read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")
    wanted = [[int(number) for number in line.split()] for line in (VECTORS / f"ggml-vocab-{name}.gguf.out").read_text().split("\n")]
    assert len(texts) == 47
    assert encoded(found, *texts) == wanted[:47]


def test_an_empty_column_has_no_ids(tmp_path: Path) -> None:
    found = open_tokenizer(str(rank_file(tmp_path, [])), "gpt2")
    ids = found.encode(pa.array([], pa.large_string()))
    assert ids == Encoded(ids.offsets, ids.ids, {})
    assert ids.offsets.tolist() == [0]
    assert found.decode(ids) == []

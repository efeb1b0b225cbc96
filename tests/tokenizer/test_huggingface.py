"""The files for Hugging Face's libraries give our ids: read by a plain reference here, by transformers itself where it is installed."""

import json
import re
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from tests.tokenizer.conftest import written_model
from tokenizer.codec import Tokenizer
from tokenizer.huggingface import files
from tokenizer.model_file import NORMAL, UNUSED, with_dummy_prefix

ODD = "ab \n\t1９٣中文。，<h1>-`~=😀\u200d\ue000the of在的"


class Reference:
    """What `tokenizers` does with a tokenizer.json, for the parts that we use, slowly."""

    def __init__(self, content: bytes) -> None:
        self.json = json.loads(content)
        self.vocab = self.json["model"]["vocab"]
        self.ranks = {tuple(pair): rank for rank, pair in enumerate(self.json["model"]["merges"])}
        assert self.json["model"]["ignore_merges"]

    def encode(self, text: str) -> list[int]:
        for step in self.json["normalizer"]["normalizers"]:
            if step["type"] == "Prepend":
                text = step["prepend"] + text if text else text
            else:
                text = text.replace(step["pattern"]["String"], step["content"])
        parts = [text]
        for step in self.json["pre_tokenizer"]["pretokenizers"]:
            pattern = step["pattern"]["Regex"].replace(r"\z", r"\Z")
            parts = [small for part in parts for small in re.split(f"({pattern})", part) if small]
        return [number for part in parts for number in self._part(part)]

    def _part(self, part: str) -> list[int]:
        if part in self.vocab:
            return [self.vocab[part]]
        symbols = [
            symbol
            for character in part
            for symbol in ([character] if character in self.vocab else [f"<0x{byte:02X}>" for byte in character.encode()])
        ]
        while True:
            ranked = [(self.ranks.get(pair, 1 << 60), place) for place, pair in enumerate(pairwise(symbols))]
            rank, place = min(ranked, default=(1 << 60, 0))
            if rank == 1 << 60:
                return [self.vocab[symbol] for symbol in symbols]
            symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]


NAMES = ["<s>", "</s>", "<unk>", "<0x41>", "1", "\n", "a"]
odd_texts = st.one_of(st.text(st.sampled_from(ODD), max_size=60), st.lists(st.sampled_from(NAMES), max_size=5).map("".join))


@settings(deadline=None)
@given(odd_texts)
def test_a_plain_reading_of_tokenizer_json_gives_our_ids(small: Tokenizer, text: str) -> None:
    for made in (small, Tokenizer(with_dummy_prefix(small.model_bytes), "prefixed")):
        assert Reference(files(made)["tokenizer.json"]).encode(text) == made.encode(text)


def test_special_pieces_are_named(small: Tokenizer) -> None:
    config = json.loads(files(small)["tokenizer_config.json"])
    assert [config[f"{name}_token"] for name in ("unk", "bos", "eos", "pad")] == ["<unk>", "<s>", "</s>", "<unk>"]
    assert config["split_special_tokens"]


def test_models_that_have_no_such_form_are_refused() -> None:
    start = [("<s>", 0.0, 3), ("</s>", 0.0, 3), ("a", -9.0, NORMAL), ("b", -9.0, NORMAL), ("▁", -9.0, NORMAL)]
    with pytest.raises(InputError, match=r"only byte-fallback BPE"):
        files(Tokenizer(written_model([*start, ("ab", 0.0, UNUSED)]), "unused"))
    with pytest.raises(InputError, match=r"1 pieces as 'aba' are never made by merging"):
        files(Tokenizer(written_model([*start, ("aba", 0.0, NORMAL)]), "unreachable"))


@pytest.mark.skipif(
    find_spec("transformers") is None, reason="transformers is not installed; benchmarks/tokenizer_vs_huggingface.py says how"
)
def test_transformers_gives_our_ids(small: Tokenizer, tmp_path: Path) -> None:
    import transformers

    for made in (small, Tokenizer(with_dummy_prefix(small.model_bytes), "prefixed")):
        for name, content in files(made).items():
            (tmp_path / name).write_bytes(content)
        theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
        for text in ("", " ", "\n中文 the", "  if x == 12:\n\t<h1>", "😀\u200d\ue000", "1st", "----", "1<s>2</s>", "<unk>\n<s>"):
            assert theirs(text, add_special_tokens=False)["input_ids"] == made.encode(text)
            assert theirs.decode(made.encode(text)) == text

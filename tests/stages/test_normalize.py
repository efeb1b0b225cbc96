"""Normal forms, simplification and bookkeeping of `Normalize`."""

import sys
import unicodedata
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError
from configs.loader import load, parse_yaml
from stages.batch import Batch
from stages.normalize import Normalize


def batch_of(*texts: str) -> Batch:
    return Batch(pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], names=["text"]))


def normalized(*texts: str, **settings: Any) -> tuple[list[str], list[int]]:
    columns = Normalize(**settings).annotate(batch_of(*texts)).columns
    columns.validate(full=True)
    return columns["text"].to_pylist(), columns["normalized_chars"].to_pylist()


@given(st.lists(st.text(max_size=10), max_size=4), st.sampled_from(["NFC", "NFKC", "none"]))
def test_output_is_in_the_form_and_stays_as_it_is(texts: list[str], form: str) -> None:
    texts = [text.encode(errors="ignore").decode() for text in texts]
    once, _ = normalized(*texts, form=form)
    assert form == "none" or all(unicodedata.is_normalized(form, text) for text in once)  # type: ignore[arg-type]
    assert normalized(*once, form=form) == (once, [0] * len(once))


@given(st.lists(st.text(max_size=10), min_size=1, max_size=4))
def test_batch_size_does_not_matter(texts: list[str]) -> None:
    texts = [text.encode(errors="ignore").decode() for text in texts]
    alone = [normalized(text) for text in texts]
    assert normalized(*texts) == ([text for (text,), _ in alone], [changed for _, (changed,) in alone])


def test_composed_characters_count_what_is_gone() -> None:
    assert normalized("cafe\u0301", "plain", "\uf900\r\n") == (["caf\u00e9", "plain", "\u8c48\n"], [2, 0, 2])


def test_full_width_punctuation_stays_in_nfc_and_folds_in_nfkc() -> None:
    assert normalized("你好，ＡＢ") == (["你好，ＡＢ"], [0])
    assert normalized("你好，ＡＢ", form="NFKC") == (["你好,AB"], [3])


def test_form_none_still_removes_invisible_characters() -> None:
    assert normalized("e\u0301\u200b", form="none") == (["e\u0301"], [1])


def test_a_clean_batch_keeps_its_text_and_profile() -> None:
    batch = batch_of("clean", "干净的文本\n")
    counts = batch.profile
    after = Normalize().annotate(batch)
    assert after["text"].buffers()[2].address == batch["text"].buffers()[2].address
    assert after.profile is counts


def test_traditional_text_is_simplified_by_phrases() -> None:
    pytest.importorskip("opencc")
    assert normalized("乾坤與乾燥", "简体字", simplify=True) == (["乾坤与干燥", "简体字"], [2, 0])


def test_simplify_without_opencc_is_refused_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(ConfigError, match=r"x.yaml:1: simplify: needs OpenCC, .* pip install"):
        load(Normalize, parse_yaml("simplify: true", "x.yaml"))


def test_no_rows() -> None:
    assert normalized() == ([], [])

"""Personal data in a run's files: masked wherever text is for reading or measuring, and where it is not, said so."""

from collections.abc import Callable
from pathlib import Path

from pipeline.config import load_run
from pipeline.run import run
from tests.pipeline.conftest import ledger, read_parts, zh_prose

Maker = Callable[..., Path]
FOOTER = "责任编辑：沈小舟"


def test_held_out_texts_are_masked_like_those_of_the_corpus_and_not_cut(make_config: Maker) -> None:
    texts = {f"page-{i}": f"{zh_prose(i, 20)}请拨打13812345678咨询。\n\n{FOOTER}" for i in range(60)}
    stages = [
        {"normalize": {}},
        {"sentences": {}},
        {"exact_dedup": {}},
        {"pii": {}},
        {"mixture": {"held_out": {"share": 0.2, "max_share": 0.3}}},
    ]
    rows = [{"id": name, "text": text} for name, text in texts.items()]
    out = run(load_run(make_config({"a": rows}, stages=stages)), quiet=True)["output"]
    apart, corpus = (read_parts(out, folder).to_pylist() for folder in ("heldout", "corpus"))
    assert len(apart) + len(corpus) == 60
    assert apart
    for row in apart:
        masked = texts[row["id"]].replace("13812345678", "<PHONE>")
        assert row["text"] == masked
        assert (row["num_chars"], row["num_bytes"]) == (len(masked), len(masked.encode()))
        assert ledger(out)[row["id"]]["pii_phone"] == 1
    assert {row["text"] for row in corpus} == {
        texts[row["id"]].replace("13812345678", "<PHONE>").removesuffix(f"\n\n{FOOTER}") for row in corpus
    }


def test_held_out_texts_without_the_stage_stay_as_they_are(make_config: Maker) -> None:
    rows = [{"id": str(i), "text": f"{zh_prose(i, 20)}请拨打13812345678咨询。"} for i in range(20)]
    stages = [{"normalize": {}}, {"exact_dedup": {}}, {"mixture": {"held_out": {"share": 0.2, "max_share": 0.3}}}]
    out = run(load_run(make_config({"a": rows}, stages=stages)), quiet=True)["output"]
    (first, *_) = read_parts(out, "heldout").to_pylist()
    assert first["text"] == rows[int(first["id"])]["text"]

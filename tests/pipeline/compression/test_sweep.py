"""`corpus tokenizer sweep` through the command line."""

from pathlib import Path

import orjson
import pytest

from configs.errors import ConfigError
from configs.loader import load, read_yaml
from pipeline.compression.config import SweepConfig
from tests.pipeline.compression.test_compare import checked_page, corpus
from tests.tokenizer.conftest import INPUTS
from tokenizer.codec import Tokenizer


def test_sizes_are_measured_and_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    texts = [part for name in INPUTS for part in ("--texts", name)]
    settings = (
        "--set",
        "sizes=[1000, 3000, 5000, 500000]",
        "--set",
        "replicates=20",
        "--set",
        "models=[nano, scaling-108m]",
        "--set",
        "held_out=.2",
    )
    assert corpus(monkeypatch, "sweep", *texts, "--output", str(output), "--preset", "small_8k", *settings) == 0
    report = orjson.loads((output / "sweep.json").read_bytes())
    assert [size["ids"] for size in report["sizes"]] == [3000, 5000]
    assert [found["ids"] for found in report["refused"]] == [1000, 500_000]
    for size in (3000, 5000):
        assert len(Tokenizer.load(output / "models" / str(size))) == size
    everything = report["groups"][0]
    rates = {size: everything["tokenizers"][size]["tokens_per_char"] for size in ("3000", "5000")}
    assert rates["5000"] < rates["3000"]
    cost = everything["cost"]["nano"]
    assert cost["of_cheapest"][str(cost["cheapest"])] == 1.0
    assert min(cost["of_cheapest"].values()) == 1.0
    (step,) = cost["break_even_parameters"]
    body = report["models"]["nano"]["parameters_without_embeddings"]
    assert (step["parameters"] < body) == (cost["cheapest"] == 5000)
    assert report["models"]["nano"]["embedding_parameters"]["3000"] == 2 * 3000 * report["models"]["nano"]["hidden"]
    shown = capsys.readouterr().out
    assert "tokens per character by vocabulary size" in shown
    assert "Give more text, or set vocab_size to at most" in shown
    checked_page(output / "sweep.html")


def test_texts_for_no_size_or_no_measure_are_errors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "text": "too little"}\n')
    assert corpus(monkeypatch, "sweep", "--texts", str(tmp_path / "a.jsonl"), "--output", str(tmp_path / "out")) == 2
    assert "none of the sizes can be trained: 2,000: " in capsys.readouterr().err
    texts = [part for name in INPUTS for part in ("--texts", name)]
    few = ("--set", "sizes=[3000]", "--set", "held_out=.001", "--set", "held_out_seed=0")
    assert corpus(monkeypatch, "sweep", *texts, "--output", str(tmp_path / "out"), *few) == 2
    assert "there is no document to measure" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("sizes: []", "sizes: got none"),
        ("models: [gpt]", "models: got 'gpt', wanted some of baichuan-7b"),
        ("held_out: 0", "held_out: got 0.0, wanted between 0.001 and 0.9"),
    ],
)
def test_sweeps_that_cannot_be_are_refused(settings: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"texts: [x]\noutput: y\n{settings}\n")
    with pytest.raises(ConfigError) as refused:
        load(SweepConfig, read_yaml(tmp_path / "a.yaml"))
    assert message in str(refused.value)

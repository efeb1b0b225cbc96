"""The smoke run on a few documents: all parts together, and both ways in which it fails."""

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import ConfigError, RunError
from configs.loader import CONFIGS, load, read_yaml
from model.train import ModelSettings, OptimizerSettings, StepSettings, TrainConfig
from pipeline import smoke as module
from pipeline.smoke import SmokeConfig, smoke
from tokenizer.heldout import is_held_out

WORDS = ["river", "stone", "light", "morning", "paper", "garden", "window", "letter", "winter", "market", "silver", "bridge"]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred documents in which every word is followed by its neighbour in the list."""
    texts = [" ".join(f"{WORDS[(i + j) % 12]} {WORDS[(i + j + 1) % 12]};" for j in range(30)) + f" {i}" for i in range(200)]
    file = tmp_path_factory.mktemp("smoke") / "documents.parquet"
    pq.write_table(pa.table({"id": [f"d{i}" for i in range(200)], "text": pa.array(texts, pa.large_string())}), file)
    return file


def config(documents: Path, output: Path, **changes: Any) -> SmokeConfig:
    tiny = ModelSettings(preset="nano", hidden_size=32, num_attention_heads=2, intermediate_size=64, num_hidden_layers=2)
    step = StepSettings(precision="fp32", compile=False, optimizer=OptimizerSettings(learning_rate=1e-2, clip=1.0))
    training = TrainConfig(data="", output="", model=tiny, length=64, batch=8, step=step, device="cpu", threads=1)
    recipe = output.parent / "recipe.yaml"
    recipe.write_text(
        "{vocab_size: 400, dummy_prefix: false, whitespace_pieces: true, character_coverage: 1.0, max_piece_chars: 16, reserved: 0}"
    )
    base = SmokeConfig(
        input=(str(documents),),
        output=str(output),
        tokenizer=str(recipe),
        epochs=3,
        control_share=1.0,
        prompts=("river stone;",),
        train=training,
    )
    return dataclasses.replace(base, **changes)


def test_the_model_learns_the_text_and_the_control_only_its_frequencies(
    documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = smoke(config(documents, tmp_path / "smoke"))
    assert figures["model"]["below_entropy"] > 0.5
    assert figures["control"]["below_entropy"] < 0.1
    printed = capsys.readouterr().out
    apart = pq.read_table(tmp_path / "smoke" / "documents" / "apart.parquet")["id"].to_pylist()
    batch = pa.record_batch({"id": [f"d{i}" for i in range(200)]})
    assert apart == [f"d{i}" for i, out in enumerate(is_held_out(batch, 0.1, 1)) if out]
    assert f"{200 - len(apart)} to learn from, {len(apart)} set apart" in printed
    assert "river stone;|" in printed
    for name in ("nano/loss.png", "control/loss.png", "nano/model/model.safetensors", "nano/model/tokenizer.model"):
        assert (tmp_path / "smoke" / name).exists(), name


def test_a_model_that_learns_too_little_is_an_error(documents: Path, tmp_path: Path) -> None:
    short = config(documents, tmp_path / "smoke")
    with pytest.raises(RunError, match=r"nats below the entropy of the tokens, wanted 0\.5: it has not learnt"):
        smoke(dataclasses.replace(short, train=dataclasses.replace(short.train, tokens=1024)), quiet=True)


def test_a_control_that_learns_is_an_error(documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = module.train
    monkeypatch.setattr(module, "train", lambda settings, quiet: honest(dataclasses.replace(settings, shuffle_tokens=False), quiet=quiet))
    with pytest.raises(RunError, match="the control, which saw tokens in shuffled order, is"):
        smoke(config(documents, tmp_path / "smoke"), quiet=True)


def test_folders_of_others_are_left_alone(documents: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="is not empty and holds no smoke run"):
        smoke(config(documents, tmp_path / "mine"), quiet=True)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_the_shipped_configuration_loads_and_names_no_folders_of_the_training() -> None:
    shipped = load(SmokeConfig, read_yaml(CONFIGS / "smoke" / "sample.yaml"))
    assert (shipped.input, shipped.output) == (("out/sample",), "out/smoke")
    with pytest.raises(ConfigError, match="train: data, output and heldout are made by the smoke run; leave them empty"):
        dataclasses.replace(shipped, train=dataclasses.replace(shipped.train, heldout="somewhere"))

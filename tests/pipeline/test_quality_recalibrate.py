"""`corpus quality calibrate`, through its public face: a model's probabilities after labels that it disagrees with."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from configs.errors import CorpusError
from pipeline.cli import app
from pipeline.inspector.labels import Labels
from pipeline.quality.config import load_training
from pipeline.quality.recalibrate import _Labelled, _worth, calibrate_model
from pipeline.quality.train import train
from stages.quality.calibration import BINS, adjusted
from tests.pipeline.conftest import prose
from tests.pipeline.test_quality import menu, settings


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("trained")
    train(load_training(settings(folder)))
    return str(folder / "model")


def label(folder: Path, keep: list[str], drop: list[str], lang: str = "en") -> str:
    """As the inspector writes them."""
    labels = Labels(str(folder))
    for name, texts in {"keep": keep, "drop": drop}.items():
        for number, text in enumerate(texts):
            labels.give(name, {"id": f"{name}{number}", "text": text, "lang": lang, "domain": "web"})
    return str(folder)


def test_probabilities_follow_the_labels_and_the_order_of_texts_stays(model: str, tmp_path: Path) -> None:
    good, bad = [prose(7000 + i) for i in range(80)], [menu(8000 + i) for i in range(80)]
    labels = label(tmp_path / "labels", good[:60] + bad[:20], bad[20:] + good[60:])
    output = str(tmp_path / "mine")
    before = json.loads((Path(model) / "model.json").read_text(encoding="utf-8"))
    after = calibrate_model(model, labels, output)
    found = after["labelled"]
    assert (found["keep"], found["drop"]) == (80, 80)
    assert found["auc"] == pytest.approx(0.75, abs=0.07)
    assert 0 < after["adjustment"]["scale"] < 1
    assert (Path(output) / "model.bin").read_bytes() == (Path(model) / "model.bin").read_bytes()
    assert after["sentence_calibration"] == before["sentence_calibration"]
    grid = {name: np.array(card["percentiles"]["en"]) for name, card in (("before", before), ("after", after))}
    assert (np.diff(grid["after"]) >= 0).all()
    assert grid["before"][0] < grid["after"][0] < 0.5 < grid["after"][-1] < grid["before"][-1]
    assert "80 texts to keep, 80 to drop" in (Path(output) / "README.md").read_text(encoding="utf-8")


def test_a_training_replaces_a_calibrated_model_and_more_labels_need_the_one_that_was_trained(tmp_path: Path) -> None:
    path = settings(tmp_path)
    first = train(load_training(path))
    labels = label(tmp_path / "labels", [prose(i) for i in range(10)], [menu(i) for i in range(10)])
    mine = str(tmp_path / "mine")
    calibrate_model(first["settings"]["output"], labels, mine)
    for model, output in ((first["settings"]["output"],) * 2, (mine, str(tmp_path / "again"))):
        with pytest.raises(CorpusError, match="as it was trained, into another folder"):
            calibrate_model(model, labels, output)
    again = train(load_training(path, (f"output={mine}",)))
    assert "already_complete" not in again
    assert "adjustment" not in again
    assert again["calibration"] == first["calibration"]


def test_a_model_of_another_language_is_replaced_only_if_told_to(model: str, tmp_path: Path) -> None:
    labels = label(tmp_path / "labels", [prose(i) for i in range(20)], [menu(i) for i in range(20)])
    english = tmp_path / "english"
    calibrate_model(model, labels, str(english))
    assert calibrate_model(model, labels, str(english))["labelled"]["keep"] == 20
    card = json.loads((english / "model.json").read_text(encoding="utf-8"))
    chinese = json.dumps(card | {"languages": ["zh"]})
    (english / "model.json").write_text(chinese, encoding="utf-8")
    with pytest.raises(CorpusError, match="holds the model 'q' for quality in zh, not 'q' for quality in en"):
        calibrate_model(model, labels, str(english))
    assert (english / "model.json").read_text(encoding="utf-8") == chinese
    assert calibrate_model(model, labels, str(english), overwrite=True)["languages"] == ["en"]


def test_figures_before_and_after_are_of_texts_that_set_nothing() -> None:
    rng = np.random.default_rng(3)
    true = rng.random(4000) * 0.98 + 0.01
    good = rng.random(4000) < true
    found = _worth(_Labelled(adjusted(true, 3.0, 1.0), good, np.zeros(4000, np.int64)))
    assert (found["keep"], found["drop"]) == (good.sum(), (~good).sum())
    assert found["ece_before"] == pytest.approx(np.abs(adjusted(true, 3.0, 1.0) - true).mean(), abs=0.02)
    assert found["ece_after"] == pytest.approx(found["ece_by_chance"], abs=0.015)
    assert found["ece_by_chance"] == pytest.approx(np.sqrt(2 / np.pi * (true * (1 - true)).mean() / (4000 / BINS)), rel=0.15)


@pytest.mark.parametrize(
    ("keep", "drop", "lang", "message"),
    [
        (9, 30, "en", "labels in en: 9 texts to keep and 30 to drop; wanted at least 10 of each"),
        (30, 30, "zh", "labels in en: 0 texts to keep and 0 to drop"),
    ],
)
def test_too_few_labels_are_refused(model: str, tmp_path: Path, keep: int, drop: int, lang: str, message: str) -> None:
    labels = label(tmp_path / "labels", [prose(i) for i in range(keep)], [menu(i) for i in range(drop)], lang)
    with pytest.raises(CorpusError, match=message):
        calibrate_model(model, labels, str(tmp_path / "mine"))
    assert not (tmp_path / "mine").exists()


def test_labels_against_the_model_are_refused(model: str, tmp_path: Path) -> None:
    labels = label(tmp_path / "labels", [menu(i) for i in range(60)], [prose(i) for i in range(60)])
    with pytest.raises(CorpusError, match="the wrong way round"):
        calibrate_model(model, labels, str(tmp_path / "mine"))


def test_labels_that_are_missing_or_no_labels_are_refused(model: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"keep.jsonl is missing; `corpus inspect RUN`"):
        calibrate_model(model, str(tmp_path), str(tmp_path / "mine"))
    (tmp_path / "keep.jsonl").write_text('{"text": "a b c", "lang": "en"}\n{"text": "no language"}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match=r"keep.jsonl: line 2: wanted an object with `text` and `lang`"):
        calibrate_model(model, str(tmp_path), str(tmp_path / "mine"))
    (tmp_path / "keep.jsonl").write_text('{"text": 5, "lang": "en"}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match=r"keep.jsonl: line 1: wanted an object with `text` and `lang`"):
        calibrate_model(model, str(tmp_path), str(tmp_path / "mine"))


def test_the_command_writes_a_model_and_leaves_other_files_alone(model: str, tmp_path: Path) -> None:
    labels = label(tmp_path / "labels", [prose(i) for i in range(20)], [menu(i) for i in range(20)])
    done = CliRunner().invoke(app, ["quality", "calibrate", model, labels, "--output", str(tmp_path / "mine")])
    assert done.exit_code == 0
    assert "20 texts to keep, 20 to drop" in done.output
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(CorpusError, match="no quality model"):
        calibrate_model(model, labels, str(other))
    assert [file.name for file in other.iterdir()] == ["thesis.txt"]

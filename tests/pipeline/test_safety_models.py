"""Safety models from two folders of texts to a run that rejects by them; invented offers of bets on snails stand in for gambling."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from configs.errors import ConfigError, CorpusError
from pipeline.config import load_run
from pipeline.plan import make_plan
from pipeline.quality.config import load_training
from pipeline.quality.train import train
from pipeline.reselect import select
from pipeline.run import run
from stages.batch import Batch
from stages.safety.stage import Safety
from tests.pipeline.conftest import ledger, output_bytes, prose, read_parts

_OFFERS = ("bet on a snail", "the snail race starts", "win a lettuce", "odds of ten to one", "join the snail club", "double your lettuce")


def offer(seed: int) -> str:
    rng = random.Random(seed)
    return " ".join(f"{rng.choice(_OFFERS).capitalize()} and {rng.choice(_OFFERS)} today!" for _ in range(12))


def folders(folder: Path, **changes: Any) -> Path:
    """A folder of 80 texts of prose and one of 80 offers, a file each, and what trains on them."""
    config: dict[str, Any] = {"name": "snails", "output": str(folder / "model"), "languages": ["en"], "safety": "gambling", "folds": 2,
                              "parts": 4, "model": {"dim": 4, "bucket": 1024, "epochs": 3}}  # fmt: skip
    for kind, make in {"positives": prose, "negatives": offer}.items():
        (folder / kind).mkdir()
        for seed in range(80):
            (folder / kind / f"{seed:03}.txt").write_text(make(seed + 500 * (kind == "negatives")), encoding="utf-8")
        config[kind] = [{"name": kind, "path": str(folder / kind), "lang": "en"}]
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump(config | changes), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("snails")
    train(load_training(folders(folder)))
    return str(folder / "model")


@pytest.fixture
def scored(make_config: Callable[..., Path], model: str) -> Callable[..., Path]:
    """A run over 10 texts of prose, 10 offers, and one offer in a language without a model."""

    def make(name: str = "run", **changes: Any) -> Path:
        sources = {"good": [{"id": f"g{i}", "text": prose(9000 + i)} for i in range(10)],
                   "bad": [{"id": f"b{i}", "text": offer(9000 + i)} for i in range(10)],
                   "other": [{"id": "o", "text": "蜗牛赛跑开始了，今天就来下注吧，赢一棵生菜。" * 5}]}  # fmt: skip
        settings = {"lists": {}, "models": {"gambling": {"en": [model]}}} | changes
        return make_config(sources, name, stages=[{"normalize": {}}, {"safety": settings}])

    return make


def test_two_folders_are_cut_into_sources(model: str) -> None:
    card = json.loads((Path(model) / "model.json").read_text(encoding="utf-8"))
    names = [name for sources in card["data"]["parts"].values() for name in sources]
    assert sorted(names) == sorted(f"{kind}/{part}" for kind in ("positives", "negatives") for part in range(4))
    assert len(card["data"]["parts"]["test"]) == 2
    assert card["safety"] == "gambling"
    assert card["metrics"]["en"]["f1"] == 1.0
    assert "Safety model for gambling" in (Path(model) / "README.md").read_text(encoding="utf-8")


def test_a_held_out_folder_may_be_named_whole_or_in_part(tmp_path: Path) -> None:
    card = train(load_training(folders(tmp_path, held_out=["positives/0", "positives/3", "negatives/1"])))
    assert card["data"]["parts"]["test"] == ["negatives/1", "positives/0", "positives/3"]
    with pytest.raises(CorpusError, match="0 are not held out"):
        train(load_training(tmp_path / "train.yaml", ("held_out=[positives]",)))
    with pytest.raises(CorpusError, match="no source is called 'positives/4'"):
        load_training(tmp_path / "train.yaml", ("held_out=[positives/4]",))
    with pytest.raises(CorpusError, match="cut each into several by `parts`"):
        train(load_training(tmp_path / "train.yaml", ("held_out=[]", "parts=1")))
    with pytest.raises(CorpusError, match="it names columns"):
        load_training(tmp_path / "train.yaml", ("safety=Snails!",))


def test_a_run_rejects_by_probability_and_a_selection_changes_that_without_scoring_again(
    scored: Callable[..., Path], tmp_path: Path
) -> None:
    folder = run(load_run(scored(reject_from_probability={"gambling": 0.5})), quiet=True)["output"]
    rows = ledger(folder)
    good, bad = ([rows[f"{letter}{i}"] for i in range(10)] for letter in "gb")
    assert {tuple(row["reasons"]) for row in bad} == {("safety_gambling_probability",)}
    assert {row["fate"] for row in (*good, rows["o"])} == {"kept"}
    assert max(row["safety_gambling_probability"] for row in good) < 0.5
    assert rows["o"]["safety_gambling_probability"] is None
    chosen = select(folder, str(tmp_path / "chosen"), ("stages.safety.reject_from_probability={}",
                    "stages.safety.down_weight_from_probability.gambling=0.2"), quiet=True)["output"]  # fmt: skip
    weight = {row["id"]: row["sampling_weight"] for row in read_parts(chosen, "corpus").to_pylist()}
    assert weight.keys() == rows.keys()
    for name, row in rows.items():
        probability = row["safety_gambling_probability"] or 0.0
        assert weight[name] == pytest.approx(min(1.0, (1 - probability) / 0.8))


def test_batches_change_nothing(scored: Callable[..., Path]) -> None:
    path = scored(reject_from_probability={"gambling": 0.5})
    first = run(load_run(path), quiet=True)["output"]
    again = run(load_run(path, ("engine.batch_rows=3", f"output={first}-small")), quiet=True)["output"]
    assert output_bytes(again) == output_bytes(first)


def test_several_models_say_their_mean_and_lists_stay(model: str, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    train(load_training(folders(tmp_path, output=other, model={"dim": 4, "bucket": 1024, "epochs": 1})))
    columns = {
        "text": pa.array([offer(1), prose(1), "", "snail", "\x00"], pa.large_string()),
        "lang": pa.array(["en"] * 3 + ["en-GB", None]),
    }
    batch = Batch(pa.RecordBatch.from_pydict(columns))

    def score(*models: str) -> list[float]:
        stage = Safety(models={"gambling": {"en": models}})
        found = stage.annotate(batch).columns
        assert [field.name for field in found.schema][2:] == [field.name for field in stage.adds()]
        assert found["safety_gambling"].to_pylist() == [0.0] * 5
        return found["safety_gambling_probability"].to_numpy(zero_copy_only=False).tolist()

    first, second = score(model), score(other)
    assert score(model, other)[:2] == pytest.approx([(a + b) / 2 for a, b in zip(first[:2], second[:2], strict=True)])
    assert np.isnan(first).tolist() == [False, False, True, False, True]


def test_models_that_do_not_fit_are_refused_before_the_run(scored: Callable[..., Path], model: str, tmp_path: Path) -> None:
    def refused(kind: str = "gambling", lang: str = "en", folder: str = model) -> str:
        with pytest.raises(ConfigError) as error:
            make_plan(load_run(scored(models={kind: {lang: [folder]}})))
        return str(error.value)

    def damaged(name: str, change: Callable[[bytes], bytes], file: str = "model.bin") -> str:
        shutil.copytree(model, tmp_path / name)
        (tmp_path / name / file).write_bytes(change((tmp_path / name / file).read_bytes()))
        return str(tmp_path / name)

    assert "trained for en, not for zh" in refused(lang="zh")
    assert "trained for the safety kind gambling, not for the safety kind porn" in refused(kind="porn")
    assert "stages.safety.models: no model in" in refused(folder=str(tmp_path / "nowhere"))
    assert "truncated" in refused(folder=damaged("short", lambda data: data[:-100]))
    assert "no fastText model" in refused(folder=damaged("other", lambda data: b"PK" + data[2:]))
    quality = damaged("quality", lambda data: data.replace(b'"safety": "gambling"', b'"safety": null'), "model.json")
    assert "trained for quality, not for the safety kind gambling" in refused(folder=quality)
    with pytest.raises(ConfigError, match="for the safety kind gambling, not for quality"):
        make_plan(load_run(scored(), ("stages=[{quality: {models: {en: [" + model + "]}}}]",)))

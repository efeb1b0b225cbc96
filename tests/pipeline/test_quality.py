"""`corpus quality train` and the stage `quality`, through their public faces, on random words."""

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
from xxhash import xxh3_64_intdigest

from configs.errors import ConfigError, CorpusError, RunError
from pipeline.config import load_run
from pipeline.plan import make_plan
from pipeline.quality.config import load_training
from pipeline.quality.rejected import rejected_documents
from pipeline.quality.train import train
from pipeline.reselect import select
from pipeline.run import run
from tests.pipeline.conftest import ledger, output_bytes, prose, read_parts

MENU = ("Home of the site", "Login", "Terms of use", "Contact us", "The sitemap", "Jobs", "Share this", "Next", "What is new", "Help")


def menu(seed: int) -> str:
    rng = random.Random(seed)
    return "\n".join(" | ".join(rng.choices(MENU, k=6)) for _ in range(8))


def write(path: Path, texts: list[str]) -> str:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return str(path)


def settings(folder: Path, **changes: Any) -> Path:
    """Three sources of prose and three of menus, 40 documents each."""
    made = {"positives": prose, "negatives": menu}
    config: dict[str, Any] = {"name": "q", "output": str(folder / "model"), "languages": ["en"], "folds": 2,
                              "model": {"dim": 4, "bucket": 1024, "epochs": 3}}  # fmt: skip
    for place, (kind, make) in enumerate(made.items()):
        config[kind] = [
            {"name": f"{kind}{number}", "lang": "en", "domain": f"d{number}",
             "path": write(folder / f"{kind}{number}.jsonl", [make(1000 * (3 * place + number) + seed) for seed in range(40)])}
            for number in range(3)
        ]  # fmt: skip
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump(config | changes), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("trained")
    train(load_training(settings(folder)))
    return str(folder / "model")


@pytest.fixture
def scored(make_config: Callable[..., Path], model: str) -> Callable[..., Path]:
    """A run over 20 texts of prose and 20 menus with the stage's settings."""

    def make(name: str = "run", stages: tuple[dict[str, Any], ...] = (), **changes: Any) -> Path:
        sources = {"good": [{"id": f"g{i}", "text": prose(9000 + i)} for i in range(20)],
                   "bad": [{"id": f"b{i}", "text": menu(9000 + i)} for i in range(20)]}  # fmt: skip
        return make_config(sources, name, stages=[{"normalize": {}}, *stages, {"quality": {"models": {"en": [model]}} | changes}])

    return make


def test_a_card_tells_sources_apart_and_what_the_model_goes_by(model: str) -> None:
    card = json.loads((Path(model) / "model.json").read_text(encoding="utf-8"))
    parts = card["data"]["parts"]
    names = [name for sources in parts.values() for name in sources]
    assert sorted(names) == sorted(set(names))
    assert len(parts["test"]) == 2
    assert card["metrics"]["en"]["f1"] == card["metrics"]["en"]["auc"] == 1.0
    assert "|" in [ngram for ngram, _, _ in card["ngrams"]["bad"]]
    readme = (Path(model) / "README.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in readme for name in names)


def test_the_same_training_is_not_done_again_and_gives_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    path = settings(tmp_path)
    first = train(load_training(path))
    assert train(load_training(path))["already_complete"]
    other = train(load_training(path, (f"output={tmp_path / 'other'}",)))
    assert "already_complete" not in other
    assert (tmp_path / "other/model.bin").read_bytes() == (tmp_path / "model/model.bin").read_bytes()
    assert other["calibration"] == first["calibration"]
    assert "already_complete" not in train(load_training(path, ("model.epochs=2",)))


def test_a_damaged_model_is_trained_again(tmp_path: Path) -> None:
    path, model = settings(tmp_path), tmp_path / "model/model.bin"
    train(load_training(path))
    whole = model.read_bytes()
    for damaged in (whole[:-100], whole[:-1] + b"x", b""):
        model.write_bytes(damaged)
        assert "already_complete" not in train(load_training(path))
        assert model.read_bytes() == whole
    model.unlink()
    assert "already_complete" not in train(load_training(path), overwrite=True)
    assert train(load_training(path), overwrite=True)["already_complete"]


def test_a_model_of_another_name_or_language_is_replaced_only_if_told_to(model: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    other = load_training(settings(tmp_path), ("name=other", f"output={folder}"))
    with pytest.raises(RunError, match=r"holds the model 'q' for quality in en, not 'other' for quality in en; .*--overwrite"):
        train(other)
    with pytest.raises(RunError, match="not 'q' for porn in en"):
        train(load_training(settings(tmp_path), ("safety=porn", f"output={folder}")))
    assert (folder / "model.json").read_bytes() == (Path(model) / "model.json").read_bytes()
    assert train(other, overwrite=True)["name"] == "other"


def test_a_window_to_train_on_may_lack_the_marks_of_its_unended_sentences() -> None:
    from pipeline.quality.config import Windows
    from pipeline.quality.windows import cut

    texts = pa.chunked_array([pa.array(["Home\nAbout us today\nAll rights reserved."])])
    found = cut(texts, Windows(max_tokens=64), np.random.default_rng(0))
    lines = [[found.line(window, marked) for window in range(len(found.first))] for marked in (True, False)]
    assert "".join(line.decode() for line in lines[0]) == "home ␄ about us today ␄ all rights reserved . "
    assert "".join(line.decode() for line in lines[1]) == "home about us today all rights reserved . "


def test_windows_are_of_the_same_lengths_on_both_sides() -> None:
    from pipeline.quality.config import Windows
    from pipeline.quality.windows import cut, draw

    texts = [prose(seed, 40) for seed in range(60)] + [menu(seed) for seed in range(60)]
    good = np.arange(120) < 60
    domain = np.where(good, np.arange(120) % 2, 2)
    found = cut(pa.chunked_array([pa.array(texts, pa.large_string())]), Windows(max_windows=4000), np.random.default_rng(1))
    drawn = draw(found, np.zeros(120, np.int64), good, domain, Windows(max_windows=4000, max_repeats=1), np.random.default_rng(2))
    octave, is_good = np.log2(found.length[drawn]).astype(int), good[found.document[drawn]]
    assert np.bincount(octave[is_good]).tolist() == np.bincount(octave[~is_good]).tolist()
    assert len(set(drawn.tolist())) == len(drawn) > 100
    assert abs(np.diff(np.bincount(domain[found.document[drawn]][is_good]))).max() <= octave.max()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"negatives": []}, "negatives: got none"),
        ({"positives": []}, "positives: got none"),
        ({"model": {"bucket": 1000}}, "power of two such as 512"),
        ({"languages": ["zh"]}, "no positive is in zh"),
        ({"held_out": ["nobody"]}, "no source is called 'nobody'"),
        ({"held_out": ["positives0", "positives1"]}, "wanted at least 2 and one to test on"),
        ({"rejected": [{"run": "nowhere", "reasons": ["num_words"]}]}, "nowhere is no finished run"),
        ({"output": "s3://bucket/model"}, "folder of this machine"),
        ({"windows": {"min_tokens": 9, "max_tokens": 8}}, "min_tokens"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_a_reason(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        train(load_training(settings(tmp_path, **changes)))


def test_too_few_documents_and_empty_ones_are_refused(tmp_path: Path) -> None:
    path = settings(tmp_path)
    for number in range(3):
        write(tmp_path / f"positives{number}.jsonl", [prose(number)] * 4)
        write(tmp_path / f"negatives{number}.jsonl", [menu(number)] * 4)
    with pytest.raises(RunError, match=r"16 documents with at least 6 tokens .* wanted at least 100"):
        train(load_training(path))
    for number in range(3):
        write(tmp_path / f"negatives{number}.jsonl", [" \n"] * 4)
    with pytest.raises(RunError, match="the 12 negatives in en have no text at all"):
        train(load_training(path))


def test_a_handful_of_one_class_is_refused(tmp_path: Path) -> None:
    path = settings(tmp_path)
    for number in range(3):
        write(tmp_path / f"positives{number}.jsonl", [prose(number + 7 * at) for at in range(3)])
        write(tmp_path / f"negatives{number}.jsonl", [menu(number + 7 * at) for at in range(90)])
    with pytest.raises(RunError, match=r"6 positives in en with at least 6 tokens to train on.*wanted at least 10"):
        train(load_training(path))


def test_texts_of_short_sentences_alone_can_be_trained_on(tmp_path: Path) -> None:
    path = settings(tmp_path)
    for kind, words in {"positives": ("He came.", "She saw.", "Then rain fell."), "negatives": ("Log in.", "Menu.", "Share this.")}.items():
        for number in range(3):
            texts = [" ".join(random.Random(40 * number + seed).choices(words, k=20)) for seed in range(40)]
            write(tmp_path / f"{kind}{number}.jsonl", texts)
    card = train(load_training(path))
    assert card["metrics"]["en"]["f1"] == 1.0
    assert card["sentence_calibration"] == card["calibration"]


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="no quality model"):
        train(load_training(settings(tmp_path)))


def test_documents_that_a_run_rejected_are_negatives(tmp_path: Path, scored: Callable[..., Path]) -> None:
    folder = run(load_run(scored(min_quality={"en": 0.5})), quiet=True)["output"]
    names = [row["source"] for row in ledger(folder).values() if row["reasons"] == ["low_quality"]]
    assert set(names) == {"bad"}
    path = settings(tmp_path, rejected=[{"run": folder, "reasons": ["low_quality"]}])
    card = train(load_training(path))
    assert {row["source"]: row["documents"] for row in card["scores"]}["bad"] == len(names)


def rejecting(make_config: Callable[..., Path], sources: dict[str, list[dict[str, Any]]]) -> str:
    """A run that rejects all its documents as having too few words; two shards a source."""
    stages = [{"normalize": {}}, {"heuristics": {"overrides": {"num_words": {"min": 100_000}}}}]
    return str(run(load_run(make_config(sources, "rejecting", stages=stages)), quiet=True)["output"])


def test_of_each_source_the_first_rejected_documents_by_hash_are_read_in_the_order_of_the_run(
    make_config: Callable[..., Path], tmp_path: Path
) -> None:
    rows = {name: [{"id": f"{name}{i}", "text": menu(400 + i)} for i in range(30)] for name in ("s", "t")}
    folder = rejecting(make_config, rows)
    assert len(list((Path(folder) / "rejected").iterdir())) > 2
    book = {row["id"]: row for row in read_parts(folder, "rejected").to_pylist()}
    by_hash = sorted(book, key=lambda name: xxh3_64_intdigest(name.encode()))
    sizes = {name: len(row["text"].encode()) for name, row in book.items()}
    for most, max_bytes in ((7, 1 << 20), (30, sum(sizes[f"s{i}"] for i in range(30)) // 2), (30, 1)):
        wanted = set()
        for source in ("s", "t"):
            taken = 0
            for name in [name for name in by_hash if name.startswith(source)][:most]:
                if taken < max_bytes:
                    wanted.add(name)
                taken += sizes[name]
        config = load_training(settings(tmp_path, rejected=[{"run": folder, "reasons": ["num_words"], "max_documents": most}],
                                        max_bytes_per_source=max_bytes))  # fmt: skip
        found = rejected_documents(config.rejected[0], config)
        assert found["text"].to_pylist() == [row["text"] for name, row in book.items() if name in wanted]


def test_rejected_documents_alone_are_enough_negatives_in_parts(make_config: Callable[..., Path], tmp_path: Path) -> None:
    folder = rejecting(make_config, {"junk": [{"id": str(i), "text": menu(i)} for i in range(80)]})
    rejected = {"negatives": [], "rejected": [{"run": folder, "reasons": ["num_words"]}]}
    with pytest.raises(RunError, match="or cut each into several by `parts`"):
        train(load_training(settings(tmp_path, **rejected)))
    card = train(load_training(settings(tmp_path, **rejected, parts=4, held_out=["junk/3", "positives0"])))
    documents = {row["source"]: row["documents"] for row in card["scores"] if row["kind"] == "negative"}
    assert documents == {f"junk/{part}": 20 for part in range(4)}
    assert [name for name in card["data"]["parts"]["test"] if name.startswith("junk")] == ["junk/3"]
    with pytest.raises(RunError, match=r"held_out: no source is called 'junk/4'; there are: junk, junk/0, junk/1"):
        train(load_training(settings(tmp_path, **rejected, parts=4, held_out=["junk/4"])))


def test_rejected_documents_of_a_source_that_is_called_as_a_positive_are_refused(make_config: Callable[..., Path], tmp_path: Path) -> None:
    folder = rejecting(make_config, {"positives1": [{"id": str(i), "text": menu(i)} for i in range(3)]})
    with pytest.raises(RunError, match="has a source 'positives1', and so have the positives"):
        train(load_training(settings(tmp_path, rejected=[{"run": folder, "reasons": ["num_words"]}])))


def test_a_run_scores_texts_and_a_selection_changes_thresholds_without_scoring_again(tmp_path: Path, scored: Callable[..., Path]) -> None:
    folder = run(load_run(scored()), quiet=True)["output"]
    rows = ledger(folder)
    good, bad = ([row for name, row in rows.items() if name.startswith(letter)] for letter in "gb")
    assert min(row["quality"] for row in good) > max(row["quality"] for row in bad)
    assert min(row["quality_percentile"] for row in good) > 50 > max(row["quality_percentile"] for row in bad)
    assert all(row["quality_bucket"] == min(int(row["quality_percentile"] / 5), 19) for row in rows.values())
    assert all(row["sentence_quality_min"] <= row["sentence_quality"] for row in rows.values())
    assert {row["fate"] for row in rows.values()} == {"kept"}
    for number, (setting, reason) in enumerate({"min_quality.en=0.5": "low_quality", "min_percentile.en=50": "low_quality_percentile",
                                                "top_share.en=0.5": "below_top_share"}.items()):  # fmt: skip
        chosen = ledger(select(folder, str(tmp_path / f"selected{number}"), (f"stages.quality.{setting}",), quiet=True)["output"])
        assert {name for name, row in chosen.items() if row["reasons"] == [reason]} >= {row["id"] for row in bad}
        assert any(row["fate"] == "kept" for row in chosen.values())


def test_good_documents_are_excused_from_heuristics(scored: Callable[..., Path]) -> None:
    heuristics = {"heuristics": {"overrides": {"num_words": {"min": 100_000}}}}
    strict = ledger(run(load_run(scored("strict", (heuristics,))), quiet=True)["output"])
    assert {row["fate"] for row in strict.values()} == {"rejected"}
    lenient = ledger(run(load_run(scored("lenient", (heuristics,), skip_heuristics_above=50)), quiet=True)["output"])
    for row in lenient.values():
        assert (row["reasons"] == []) == (row["quality_percentile"] > 50)
    assert {row["fate"] for row in lenient.values()} == {"kept", "rejected"}


def test_weights_follow_percentiles(scored: Callable[..., Path]) -> None:
    folder = run(load_run(scored(weights_by_percentile={"0": 0.5, "50": 3.0})), quiet=True)["output"]
    percentile = {name: row["quality_percentile"] for name, row in ledger(folder).items()}
    weight = {row["id"]: row["sampling_weight"] for row in read_parts(folder, "corpus").to_pylist()}
    assert weight == {name: 3.0 if value >= 50 else 0.5 for name, value in percentile.items()}
    assert set(weight.values()) == {0.5, 3.0}


def test_batches_and_splits_change_nothing(scored: Callable[..., Path]) -> None:
    path = scored(min_sentence_quality=0.5)
    first = run(load_run(path), quiet=True)["output"]
    config = load_run(path, ("engine.batch_rows=3", f"output={first}-small"))
    assert output_bytes(run(config, quiet=True)["output"]) == output_bytes(first)


def test_models_that_do_not_fit_are_refused_before_the_run(scored: Callable[..., Path], model: str, tmp_path: Path) -> None:
    def refused(**changes: Any) -> str:
        with pytest.raises(ConfigError) as error:
            make_plan(load_run(scored(**changes)))
        return str(error.value)

    def damaged(name: str, change: Callable[[bytes], bytes], file: str = "model.bin") -> dict[str, Any]:
        folder = tmp_path / name
        shutil.copytree(model, folder)
        (folder / file).write_bytes(change((folder / file).read_bytes()))
        return {"models": {"en": [str(folder)]}}

    assert "trained for en, not for zh" in refused(models={"zh": [model]})
    assert "corpus quality train" in refused(models={"en": [str(tmp_path / "nowhere")]})
    assert "truncated" in refused(**damaged("short", lambda data: data[:-100]))
    assert "no fastText model" in refused(**damaged("other", lambda data: b"PK" + data[2:]))
    assert "not the model that model.json" in refused(**damaged("mixed", lambda data: data[:-1] + b"x"))
    assert "is damaged" in refused(**damaged("json", lambda data: data[:-5], "model.json"))
    assert "does not describe a quality model" in refused(**damaged("kind", lambda data: b"{}", "model.json"))
    assert "tokens of version 0" in refused(**damaged("old", lambda data: data.replace(b'"tokens": 4', b'"tokens": 0'), "model.json"))
    assert "no reference documents of 'en/law'" in refused(top_share={"en/law": 0.5})
    assert "wanted one with a model: en" in refused(min_quality={"zh": 0.5})
    assert "wanted numbers from 0 to 100" in refused(weights_by_percentile={"good": 2})


@pytest.mark.parametrize("setting", ["min_quality", "min_percentile", "top_share"])
def test_a_threshold_of_a_domain_that_no_source_has_is_refused(
    scored: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setattr("stages.quality.stage.Quality.check", lambda _: None)  # it may refuse for the lack of reference documents
    message = rf"stages\[1\].quality.{setting}.en/wbe: no source has the domain 'wbe'; did you mean 'web'\?; there are: web"
    with pytest.raises(ConfigError, match=message):
        make_plan(load_run(scored(**{setting: {"en/wbe": 0.3}})))
    folder = run(load_run(scored(**{setting: {"en/web": 0.3}})), quiet=True)["output"]
    with pytest.raises(ConfigError, match=message.replace("1", "2", 1)):
        select(folder, str(tmp_path / "selected"), (f"stages.quality.{setting}.en/wbe=0.3",), quiet=True)


def test_the_shipped_training_files_are_valid() -> None:
    root = Path(__file__).parents[2]
    files = sorted(file for folder in ("quality", "safety") for file in (root / "configs" / folder).glob("*.yaml"))
    assert [load_training(file).name for file in files]

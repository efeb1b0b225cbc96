"""The stage on batches, with models of random words made by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_128_hexdigest

from configs.loader import SettingError
from stages.batch import Batch
from stages.quality.model import KIND, TOKENS, load_model
from stages.quality.stage import MIN_TOKENS, Quality
from stages.quality.weights import hashes

GOOD_LINE = "The menu and the menu, and the menu, and the menu. "
BAD_LINE = "River click | river click | river click | river. "
ODD = ["", "a", "我", "😀" * 20, "x" * 5000, "\ud7ff\x00\ufffd", " \n\t", "我们点击。" * 300]


@pytest.fixture(scope="session")
def folder(make_model: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """A model folder with given calibration and percentiles."""

    def make(name: str, bias: float = 0.0, length: float = 0.0, grids: dict[str, list[float]] | None = None) -> str:
        path: Path = tmp_path_factory.mktemp(name)
        make_model(2).save_model(str(path / "model.bin"))
        data = (path / "model.bin").read_bytes()
        even = np.linspace(0, 1, 1001).tolist()
        card = {
            "kind": KIND,
            "identity": f"{path}",
            "tokens": TOKENS,
            "languages": ["en", "zh"],
            "model": {"bytes": len(data), "xxh3": xxh3_128_hexdigest(data + name.encode())},
            "calibration": {"slope": 1.0, "growth": 0.0, "bias": bias},
            "sentence_calibration": {"slope": 1.0, "growth": 0.0, "bias": bias, "length": length},
            "percentiles": {"en": even, "zh": even} | (grids or {}),
        }
        (path / "model.json").write_text(json.dumps(card))
        return str(path)

    return make


@pytest.fixture(scope="session")
def plain(folder: Callable[..., str]) -> str:
    return folder("plain")


def scored(stage: Quality, texts: list[str | None], lang: str = "en", domain: str = "web") -> pa.RecordBatch:
    columns = {"text": pa.array(texts, pa.large_string()), "lang": pa.array([lang] * len(texts)), "domain": pa.array([domain] * len(texts))}
    return stage.annotate(Batch(pa.RecordBatch.from_pydict(columns))).columns


def test_documents_sentences_and_paragraphs_are_scored_by_what_stands_in_them(plain: str) -> None:
    rows = scored(Quality(models={"en": (plain,)}), [GOOD_LINE, BAD_LINE, f"{GOOD_LINE}\n\n{BAD_LINE}"]).to_pylist()
    good, bad, both = rows
    assert good["quality"] > 0.5 > bad["quality"]
    assert both["sentence_quality"] == pytest.approx((good["sentence_quality"] + bad["sentence_quality"]) / 2, abs=1e-6)
    assert both["sentence_quality_min"] == bad["sentence_quality_min"] == bad["sentence_quality"]
    assert both["paragraph_quality"] == pytest.approx((good["paragraph_quality"] + bad["paragraph_quality"]) / 2, abs=1e-6)
    assert good["quality_percentile"] == pytest.approx(100 * good["quality"], abs=0.1)
    assert good["quality_bucket"] == int(good["quality_percentile"] / 5)


def test_the_length_of_a_sentence_counts_for_its_score_and_not_for_its_document(plain: str, folder: Callable[..., str]) -> None:
    short, long = "The menu, and the river.", "The menu, and the river, and the menu, and the river, and the menu, and the river."
    texts: list[str | None] = [short, long]
    without = scored(Quality(models={"en": (plain,)}), texts).to_pylist()
    counted = scored(Quality(models={"en": (folder("counted", length=2.0),)}), texts).to_pylist()
    assert [row["quality"] for row in counted] == [row["quality"] for row in without]
    assert [row["paragraph_quality"] for row in counted] == [row["paragraph_quality"] for row in without]
    gains = [after["sentence_quality"] - before["sentence_quality"] for after, before in zip(counted, without, strict=True)]
    assert min(gains) > 0
    odds = [row["sentence_quality"] / (1 - row["sentence_quality"]) for row in counted]
    before = [row["sentence_quality"] / (1 - row["sentence_quality"]) for row in without]
    assert np.log(odds[0] / before[0]) == pytest.approx(2 * np.log2(1 + 7), abs=0.05)


def test_other_languages_and_texts_without_tokens_have_no_scores(plain: str) -> None:
    stage = Quality(models={"en": (plain,)})
    names = [field.name for field in stage.adds() if field.name != "quality_spans"]
    for row in [*scored(stage, [GOOD_LINE], lang="fr").to_pylist(), *scored(stage, ["", " \n"]).to_pylist()]:
        assert [row[name] for name in names] == [None] * len(names)
    few = scored(stage, ["menu and"]).to_pylist()[0]
    assert few["quality"] is not None
    assert few["sentence_quality"] is few["paragraph_quality"] is None
    assert MIN_TOKENS > 2


def test_an_ensemble_takes_the_mean_or_the_best(plain: str, folder: Callable[..., str]) -> None:
    other = folder("other", bias=1.5)
    texts: list[str | None] = [GOOD_LINE, BAD_LINE]
    single = [scored(Quality(models={"en": (one,)}), texts)["quality"].to_numpy() for one in (plain, other)]
    mean = scored(Quality(models={"en": (plain, other)}), texts)["quality"].to_numpy()
    best = scored(Quality(models={"en": (plain, other)}, ensemble="max"), texts)["quality"].to_numpy()
    assert mean.tolist() == pytest.approx(np.mean(single, axis=0).tolist(), abs=1e-6)
    assert best.tolist() == pytest.approx(np.max(single, axis=0).tolist(), abs=1e-6)


def test_a_domain_with_references_of_its_own_has_its_own_percentile(folder: Callable[..., str]) -> None:
    strict = folder("strict", grids={"en/law": np.linspace(0.99, 1, 1001).tolist()})
    stage = Quality(models={"en": (strict,)}, top_share={"en": 0.9, "en/law": 0.1})
    row = scored(stage, [GOOD_LINE], domain="law").to_pylist()[0]
    assert row["quality_percentile"] > 50
    assert row["quality_domain_percentile"] < row["quality_percentile"]
    columns = pa.Table.from_batches([scored(stage, [GOOD_LINE], domain="law"), scored(stage, [GOOD_LINE], domain="web")])
    assert {name: mask.tolist() for name, mask in stage.reasons(columns).items()} == {"below_top_share": [True, False]}


def test_bad_sentences_are_proposed_but_not_inside_protected_blocks(plain: str) -> None:
    code = "```\nriver click | click river | click\n```\n"
    text = f"{GOOD_LINE}\n\n{BAD_LINE}\n\n{code}"
    spans = scored(Quality(models={"en": (plain,)}, min_sentence_quality=0.5), [GOOD_LINE, text])["quality_spans"].to_pylist()
    assert spans[0] == []
    assert [text.encode()[span["start"] : span["end"]].decode() for span in spans[1]] == [BAD_LINE.strip()]
    assert spans[1][0]["rule"] == "low_quality_sentence"
    assert scored(Quality(models={"en": (plain,)}), [text])["quality_spans"].to_pylist() == [[]]


def test_odd_texts_are_scored_like_any_other(plain: str) -> None:
    stage = Quality(models={"zh": (plain,)}, min_sentence_quality=0.9)
    batch = scored(stage, [*ODD], lang="zh-hans")
    for place, text in enumerate(ODD):
        assert scored(stage, [text], lang="zh-hans").to_pylist() == batch.slice(place, 1).to_pylist()
    assert [field.type for field in batch.schema][3:] == [field.type for field in stage.adds()]


@settings(max_examples=30)
@given(texts=st.lists(st.text(st.sampled_from("river and | menu。点击 \n.,我"), max_size=80), min_size=1, max_size=6), at=st.integers(0, 6))
def test_neither_batch_nor_order_matters(plain: str, texts: list[str], at: int) -> None:
    stage = Quality(models={"en": (plain,)}, min_sentence_quality=0.6)
    together = scored(stage, [*texts]).to_pylist()
    assert scored(stage, texts[:at]).to_pylist() + scored(stage, texts[at:]).to_pylist() == together
    assert scored(stage, texts[::-1]).to_pylist() == together[::-1]


def test_a_paragraph_is_added_up_by_itself_whatever_stands_before_it_in_the_batch(plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(plain)
    slot = np.flatnonzero(model.weights.keys == hashes(["river"])[1])
    words = model.weights.words.copy()
    words[slot] = 1e20  # beside it a running sum of 53 bits knows nothing of the others
    heavy = model._replace(weights=model.weights._replace(words=words))
    monkeypatch.setattr("stages.quality.stage.load_model", lambda _: heavy)
    stage, text = Quality(models={"en": (plain,)}), f"{GOOD_LINE}\n\n{GOOD_LINE}the menu, the menu.\n\n{GOOD_LINE}"
    alone = scored(stage, [text]).to_pylist()[0]
    assert alone["paragraph_quality"] > 0.5
    assert scored(stage, ["The river and the river.", f"{text}\n\nThe river and the river.", text]).to_pylist()[2] == alone


def test_weights_step_at_their_percentiles(plain: str) -> None:
    stage = Quality(models={"en": (plain,)}, weights_by_percentile={"20": 0.5, "50": 2.0})
    columns = pa.table({"quality_percentile": pa.array([None, 19.9, 20.0, 49.9, 50.0, 100.0], pa.float32())})
    weights = stage.weights(columns)
    assert weights is not None
    assert weights.tolist() == [1.0, 1.0, 0.5, 0.5, 2.0, 2.0]
    assert Quality(models={"en": (plain,)}).weights(columns) is None


def test_thresholds_do_not_belong_to_what_is_computed(plain: str) -> None:
    before = Quality(models={"en": (plain,)})
    after = Quality(models={"en": (plain,)}, min_quality={"en": 0.5}, skip_heuristics_above=90.0, weights_by_percentile={"0": 1.0})
    assert before.computed_by() == after.computed_by()
    assert before.computed_by() != Quality(models={"en": (plain,)}, min_sentence_quality=0.2).computed_by()


def test_a_stage_without_models_is_refused() -> None:
    for models in ({}, {"en": ()}):
        with pytest.raises(SettingError, match="wanted a model for each language"):
            Quality(models=models)


def test_a_model_is_loaded_once(plain: str) -> None:
    assert load_model(plain) is load_model(plain)

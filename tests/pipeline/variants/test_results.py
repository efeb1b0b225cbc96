import re
from typing import Any

import numpy as np
import pytest

from pipeline.variants.pictures import pictures
from pipeline.variants.results import Measured, conclude
from pipeline.variants.table import print_verdict
from pipeline.variants.verdict import HeldOut
from tests.pipeline.variants.conftest import Make

RNG = np.random.default_rng(2)
DOCUMENTS = HeldOut(
    sets=np.repeat(["raw", "curated"], 80),
    cells=np.tile(np.repeat(["law/zh", "news/en"], 40), 2),
    clusters=np.arange(160),
    num_bytes=np.full(160, 1000),
)
QUIET = {"documents": 160, "leaked": 0, "found": 0}
ALARMS = {"raw": QUIET, "good": QUIET, "leak": {"documents": 160, "leaked": 16, "found": 16}}
EFFECTS = {"raw": 0.0, "good": -0.05, "half_a": 0.0, "half_b": 0.0, "shuffled": 0.8}


def measured(effects: dict[str, float]) -> dict[str, Measured]:
    """Trainings with these relative effects, and noise of 2 % by document and .05 % by cell."""
    found = {}
    for name, effect in effects.items():
        own = RNG.normal(0, 0.0005, (3, 1, 4)).repeat(40, axis=2)
        found[name] = Measured(1386.0 * (1 + effect + own + RNG.normal(0, 0.02, (3, 2, 160))), [[1.0, 1.0]] * 3, 0)
    return found


@pytest.fixture
def config(make: Make) -> Any:
    return make(variants=[{"name": "raw"}, {"name": "good"}])


def test_a_verdict_stands_when_controls_hold(config: Any) -> None:
    found = conclude(config, DOCUMENTS, ALARMS, measured(EFFECTS))
    assert found["hold"]
    assert [control["holds"] for control in found["controls"].values()] == [True] * 3
    assert found["verdicts"]["good"]["word"] == "better"
    assert found["verdicts"]["good"]["change"] == pytest.approx(-0.05, abs=0.003)


@pytest.mark.parametrize(
    ("effects", "alarms", "why"),
    [
        ({"half_b": 0.05}, {}, "the control 'halves' does not hold"),
        ({"shuffled": 0.0}, {}, "the control 'shuffled' does not hold"),
        ({}, {"leak": {"documents": 160, "leaked": 16, "found": 15}}, "the control 'leak' does not hold"),
        ({}, {"good": {"documents": 160, "leaked": 0, "found": 2}}, "held-out text is in 'good'"),
        ({}, {"raw": {"documents": 160, "leaked": 0, "found": 2}}, "held-out text is in 'raw'"),
    ],
)
def test_no_verdict_stands_on_a_failed_control_or_a_leak(
    config: Any, effects: dict[str, float], alarms: dict[str, dict[str, int]], why: str
) -> None:
    found = conclude(config, DOCUMENTS, ALARMS | alarms, measured(EFFECTS | effects))
    assert found["verdicts"]["good"]["word"] == "inconclusive"
    assert found["verdicts"]["good"]["missing"] == [why]


def test_one_document_in_a_hundred_found_by_chance_is_no_leak(config: Any) -> None:
    found = conclude(config, DOCUMENTS, ALARMS | {"good": QUIET | {"found": 1}}, measured(EFFECTS))
    assert found["verdicts"]["good"]["word"] == "better"


@pytest.mark.parametrize(("steps", "monotone"), [((0.0, -0.01, -0.02), True), ((0.0, -0.02, -0.01), False), ((0.0, 0.01, 0.02), False)])
def test_buckets_are_monotone_if_each_is_better_than_the_one_below(make: Make, steps: tuple[float, ...], monotone: bool) -> None:
    config = make(variants=[{"name": "raw"}, {"name": "good"}], score_buckets={"signal": "num_chars", "of": "raw", "buckets": 3})
    buckets = {f"bucket_{i}": step for i, step in enumerate(steps)}
    found = conclude(config, DOCUMENTS, ALARMS, measured(EFFECTS | buckets))["score_buckets"]
    assert found["monotone"] == monotone
    assert found["changes"] == pytest.approx([step - steps[0] for step in steps], abs=0.003)
    assert found["slope"] == pytest.approx((steps[2] - steps[0]) / 2, abs=0.002)
    assert found["p"] < 0.05


@pytest.mark.parametrize(
    ("effects", "alarms", "void"),
    [
        ({}, {}, []),
        ({"half_b": 0.05}, {}, ["the control 'halves' does not hold"]),
        ({}, {"raw": {"documents": 160, "leaked": 0, "found": 2}}, ["held-out text is in 'raw'"]),
        ({}, {"good": {"documents": 160, "leaked": 0, "found": 2}}, []),
    ],
)
def test_score_buckets_stand_as_verdicts_do(
    make: Make, effects: dict[str, float], alarms: dict[str, dict[str, int]], void: list[str]
) -> None:
    config = make(variants=[{"name": "raw"}, {"name": "good"}], score_buckets={"signal": "num_chars", "of": "raw", "buckets": 2})
    found = conclude(config, DOCUMENTS, ALARMS | alarms, measured(EFFECTS | {"bucket_0": 0.0, "bucket_1": -0.01} | effects))
    assert (found["score_buckets"]["void"], found["score_buckets"]["holds"]) == (void, not void)


def test_table_and_picture_say_why_score_buckets_do_not_stand(finished: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _, result = finished
    buckets = {"changes": [0.0, -0.01], "monotone": True, "p": 0.01, "void": ["the control 'leak' does not hold"], "holds": False}
    buckets |= {"intervals": [[0.0, 0.0], [-0.02, 0.0]], "by_seed": [[0.0, -0.01]] * 3}
    settings = result["settings"] | {"score_buckets": {"signal": "quality"}}
    shown = result | {"settings": settings, "score_buckets": buckets}
    assert "; void: the control &#x27;leak&#x27; does not hold</text>" in pictures(shown)["score_buckets.svg"]
    assert "void" not in pictures(shown | {"score_buckets": buckets | {"void": []}})["score_buckets.svg"]
    print_verdict(shown)
    said = capsys.readouterr().out
    assert "score buckets of 'quality', lowest first: +0.00% -1.00%: monotone, slope p 0.010" in said
    assert "score buckets do not stand: the control 'leak' does not hold" in said


def test_table_and_picture_name_every_variant_and_the_tier(finished: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _, result = finished
    print_verdict(result)
    said = capsys.readouterr().out
    assert "They decide nothing." in said
    for name, found in result["verdicts"].items():
        assert re.search(rf"{name}.*{re.escape(format(found['change'], '+.2%'))}.*{found['word']}", said)
    drawn = pictures(result)
    assert set(drawn) == {"verdict.svg"}
    assert "smoke tier" in drawn["verdict.svg"]
    assert drawn["verdict.svg"].count("<circle") == 3 * 3

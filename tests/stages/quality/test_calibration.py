"""Probabilities, their measures, and percentiles, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.quality.calibration import (
    Calibration,
    adjusted,
    area_under_curve,
    balanced,
    calibrate,
    calibration_error,
    f1,
    isotonic,
    percentiles,
    quantiles,
    recalibrate,
)

GOOD = np.array([True, True, False, False])
ONES = np.ones(4)


def test_area_under_curve_counts_pairs_and_halves_ties() -> None:
    assert area_under_curve(np.array([0.9, 0.8, 0.2, 0.1]), GOOD, ONES) == 1.0
    assert area_under_curve(np.array([0.9, 0.3, 0.5, 0.1]), GOOD, ONES) == 0.75
    assert area_under_curve(np.full(4, 0.5), GOOD, ONES) == 0.5
    assert area_under_curve(np.array([0.9, 0.3, 0.5, 0.1]), GOOD, np.array([1.0, 3.0, 1.0, 1.0])) == (2 + 3) / 8
    assert np.isnan(area_under_curve(np.array([0.9, 0.8]), np.array([True, True]), np.ones(2)))


def test_f1_is_of_the_good_texts_from_the_threshold_on() -> None:
    assert f1(np.array([0.5, 0.4, 0.6, 0.1]), GOOD, ONES) == 0.5
    assert f1(np.array([0.5, 0.5, 0.4, 0.1]), GOOD, ONES) == 1.0
    assert f1(np.array([0.9, 0.9, 0.9, 0.9]), GOOD, np.array([1.0, 1.0, 3.0, 3.0])) == 2 * 2 / (8 + 2)


def test_calibration_error_is_the_mean_gap_over_bins() -> None:
    score = np.repeat([0.2, 0.8], 15_000)
    honest = np.concatenate([np.arange(15_000) % 5 == 0, np.arange(15_000) % 5 != 0])
    assert calibration_error(score, honest, np.ones(30_000)) == pytest.approx(0.0, abs=1e-3)
    assert calibration_error(score, np.ones(30_000, np.bool_), np.ones(30_000)) == pytest.approx(0.5, abs=1e-3)
    assert calibration_error(np.array([1.0, 1.0, 0.0, 0.0]), GOOD, ONES) == 0.0


def test_weights_make_groups_count_equally_from_the_outside_in() -> None:
    outer, inner = np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1])
    assert balanced(outer, inner).tolist() == pytest.approx([1 / 12, 1 / 12, 1 / 12, 1 / 4, 1 / 2])


def test_calibration_finds_the_sigmoid_that_made_the_labels() -> None:
    rng = np.random.default_rng(1)
    margin, tokens = rng.normal(size=200_000), rng.integers(1, 1000, 200_000)
    true = Calibration(0.5, 0.2, -0.4)
    good = rng.random(200_000) < true.probability(margin, tokens)
    found = calibrate(margin, tokens, good, np.ones(200_000))
    assert np.abs(found.probability(margin, tokens) - true.probability(margin, tokens)).mean() < 0.01
    assert calibration_error(found.probability(margin, tokens), good, np.ones(200_000)) < 0.01


def test_length_counts_only_where_it_is_asked_for() -> None:
    rng = np.random.default_rng(1)
    margin, tokens = rng.normal(size=200_000), rng.integers(1, 1000, 200_000)
    true = Calibration(0.5, 0.2, -2.0, 0.3)
    good = rng.random(200_000) < true.probability(margin, tokens)
    assert calibrate(margin, tokens, good, np.ones(200_000)).length == 0.0
    found = calibrate(margin, tokens, good, np.ones(200_000), by_length=True)
    assert found.length == pytest.approx(0.3, abs=0.05)
    assert np.abs(found.probability(margin, tokens) - true.probability(margin, tokens)).mean() < 0.01


def test_a_long_sentence_is_better_than_a_short_one_of_the_same_margin() -> None:
    short, long = Calibration(1.0, 0.0, 0.0, 0.5).probability(np.zeros(2), np.array([7, 63]))
    assert (short, long) == pytest.approx((1 / (1 + np.exp(-1.5)), 1 / (1 + np.exp(-3.0))))


def test_separable_texts_leave_a_finite_slope() -> None:
    found = calibrate(np.array([1.0, 2.0, -1.0, -2.0]), np.full(4, 7), GOOD, ONES)
    assert np.isfinite(found).all()
    assert found.probability(np.array([1.0, -1.0]), np.array([7, 7])).round().tolist() == [1.0, 0.0]


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=9), st.integers(0, 10_000), st.floats(-3, 3), st.floats(-1, 1))
def test_a_better_margin_is_never_a_worse_probability(margins: list[float], tokens: int, slope: float, growth: float) -> None:
    found = Calibration(slope, growth, 0.3).probability(np.sort(margins), np.full(len(margins), tokens))
    assert (np.diff(found) >= 0).all()
    assert ((found > 0) & (found < 1)).all()


def test_percentiles_are_places_among_the_reference_texts() -> None:
    grid = np.array(quantiles(np.linspace(0, 1, 10_001), np.ones(10_001)))
    assert percentiles(np.array([-1.0, 0.0, 0.25, 0.5, 1.0, 2.0]), grid).tolist() == pytest.approx([0, 0, 25, 50, 100, 100], abs=0.1)
    flat = np.array(quantiles(np.array([0.1, 0.7, 0.7, 0.7]), np.array([1.0, 1.0, 1.0, 1.0])))
    assert 50 < percentiles(np.array([0.7]), flat)[0] < 70
    assert (np.diff(percentiles(np.linspace(0, 1, 50), flat)) >= 0).all()


def test_labels_move_probabilities_back_to_what_made_them() -> None:
    rng = np.random.default_rng(1)
    true = 1 / (1 + np.exp(-rng.normal(0, 2, 100_000)))
    good = rng.random(100_000) < true
    found = recalibrate(adjusted(true, 2.0, -1.5), good, np.ones(100_000))
    assert (found.scale, found.shift) == (pytest.approx(0.5, abs=0.02), pytest.approx(0.75, abs=0.03))
    assert np.abs(found.of(adjusted(true, 2.0, -1.5)) - true).mean() < 0.01


def test_steps_are_the_shares_of_good_texts_in_blocks_that_rise() -> None:
    knots, shares = isotonic(np.array([0.1, 0.2, 0.2, 0.6, 0.7, 0.9]), np.array([False, True, False, True, False, True]), np.ones(6))
    assert (knots, shares) == ([0.1, 0.1, 0.2, 0.7, 0.9, 0.9], [0.0, 0.0, 0.5, 0.5, 1.0, 1.0])
    assert isotonic(np.array([0.3, 0.5]), np.array([True, False]), np.array([1.0, 3.0])) == ([0.3, 0.5], [0.25, 0.25])


def test_few_labels_change_the_sigmoid_little() -> None:
    found = recalibrate(np.array([0.9, 0.1]), np.array([True, False]), ONES[:2])
    assert (found.scale, found.shift) == (pytest.approx(1.08, abs=0.08), pytest.approx(0.0))
    against = recalibrate(np.array([0.9, 0.1]), np.array([False, True]), ONES[:2])
    assert 0 < against.scale < 1
    assert against.shares == [0.5, 0.5]


@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=2, max_size=30), st.lists(st.floats(0.001, 0.999), max_size=9))
def test_an_adjustment_keeps_the_order_of_texts(labelled: list[tuple[float, bool]], others: list[float]) -> None:
    probability, good = (np.array(column) for column in zip(*labelled, strict=True))
    found = recalibrate(probability, good, np.ones(len(good)))
    after = found.of(np.sort(others))
    assert ((after > 0) & (after < 1)).all()
    assert found.scale <= 0 or (np.diff(after) >= 0).all()
    assert np.isnan(found.of(np.array([np.nan]))).all()

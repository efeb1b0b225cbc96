"""Intervals over documents."""

import numpy as np
import pytest

from tokenizer.compression.bootstrap import interval, resampled_sums


def test_the_seed_decides_the_draws() -> None:
    values = np.arange(60, dtype=np.int64).reshape(20, 3)
    assert np.array_equal(resampled_sums(values, 50, 3), resampled_sums(values, 50, 3))
    assert not np.array_equal(resampled_sums(values, 50, 3), resampled_sums(values, 50, 4))


def test_each_draw_has_as_many_documents_and_columns_stay_together() -> None:
    values = np.array([[1, 10], [2, 20], [5, 50]], np.int64)
    sums = resampled_sums(np.column_stack([np.ones(3, np.int64), values]), 200, 1)
    assert (sums[:, 0] == 3).all()
    assert np.array_equal(sums[:, 2], 10 * sums[:, 1])
    assert len(np.unique(sums[:, 1])) > 3


def test_the_interval_is_as_wide_as_theory_says() -> None:
    random = np.random.default_rng(5)
    lengths = random.integers(500, 1500, 400)
    tokens = np.round(lengths * random.normal(0.7, 0.1, 400)).astype(np.int64)
    sums = resampled_sums(np.column_stack([lengths, tokens]), 4000, 2)
    found = interval(sums[:, 1], sums[:, 0])
    assert found is not None
    ratio = tokens.sum() / lengths.sum()
    error = np.sqrt(((tokens - ratio * lengths) ** 2).sum()) / lengths.sum()  # the linearised standard error of a ratio
    assert found[1] - found[0] == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert found[0] < ratio < found[1]


def test_documents_that_are_alike_have_no_spread_and_none_have_no_interval() -> None:
    sums = resampled_sums(np.full((8, 2), 6, np.int64), 100, 1)
    assert interval(sums[:, 0], sums[:, 1]) == (1.0, 1.0)
    assert interval(*resampled_sums(np.empty((0, 2), np.int64), 10, 1).T) is None
    assert interval(*resampled_sums(np.ones((3, 2), np.int64), 0, 1).T) is None
    assert interval(np.ones(2), np.array([1.0, 0.0])) is None

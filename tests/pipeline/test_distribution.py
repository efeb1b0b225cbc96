"""Quantiles and limits against sorted lists; the cells' promises when there are too many values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import distribution
from pipeline.distribution import Distribution, Side, Size

VALUES = st.lists(st.tuples(st.sampled_from([-2.5, -0.0, 0.0, 0.1, 0.5, 1.0, 3.0, 1e9]), st.integers(1, 50)), min_size=1, max_size=60)


def of(pairs: list[tuple[float, int]], batch: int = 1000) -> Distribution:
    result = Distribution()
    for start in range(0, len(pairs), batch):
        values, chars = zip(*pairs[start : start + batch], strict=True)
        result.add(np.array(values, float), np.array(chars, np.int64))
    return result


def removed(pairs: list[tuple[float, int]], side: Side, bound: float, size: Size) -> int:
    outside = [c for v, c in pairs if (v < bound if side == "min" else v > bound)]
    return len(outside) if size == "documents" else sum(outside)


def test_quantiles_of_ten_documents() -> None:
    ten = of([(float(v), 1) for v in (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)])
    assert [ten.quantile(q) for q in (0.1, 0.11, 0.5, 0.9, 0.91, 1.0)] == [1, 2, 5, 9, 10, 10]


def test_a_limit_removes_at_most_its_share_and_a_tighter_one_more() -> None:
    ten = of([(float(v), 100 if v == 10 else 1) for v in range(1, 11)])
    assert ten.limit("max", 0.2, "documents") == 8  # 9 and 10 go
    assert ten.limit("max", 0.19, "documents") == 9  # 10 goes
    assert ten.limit("max", 0.2, "chars") == 10  # the tenth document holds 100 of 109 characters
    assert ten.limit("min", 0.2, "documents") == 3
    assert ten.limit("min", 0.05, "chars") == 6  # 5 of 109 characters are below 6


def test_a_share_that_is_not_a_binary_fraction_is_not_missed_by_one() -> None:
    hundred = of([(float(v), 1) for v in range(100)])
    assert 0.29 * 100 < 29
    assert hundred.limit("max", 0.29, "documents") == 70
    assert hundred.quantile(0.29) == 28


def test_without_documents_there_is_no_quantile_and_no_limit() -> None:
    assert math.isnan(Distribution().quantile(0.5))
    assert math.isnan(Distribution().limit("max", 0.01, "chars"))


@given(VALUES, st.sampled_from([0.01, 0.1, 0.25, 0.5]), st.sampled_from(["min", "max"]), st.sampled_from(["documents", "chars"]))
def test_limits_are_the_tightest_values_that_keep_the_promise(pairs: list[tuple[float, int]], share: float, side: Side, size: Size) -> None:
    bound = of(pairs, batch=7).limit(side, share, size)
    allowed = share * (len(pairs) if size == "documents" else sum(c for _, c in pairs))
    assert removed(pairs, side, bound, size) <= allowed + 1e-6
    tighter = [v for v, _ in pairs if (v > bound if side == "min" else v < bound)]
    assert all(removed(pairs, side, v, size) > allowed for v in tighter)


def test_many_values_share_cells_and_limits_still_keep_their_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "MAX_CELLS", 64)
    rng = np.random.default_rng(0)
    values, chars = rng.lognormal(0, 2, 5000), rng.integers(1, 1000, 5000)
    pairs = list(zip(values.tolist(), chars.tolist(), strict=True))
    sketch = of(pairs, batch=100)
    sides: tuple[Side, ...] = ("min", "max")
    sizes: tuple[Size, ...] = ("documents", "chars")
    for side in sides:
        for size in sizes:
            bound = sketch.limit(side, 0.01, size)
            assert bound in values
            assert removed(pairs, side, bound, size) <= 0.01 * (5000 if size == "documents" else chars.sum())
    assert sketch.quantile(0.5) == pytest.approx(np.quantile(values, 0.5), rel=0.7)  # 64 cells over some 25 octaves: 2 or 3 an octave
    shuffled = of(rng.permutation(np.array(pairs)).tolist(), batch=999)
    assert [shuffled.quantile(q) for q in (0.01, 0.5, 0.99)] == [sketch.quantile(q) for q in (0.01, 0.5, 0.99)]
    assert shuffled.limit("max", 0.01, "chars") == sketch.limit("max", 0.01, "chars")

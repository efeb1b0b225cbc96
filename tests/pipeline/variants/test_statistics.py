import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.variants.statistics import holm, paired_p, resampled_changes, two_sided_p


@given(st.floats(-50, 50), st.integers(1, 40))
def test_p_of_t_is_scipys(t: float, degrees: int) -> None:
    assert two_sided_p(t, degrees) == pytest.approx(2 * stats.t.sf(abs(t), degrees), abs=1e-8)


def test_p_of_a_tiny_t_is_not_rounded_to_one_as_scipys_is() -> None:
    assert two_sided_p(3.761885675977137e-09, 1) == pytest.approx(1 - 2 / np.pi * np.arctan(3.761885675977137e-09), abs=1e-15)


def test_infinite_t_leaves_no_doubt() -> None:
    assert two_sided_p(float("-inf"), 2) == 0.0


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=12).filter(lambda values: np.std(values) > 1e-6))
def test_paired_p_is_scipys(differences: list[float]) -> None:
    assert paired_p(np.array(differences)) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=1e-9)


def test_equal_differences_are_certain_and_no_difference_is_none() -> None:
    assert paired_p(np.array([-0.02, -0.02, -0.02])) == 0.0
    assert paired_p(np.zeros(3)) == 1.0


def test_holm_multiplies_by_the_number_that_is_left_and_never_falls() -> None:
    assert holm({"a": 0.02, "b": 0.001, "c": 0.02, "d": 0.9}) == {"a": 0.06, "b": 0.004, "c": 0.06, "d": 0.9}
    assert holm({"alone": 0.03}) == {"alone": 0.03}
    assert holm({}) == {}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8))
def test_holm_stays_between_p_and_bonferroni(p_values: dict[str, float]) -> None:
    for name, adjusted in holm(p_values).items():
        assert p_values[name] <= adjusted <= min(1.0, len(p_values) * p_values[name])


def test_resampled_changes_are_those_of_a_loop_that_draws_clusters() -> None:
    rng = np.random.default_rng(5)
    base, other = rng.gamma(4, 1, (2, 1, 9)), rng.gamma(4, 1, (2, 1, 9))
    found = resampled_changes(base, other, 4000, np.random.default_rng(1))
    slow = []
    for _ in range(4000):
        drawn = rng.integers(0, 9, 9)
        slow.append(np.mean([other[s, 0, drawn].sum() / base[s, 0, drawn].sum() - 1 for s in range(2)]))
    deviation = np.std(slow)
    assert found.mean() == pytest.approx(np.mean(slow), abs=4 * deviation / np.sqrt(2000))
    assert found.std() == pytest.approx(deviation, rel=4 * np.sqrt(1 / 4000))
    assert len(found) == 4000


def test_one_cluster_can_only_be_drawn() -> None:
    assert resampled_changes(np.full((1, 1, 1), 2.0), np.full((1, 1, 1), 3.0), 7, np.random.default_rng(0)).tolist() == [0.5] * 7

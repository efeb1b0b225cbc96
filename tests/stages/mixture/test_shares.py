"""Shares by rule, by hand and beside the algorithm as it was published."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.mixture.shares import Floats, capped, natural, rounded, tempered, unimax

sizes = st.lists(st.floats(0.001, 1e9), min_size=1, max_size=12).map(np.array)


def published_unimax(sizes: Floats, budget: float, max_epochs: float) -> Floats:
    """Algorithm 1 of Chung et al. 2023, line by line."""
    left, result = budget, np.zeros(len(sizes))
    order = np.argsort(sizes, kind="stable")
    for place, language in enumerate(order):
        equal = left / (len(sizes) - place)
        result[language] = sizes[language] * max_epochs if equal > sizes[language] * max_epochs else equal
        left -= result[language]
    return natural(result)


def test_unimax_gives_small_domains_their_cap_and_the_others_equal_parts() -> None:
    # 4 epochs of 1, 2 and 5 bytes are 4, 8 and 20; the rest of 100 - 32 goes to two others, 34 each.
    shares = unimax(np.array([1.0, 2.0, 5.0, 60.0, 1000.0]), budget=100.0, max_epochs=4.0)
    assert shares == pytest.approx([0.04, 0.08, 0.2, 0.34, 0.34])


def test_unimax_of_a_budget_beyond_all_caps_is_all_caps() -> None:
    assert unimax(np.array([1.0, 3.0]), budget=1e6, max_epochs=4.0) == pytest.approx([0.25, 0.75])


def test_unimax_leaves_out_a_domain_without_text() -> None:
    assert unimax(np.array([0.0, 50.0, 50.0]), budget=100.0, max_epochs=4.0).tolist() == [0.0, 0.5, 0.5]


@given(sizes, st.floats(0.01, 100), st.floats(0.5, 8))
def test_unimax_is_the_published_algorithm(sizes: Floats, budget_share: float, max_epochs: float) -> None:
    budget = budget_share * sizes.sum()
    assert unimax(sizes, budget, max_epochs) == pytest.approx(published_unimax(sizes, budget, max_epochs), rel=1e-6)


def test_temperature_takes_the_root_and_one_changes_nothing() -> None:
    assert tempered(np.array([16.0, 1.0]), 2.0) == pytest.approx([0.8, 0.2])
    assert tempered(np.array([16.0, 1.0]), 4.0) == pytest.approx([2 / 3, 1 / 3])
    assert tempered(np.array([3.0, 1.0]), 1.0).tolist() == [0.75, 0.25]
    assert tempered(np.array([3.0, 1.0, 0.0]), 1000.0) == pytest.approx([0.5, 0.5, 0.0], abs=1e-3)


def test_what_a_cap_takes_goes_to_the_others_in_proportion() -> None:
    assert capped(np.array([0.6, 0.3, 0.1]), np.array([0.2, 1.0, 1.0])) == pytest.approx([0.2, 0.6, 0.2])
    # The second reaches its cap only through what the first could not take.
    assert capped(np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.5, 1.0])) == pytest.approx([0.2, 0.5, 0.3])


def test_shares_below_their_caps_stay_as_they_are() -> None:
    assert capped(np.array([0.6, 0.4]), np.array([0.6, 0.4])) == pytest.approx([0.6, 0.4])


def test_caps_that_sum_to_less_than_one_are_all_reached_but_a_share_of_zero_stays_zero() -> None:
    assert capped(np.array([0.5, 0.5, 0.0]), np.array([0.2, 0.3, 1.0])).tolist() == [0.2, 0.3, 0.0]


@given(sizes, st.integers(0, 9))
def test_caps_that_sum_to_one_are_all_reached(sizes: Floats, seed: int) -> None:
    """In floating point such caps sum to a little less or more than 1: one epoch of all text, as it lies."""
    shares = natural(np.random.default_rng(seed).random(len(sizes)) + 0.01)
    assert capped(shares, sizes / sizes.sum()) == pytest.approx(natural(sizes), rel=1e-6)


def test_many_draws_of_caps_that_sum_to_one_keep_every_cap() -> None:
    rng = np.random.default_rng(0)
    beyond = 0
    for _ in range(2000):
        sizes = rng.random(rng.integers(2, 12))
        most = sizes / sizes.sum()
        beyond += most.sum() > 1
        assert (capped(natural(rng.random(len(sizes))), most) <= most * (1 + 1e-9)).all()
    assert beyond > 100


def test_a_share_next_to_nothing_gets_what_full_domains_leave() -> None:
    assert capped(np.array([0.7, 0.3, 5e-324]), np.array([0.3, 0.3, 0.9])) == pytest.approx([0.3, 0.3, 0.4])


@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)), min_size=1, max_size=10))
def test_capped_shares_keep_caps_sum_to_one_and_are_the_nearest(pairs: list[tuple[float, float]]) -> None:
    shares, most = natural(np.array([share for share, _ in pairs])), np.array([cap for _, cap in pairs])
    found = capped(shares, most)
    assert (found <= most * (1 + 1e-9)).all()
    assert found.sum() == pytest.approx(min(1.0, most.sum()))
    if most.sum() > 1.0:
        free = found < most * (1 - 1e-9)
        factors = (found / shares)[free]
        assert factors == pytest.approx(np.full(len(factors), factors[0] if len(factors) else 0))  # KL: all free ones by one factor
        if len(factors):
            assert (found / shares <= factors[0] * (1 + 1e-9)).all()


@given(sizes, st.randoms(use_true_random=False))
def test_the_order_of_domains_changes_no_share(sizes: Floats, random: object) -> None:
    order = np.array(random.sample(range(len(sizes)), len(sizes)))  # type: ignore[attr-defined]
    most = np.linspace(0.1, 1, len(sizes))
    assert unimax(sizes, sizes.sum(), 2.0)[order] == pytest.approx(unimax(sizes[order], sizes.sum(), 2.0))
    assert tempered(sizes, 3.0)[order] == pytest.approx(tempered(sizes[order], 3.0))
    assert capped(natural(sizes), most)[order] == pytest.approx(capped(natural(sizes)[order], most[order]))


@given(sizes, st.integers(1, 6))
def test_rounded_shares_sum_to_one_and_are_at_most_one_step_off(sizes: Floats, digits: int) -> None:
    found = rounded(sizes, digits)
    assert round(found.sum() * 10**digits) == 10**digits
    assert np.abs(found - natural(sizes)).max() <= 10.0**-digits * (1 + 1e-6)
    assert found.tolist() == rounded(found, digits).tolist()


def test_a_share_next_to_nothing_is_no_trouble_beside_a_cap() -> None:
    found = capped(np.array([0.7, 0.3, 5e-324]), np.array([0.5, 0.9, 0.9]))
    assert found.tolist() == [0.5, 0.5, pytest.approx(0.0, abs=1e-300)]

"""Laws on losses that are made by the law itself, and what cross-validation says of laws that fit and that do not."""

import numpy as np
import pytest

from stages.mixture.laws import available_laws, cross_validated, fit
from stages.mixture.shares import Floats

RNG = np.random.default_rng(7)
MIXES: Floats = RNG.dirichlet(np.ones(4), 40)
SLOPES: Floats = np.array([[-2.0, 0.3, 0.0, 0.1], [0.2, -1.0, -0.5, 0.4]])


def log_linear(mixes: Floats) -> Floats:
    return np.asarray(1.0 + np.exp(0.5 + mixes @ SLOPES.T))


def power(mixes: Floats) -> Floats:
    return np.asarray(1.0 / (0.3 + np.sqrt(mixes) @ np.array([[0.6, 0.1, 0.0, 0.05], [0.0, 0.4, 0.2, 0.1]]).T))


@pytest.mark.parametrize(("name", "truth"), [("log_linear", log_linear), ("power", power)])
def test_a_law_finds_its_own_losses(name: str, truth: object) -> None:
    new = np.random.default_rng(8).dirichlet(np.ones(4), 50)
    found = fit(name, MIXES, truth(MIXES)).predict(new)  # type: ignore[arg-type, operator]
    assert np.abs(found - truth(new)).max() < 0.02  # type: ignore[operator]


def test_ridge_finds_linear_losses_and_its_slope_is_theirs() -> None:
    law = fit("ridge", MIXES, 3 + MIXES @ SLOPES.T)
    assert law.gradient is not None
    centred = SLOPES - SLOPES.mean(axis=1, keepdims=True)
    found = law.gradient(MIXES[0])
    assert found - found.mean(axis=1, keepdims=True) == pytest.approx(centred, abs=0.01)


@pytest.mark.parametrize("name", ["log_linear", "power", "ridge"])
def test_gradients_are_those_of_the_predictions(name: str) -> None:
    law = fit(name, MIXES, log_linear(MIXES))  # type: ignore[arg-type]
    assert law.gradient is not None
    p = np.array([0.4, 0.3, 0.2, 0.1])
    for place in range(4):
        step = np.zeros(4)
        step[place] = 1e-6
        slope = (law.predict(p + step) - law.predict(p - step)) / 2e-6
        assert law.gradient(p)[:, place] == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_cross_validation_prefers_the_law_that_made_the_losses_and_never_sees_what_it_predicts() -> None:
    losses = power(MIXES)
    errors = {name: np.abs(cross_validated(name, MIXES, losses, 5) - losses).mean() for name in ("power", "ridge")}
    assert errors["power"] < 0.2 * errors["ridge"]
    spoiled = losses.copy()
    spoiled[3] *= 5
    kept = np.arange(40) % 5 == 3
    assert cross_validated("ridge", MIXES, spoiled, 5)[kept].tolist() == cross_validated("ridge", MIXES, losses, 5)[kept].tolist()


def test_noise_shrinks_slopes_to_the_mean() -> None:
    losses = 3 + 0.001 * np.random.default_rng(3).standard_normal((40, 1))
    law = fit("ridge", MIXES, losses)
    assert np.abs(law.predict(np.eye(4)) - 3).max() < 0.002


def test_trees_are_compared_only_where_their_package_is_installed() -> None:
    names = available_laws()
    assert names[:3] == ("log_linear", "power", "ridge")
    if "lightgbm" not in names:
        pytest.skip("lightgbm is not installed")
    found = fit("lightgbm", MIXES, log_linear(MIXES)).predict(MIXES)
    assert found.shape == (40, 2)

"""Learning from a made-up law: the right mixture, abstention, any order of domains, caps, and errors before training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from configs.errors import ConfigError
from stages.mixture.learn import Learned, LearnSettings, learn
from stages.mixture.shares import Floats, natural
from stages.mixture.swarm import swarm
from stages.mixture.targets import Targets

NAMES = ("good", "noise", "rare")
PRIOR = np.array([0.6, 0.3, 0.1])


def losses_of(mixes: Floats) -> Floats:
    """Only `good` and `rare` text helps, each its own held-out text, with a little noise of training."""
    wiggle = 0.002 * np.sin(1000 * mixes.sum(axis=1, keepdims=True) + 7000 * mixes[:, :1])
    return np.asarray(2.0 / (0.4 + np.sqrt(mixes[:, [0, 2]])) + wiggle)


def learned(order: Sequence[int] = (0, 1, 2), most: Floats | None = None, train: Any = losses_of, **settings: Any) -> Learned:
    places = list(order)
    caps = np.ones(3) if most is None else most
    targets = Targets(("good/en", "rare/en"), ("good", "rare"))
    names = [NAMES[place] for place in places]
    given_settings = LearnSettings(**{"proxies_per_domain": 8, "bootstrap": 20, "kl": 0.001, **settings})
    return learn(names, PRIOR[places], natural(np.ones(3)), caps[places], np.ones(3), targets, train, given_settings)


def test_noise_gets_nothing_and_the_others_what_a_search_finds_best() -> None:
    found = learned()
    assert not found.abstained
    assert found.names == NAMES
    assert found.shares[1] <= 0.03
    grid = np.array([[good, 0.0, 1 - good] for good in np.linspace(0, 1, 101)])
    best = grid[np.argmin((losses_of(grid) / losses_of(PRIOR[None])).mean(axis=1))]
    assert found.shares[0] == pytest.approx(best[0], abs=0.05)
    assert round(found.shares.sum(), 9) == 1.0
    assert (found.low <= found.high).all()


def test_of_the_worst_domain_the_objective_of_the_worst_makes_the_best() -> None:
    relative = {name: losses_of(learned(objective=name).solution[None])[0] / losses_of(PRIOR[None])[0] for name in ("mean", "worst")}
    assert relative["worst"].max() < relative["mean"].max() - 0.01
    assert relative["mean"].mean() < relative["worst"].mean() - 0.01


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0)])
def test_the_order_of_domains_changes_no_digit(order: tuple[int, ...]) -> None:
    first, other = learned(), learned(order)
    assert first.names == other.names
    for field in ("shares", "low", "high", "solution", "mixes"):
        assert getattr(first, field).tolist() == getattr(other, field).tolist()


def test_caps_hold() -> None:
    found = learned(most=np.array([0.9, 0.9, 0.2]))
    assert found.solution[2] <= 0.2 + 1e-9
    assert found.high[2] <= 0.2 + 1e-9


def test_a_strong_pull_stays_at_the_prior() -> None:
    assert learned(kl=100.0).shares.tolist() == pytest.approx(PRIOR.tolist(), abs=0.002)


def test_proxies_that_say_nothing_make_it_abstain_to_the_fallback() -> None:
    rng = np.random.default_rng(5)
    found = learned(train=lambda mixes: 2 + 0.01 * rng.standard_normal((len(mixes), 2)))
    assert found.abstained
    assert found.laws[found.law].rank_correlation < 0.7
    assert found.shares.tolist() == [0.334, 0.333, 0.333]


def test_one_domain_and_no_held_out_text_are_errors_before_training() -> None:
    def never(mixes: Floats) -> Floats:
        raise AssertionError("trained")

    one = np.ones(1)
    with pytest.raises(ConfigError, match="a mixture of law alone has nothing to learn"):
        learn(["law"], one, one, one, one, Targets(("law/zh",), ("law",)), never, LearnSettings())
    two = np.ones(2) / 2
    with pytest.raises(ConfigError, match="no domain has held-out text"):
        learn(["law", "news"], two, two, two, two, Targets((), ()), never, LearnSettings())


@given(st.integers(2, 8), st.integers(0, 100), st.floats(0.3, 1.0))
@examples(max_examples=25, deadline=None)
def test_a_swarm_begins_with_the_prior_sums_to_one_and_keeps_caps(num: int, seed: int, cap: float) -> None:
    names = [f"d{place}" for place in range(num)]
    prior = natural(np.arange(1.0, num + 1))
    most = np.full(num, max(cap, 1.2 / num))
    mixes = swarm(names, prior, most, 4 * num, seed)
    assert mixes.shape == (4 * num, num)
    assert mixes.sum(axis=1) == pytest.approx(np.ones(4 * num))
    assert (mixes <= most + 1e-9).all()
    if (prior <= most).all():
        assert mixes[0] == pytest.approx(prior)
    order = np.random.default_rng(seed).permutation(num)
    turned = swarm([names[place] for place in order], prior[order], most[order], 4 * num, seed)
    assert turned == pytest.approx(mixes[:, order])

"""Learn a mixture: train proxies on a swarm of mixtures, fit a law, and take the mixture that it says is best, or abstain.

1. `stages.mixture.swarm`: at least `proxies_per_domain` mixtures for each domain, the prior first.
2. Whoever calls hands in `train_proxies`: mixtures to the bits per byte of each held-out text. This module never trains.
3. `stages.mixture.laws`: each law predicts proxies that it has not seen; the one that ranks them best is taken.
4. If the ranks of those predictions correlate with the measured ones by less than `min_rank_correlation`, nothing was learned, and the
   result says so: its mixture is the fallback. 1M-parameter proxies rank mixtures like large models at .73 (Olmix, 2025).
5. `stages.mixture.solve`: the best mixture under the law. The same with proxies drawn again with replacement gives intervals.

Domains are sorted by name before anything else, so their order changes no digit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np

from configs.errors import ConfigError
from configs.loader import Between, Count
from stages.mixture.laws import LawName, available_laws, cross_validated, fit
from stages.mixture.shares import Floats, rounded
from stages.mixture.solve import Problem, solve
from stages.mixture.swarm import swarm
from stages.mixture.targets import Objective, Targets, rank_correlation, together

TrainProxies = Callable[[Floats], Floats]
"""Mixtures (n, K) to losses (n, targets), in bits per byte; domains sorted by name."""

DIGITS = 3
"""Learned shares are rounded to thousandths: they are not known better."""


@dataclass(frozen=True, kw_only=True)
class LearnSettings:
    """How a mixture is learned from proxies."""

    objective: Objective = "mean"
    """`mean` over domains of the loss relative to the prior's, or the `worst` domain's."""
    targets: tuple[str, ...] = ()
    """Domains whose held-out text counts; all if none are given. A domain that counts is one that is wanted: also noise, if it counts."""
    prior: Literal["natural", "unimax"] = "natural"
    """What proxies are drawn around, and what the solution stays near."""
    proxies_per_domain: Annotated[int, Between(4, 1000)] = 4
    law: Literal["best", "log_linear", "power", "ridge", "lightgbm"] = "best"
    """`best` by cross-validation."""
    folds: Annotated[int, Between(2, 1000)] = 64
    """Parts for cross-validation; with no more proxies than that, each is predicted by all others."""
    kl: Annotated[float, Between(0, 100)] = 0.01
    """Price of a nat of distance from the prior, in shares of the prior's loss."""
    min_rank_correlation: Annotated[float, Between(-1, 1)] = 0.7
    """Below it nothing is learned, and the mixture is UniMax's."""
    bootstrap: Count = 100
    """Draws of proxies for intervals."""
    seed: int = 17


class Measured(NamedTuple):
    """A law's cross-validation."""

    error: float
    """Root of the mean squared error of the objective."""
    rank_correlation: float
    predicted: Floats
    """Objective of each proxy, by a fit without it, (n,)."""


class Learned(NamedTuple):
    """What was learned, and from what."""

    names: tuple[str, ...]
    shares: Floats
    """Of each domain, rounded; those of the fallback if `abstained`."""
    abstained: bool
    law: LawName
    laws: dict[LawName, Measured]
    low: Floats
    """5 % of the bootstrap's mixtures have a lower share; of the solution, also if it was not taken."""
    high: Floats
    solution: Floats
    mixes: Floats
    """Of the proxies, (n, K)."""
    losses: Floats
    """Of the proxies, (n, targets)."""
    measured: Floats
    """Objective of each proxy, (n,); 1 is the prior's."""


def num_proxies(num_domains: int, settings: LearnSettings) -> int:
    """Size of the swarm."""
    return settings.proxies_per_domain * num_domains


def learn(
    names: Sequence[str],
    prior: Floats,
    fallback: Floats,
    most: Floats,
    swarm_most: Floats,
    targets: Targets,
    train_proxies: TrainProxies,
    settings: LearnSettings,
) -> Learned:
    """Learn the mixture of some domains. `prior`, `fallback` and caps are (K,) in the order of `names`.

    `most` caps the mixture, `swarm_most` what proxies may be trained on. Raises `ConfigError` for less than two domains and without
    targets, before anything is trained.
    """
    order = np.argsort(np.array(names))
    names = tuple(names[place] for place in order)
    prior, fallback, most, swarm_most = (values[order] for values in (prior, fallback, most, swarm_most))
    if len(names) < 2:
        raise ConfigError(f"a mixture of {', '.join(names) or 'no domain'} alone has nothing to learn; it needs two domains at least")
    if not targets.names:
        raise ConfigError("no domain has held-out text, so no mixture can be judged; raise held_out.share or held_out.max_share")
    mixes = swarm(names, prior, swarm_most, num_proxies(len(names), settings), settings.seed)
    losses = train_proxies(mixes)
    averaging = targets.averaging()
    reference = losses[0]
    measured = together(losses, reference, averaging, settings.objective)
    laws = _compare(mixes, losses, measured, averaging, settings)
    best = min(laws, key=lambda name: (-laws[name].rank_correlation, name))

    problem = Problem(names, prior, most, reference, averaging, settings.objective, settings.kl)
    solution = solve(fit(best, mixes, losses), problem)
    rng = np.random.default_rng([settings.seed, 2])
    again = [rng.integers(0, len(mixes), len(mixes)) for _ in range(settings.bootstrap)]
    draws = [solve(fit(best, mixes[rows], losses[rows]), problem, start=solution) for rows in again]
    low, high = np.quantile(draws or [solution], [0.05, 0.95], axis=0)
    abstained = laws[best].rank_correlation < settings.min_rank_correlation
    shares = rounded(fallback if abstained else solution, DIGITS)
    return Learned(names, shares, abstained, best, laws, low, high, solution, mixes, losses, measured)


def _compare(mixes: Floats, losses: Floats, measured: Floats, averaging: Floats, settings: LearnSettings) -> dict[LawName, Measured]:
    names: tuple[LawName, ...] = available_laws() if settings.law == "best" else (settings.law,)
    folds = min(settings.folds, len(mixes))
    found: dict[LawName, Measured] = {}
    for name in names:
        predicted = together(cross_validated(name, mixes, losses, folds), losses[0], averaging, settings.objective)
        error = float(np.sqrt(((predicted - measured) ** 2).mean()))
        found[name] = Measured(error, rank_correlation(predicted, measured), predicted)
    return found

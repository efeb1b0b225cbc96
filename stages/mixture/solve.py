"""The best mixture under a law: lowest objective, not far from the prior, no cap exceeded.

Minimises objective(law(p)) + kl x KL(p || prior) over p <= most, sum p = 1, by mirror descent with exact projection (`capped` of
`stages.mixture.shares` is the KL projection). The log-linear law and ridge are convex in p, so there is one minimum; `power` need not be,
so the descent starts from the prior and from the uniform mixture. Olmix takes kl from .05 to .1 in nats of loss; here the objective is
relative to a reference, so the same pull is smaller in number. Trees have no slope: as in RegMix the best hundredth of many draws is
averaged.
"""

from typing import NamedTuple

import numpy as np

from stages.mixture.laws import Law
from stages.mixture.shares import Floats, capped, natural
from stages.mixture.swarm import swarm
from stages.mixture.targets import Objective, together

STEPS = 500
SMALL = 1e-10
"""A step that gains less is the last."""
SOFT_MAX = 0.002
"""The worst domain is smoothed over differences of this size, which are differences of relative loss."""
CANDIDATES = 20_000


class Problem(NamedTuple):
    """What is minimised, and where."""

    names: tuple[str, ...]
    prior: Floats
    most: Floats
    """Caps; they sum to at least 1."""
    reference: Floats
    """As in `stages.mixture.targets.together`."""
    averaging: Floats
    objective: Objective
    kl: float


def solve(law: Law, problem: Problem, start: Floats | None = None) -> Floats:
    """The best mixture, (K,); with a `start`, the one that the descent finds from there."""
    if law.gradient is None:
        return _best_drawn(law, problem)
    starts = [problem.prior, (problem.prior > 0).astype(np.float64)] if start is None else [start]
    found = [_descended(law, problem, natural(capped(natural(p), problem.most))) for p in starts]
    return min(found, key=lambda p: _value(law, problem, p))


def _descended(law: Law, problem: Problem, p: Floats) -> Floats:
    value, rate = _value(law, problem, p), 1.0
    for _ in range(STEPS):
        slope = _slope(law, problem, p)
        slope -= slope.min()
        at = np.where(problem.prior > 0, np.maximum(p, 1e-12), 0.0)
        while rate > 1e-9:
            new = natural(capped(natural(at * np.exp(-rate * slope)), problem.most))
            new_value = _value(law, problem, new)
            if new_value <= value:
                break
            rate /= 2
        else:
            break
        done = value - new_value < SMALL
        p, value, rate = new, new_value, rate * 2
        if done:
            break
    return p


def _value(law: Law, problem: Problem, p: Floats) -> float:
    of_domains = problem.averaging @ (law.predict(p) / problem.reference)
    told = of_domains.mean()
    if problem.objective == "worst":
        told = of_domains.max() + SOFT_MAX * np.log(np.exp((of_domains - of_domains.max()) / SOFT_MAX).sum())
    return float(told) + problem.kl * divergence(p, problem.prior)


def _slope(law: Law, problem: Problem, p: Floats) -> Floats:
    assert law.gradient is not None
    of_domains = problem.averaging @ (law.predict(p) / problem.reference)
    share = np.full(len(of_domains), 1.0 / len(of_domains))
    if problem.objective == "worst":
        share = natural(np.exp((of_domains - of_domains.max()) / SOFT_MAX))
    slope = share @ problem.averaging @ (law.gradient(p) / problem.reference[:, None])
    there = problem.prior > 0
    slope[there] += problem.kl * np.log(np.maximum(p[there], 1e-12) / problem.prior[there])
    return np.asarray(slope)


def _best_drawn(law: Law, problem: Problem) -> Floats:
    draws = swarm(problem.names, problem.prior, problem.most, CANDIDATES, seed=0)
    distance = np.array([divergence(p, problem.prior) for p in draws])
    values = together(law.predict(draws), problem.reference, problem.averaging, problem.objective) + problem.kl * distance
    best = np.argsort(values, kind="stable")[: CANDIDATES // 100]
    return natural(capped(natural(draws[best].mean(axis=0)), problem.most))


def divergence(p: Floats, prior: Floats) -> float:
    """KL(p || prior) in nats, over what both have.

    >>> round(divergence(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 4)
    0.1438
    """
    there = (p > 0) & (prior > 0)
    return float((p[there] * np.log(p[there] / prior[there])).sum())

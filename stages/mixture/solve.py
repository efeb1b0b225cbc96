"""The best mixture under a law: lowest objective, not far from the prior, no cap exceeded.

Minimises objective(law(p)) + kl x KL(p || prior) over p <= most, sum p = 1, by mirror descent with exact projection (`capped` of
`stages.mixture.shares` is the KL projection). The log-linear law and ridge are convex in p, so there is one minimum; `power` need not be,
so the descent starts from the prior and from the uniform mixture. Olmix takes kl from .05 to .1 in nats of loss; here the objective is
relative to a reference, so the same pull is smaller in number. Trees have no slope: as in RegMix the best hundredth of many draws is
averaged.
"""

import numpy as np

from stages.mixture.laws import Law
from stages.mixture.shares import Floats, capped, natural
from stages.mixture.swarm import swarm
from stages.mixture.targets import Objective, together

STEPS = 2000
SOFT_MAX = 0.002
"""The worst domain is smoothed over differences of this size, which are differences of relative loss."""
CANDIDATES = 20_000


def solve(
    law: Law, names: tuple[str, ...], prior: Floats, most: Floats, reference: Floats, averaging: Floats, objective: Objective, kl: float
) -> Floats:
    """The best mixture, (K,). `most` allows a sum of at least 1. `reference` and `averaging` as in `stages.mixture.targets.together`."""
    if law.gradient is None:
        return _best_drawn(law, names, prior, most, reference, averaging, objective, kl)
    starts = [prior, natural((prior > 0).astype(np.float64))]
    found = [_descended(law, natural(capped(start, most)), prior, most, reference, averaging, objective, kl) for start in starts]
    return min(found, key=lambda p: _value(law, p, prior, reference, averaging, objective, kl))


def _descended(
    law: Law, p: Floats, prior: Floats, most: Floats, reference: Floats, averaging: Floats, objective: Objective, kl: float
) -> Floats:
    value, rate = _value(law, p, prior, reference, averaging, objective, kl), 1.0
    for _ in range(STEPS):
        slope = _slope(law, p, prior, reference, averaging, objective, kl)
        slope -= slope.min()
        while rate > 1e-9:
            new = natural(capped(natural(np.where(prior > 0, np.maximum(p, 1e-12), 0.0) * np.exp(-rate * slope)), most))
            new_value = _value(law, new, prior, reference, averaging, objective, kl)
            if new_value <= value:
                break
            rate /= 2
        else:
            break
        done = value - new_value < 1e-13
        p, value, rate = new, new_value, rate * 1.5
        if done:
            break
    return p


def _value(law: Law, p: Floats, prior: Floats, reference: Floats, averaging: Floats, objective: Objective, kl: float) -> float:
    of_domains = averaging @ (law.predict(p) / reference)
    told = of_domains.mean() if objective == "mean" else SOFT_MAX * np.log(np.exp((of_domains - of_domains.max()) / SOFT_MAX).sum())
    told = told if objective == "mean" else told + of_domains.max()
    return float(told) + kl * divergence(p, prior)


def _slope(law: Law, p: Floats, prior: Floats, reference: Floats, averaging: Floats, objective: Objective, kl: float) -> Floats:
    assert law.gradient is not None
    of_domains = averaging @ (law.predict(p) / reference)
    if objective == "mean":
        share = np.full(len(of_domains), 1.0 / len(of_domains))
    else:
        share = natural(np.exp((of_domains - of_domains.max()) / SOFT_MAX))
    slope = share @ averaging @ (law.gradient(p) / reference[:, None])
    there = prior > 0
    slope[there] += kl * np.log(np.maximum(p[there], 1e-12) / prior[there])
    return np.asarray(slope)


def _best_drawn(
    law: Law, names: tuple[str, ...], prior: Floats, most: Floats, reference: Floats, averaging: Floats, objective: Objective, kl: float
) -> Floats:
    draws = swarm(names, prior, most, CANDIDATES, seed=0)
    values = together(law.predict(draws), reference, averaging, objective) + kl * np.array([divergence(p, prior) for p in draws])
    best = np.argsort(values, kind="stable")[: CANDIDATES // 100]
    return natural(capped(natural(draws[best].mean(axis=0)), most))


def divergence(p: Floats, prior: Floats) -> float:
    """KL(p || prior) in nats, over what both have.

    >>> round(divergence(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 4)
    0.1438
    """
    there = (p > 0) & (prior > 0)
    return float((p[there] * np.log(p[there] / prior[there])).sum())

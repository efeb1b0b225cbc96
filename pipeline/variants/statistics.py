"""The tests behind a verdict: paired t, Holm's correction, and a bootstrap over clusters of held-out documents.

R resamples, C clusters, S seeds, L learning rates.
"""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_COUNTS = 1 << 22
"""Counts of clusters that are drawn at a time: 32 MB."""


def two_sided_p(t: float, degrees: int) -> float:
    """P(|T| >= |t|) of Student's t with whole `degrees` >= 1, by the finite sums of Abramowitz and Stegun 26.7.3 and 26.7.4.

    >>> round(two_sided_p(4.302653, 2), 6), round(two_sided_p(-12.706205, 1), 6), two_sided_p(0.0, 7)
    (0.05, 0.05, 1.0)
    """
    if math.isinf(t):
        return 0.0
    theta = math.atan(abs(t) / math.sqrt(degrees))
    sine, cosine = math.sin(theta), math.cos(theta)
    term, total = (cosine, 0.0) if degrees % 2 else (1.0, 0.0)
    for k in range(1 + degrees % 2, degrees, 2):
        total += term
        term *= cosine * cosine * k / (k + 1)
    inside = 2 / math.pi * (theta + sine * total) if degrees % 2 else sine * total
    return min(1.0, max(0.0, 1.0 - inside))


def paired_p(differences: Floats) -> float:
    """Two-sided p of a t-test that paired differences, (S,), have mean zero. Equal differences leave no doubt: 0, or 1 if they are zero."""
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if deviation <= 1e-12 * abs(mean) or deviation == 0:
        return float(mean == 0)
    return two_sided_p(mean / (deviation / math.sqrt(len(differences))), len(differences) - 1)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p of each name: what is below alpha after Holm's step-down keeps the chance of any false finding below alpha.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}


def resampled_changes(base: Floats, other: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Relative change of a sum over clusters when as many clusters are drawn with replacement, mean over seeds and rates, (R,).

    `base` and `other` are sums of nats by cluster, (S, L, C), over the same documents, so that their ratio is that of bits per byte.
    """
    num_clusters = base.shape[-1]
    flat_base, flat_other = (sums.reshape(-1, num_clusters).T for sums in (base, other))
    found = []
    for begin in range(0, resamples, chunk := max(1, _COUNTS // num_clusters)):
        counts = rng.multinomial(num_clusters, np.full(num_clusters, 1 / num_clusters), min(chunk, resamples - begin)).astype(np.float64)
        found.append((counts @ flat_other / (counts @ flat_base) - 1).mean(axis=1))
    return np.concatenate(found)

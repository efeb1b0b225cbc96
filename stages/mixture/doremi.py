"""DoReMi's weights (Xie et al. 2023, algorithm 1): what it compares itself by, not what it is used for here.

It looks for weights under which the worst excess loss over a reference is smallest, so what cannot be learned well and what the reference
has not learned look alike to it. Aioli (2024) and Olmix (2025) found it no better than the prior; docs/mixture.md has our runs.
"""

import numpy as np

from stages.mixture.shares import Floats, natural


def updated(weights: Floats, excess: Floats, rate: float = 1.0, smoothing: float = 1e-3) -> Floats:
    """Weights after one step: times exp(rate x excess loss of the domain), then a little of the uniform mix.

    >>> updated(np.array([0.5, 0.5]), np.array([0.0, np.log(3.0)]), smoothing=0.0).round(6).tolist()
    [0.25, 0.75]
    """
    logs = np.log(weights) + rate * excess
    grown = natural(np.exp(logs - logs.max()))
    return np.asarray((1 - smoothing) * grown + smoothing / len(weights))

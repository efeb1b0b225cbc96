"""Shares of domains by rule: natural, temperature, UniMax; and how a cap on repetition holds.

| method | share of a domain of B bytes |
|---|---|
| natural | B |
| temperature | B^(1/t): 1 is natural, beyond 1 flatter |
| UniMax (Chung et al. 2023, algorithm 1) | equal, but at most `max_epochs` passes over its text; the others get the rest equally |

Counting tokens and capping epochs, as UniMax does, beat manual mixes and learned ones among nine baselines of UtiliMax (2025), so it is
what a learned mixture falls back to. Up to 4 passes are nearly as good as new text (Muennighoff et al. 2023). All functions take domains in
a fixed order and shares that sum to 1.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SLACK = 1e-9
"""Caps that sum to 1 may sum to more in floating point, by less than this."""


def natural(sizes: Floats) -> Floats:
    """Shares as the text lies.

    >>> natural(np.array([30.0, 10.0])).tolist()
    [0.75, 0.25]
    """
    return np.asarray(sizes / sizes.sum())


def tempered(sizes: Floats, temperature: float) -> Floats:
    """Shares by the root of the sizes; a size of 0 stays 0.

    >>> tempered(np.array([90.0, 10.0]), 2.0).tolist()
    [0.75, 0.25]
    """
    return natural(natural(sizes) ** (1.0 / temperature))


def unimax(sizes: Floats, budget: float, max_epochs: float) -> Floats:
    """Equal shares of what is there, of a budget of so many bytes; `sizes` are bytes of different text.

    >>> unimax(np.array([5.0, 100.0, 100.0]), budget=120.0, max_epochs=4.0).round(3).tolist()
    [0.167, 0.417, 0.417]
    """
    return natural(capped(natural((sizes > 0).astype(np.float64)), max_epochs * sizes / budget))


def capped(shares: Floats, most: Floats) -> Floats:
    """The shares nearest to given ones (by KL divergence) of which none exceeds its cap: min(cap, shares * factor).

    Sums to 1, or to less where all caps of the domains with a share sum to less.

    >>> capped(np.array([0.5, 0.3, 0.2]), np.array([0.3, 1.0, 1.0])).round(3).tolist()
    [0.3, 0.42, 0.28]
    """
    result = np.where(shares > 0, most, 0.0)
    if result.sum() <= 1.0 + SLACK:
        return np.asarray(result)
    some = np.flatnonzero(shares > 0)
    with np.errstate(over="ignore"):  # a share next to nothing reaches its cap last: at infinity
        order = some[np.argsort(most[some] / shares[some], kind="stable")]  # in this order domains reach their caps as the factor grows
    left = 1.0 - np.concatenate(([0.0], np.cumsum(most[order])[:-1]))  # by those before, if they are full
    rest = np.cumsum(shares[order][::-1])[::-1]
    first = int(np.argmax(left * (shares[order] / rest) <= most[order]))  # the last one at the latest: its cap is beyond what is left
    result[order[first:]] = left[first] * (shares[order[first:]] / rest[first])
    return np.asarray(result)


def rounded(shares: Floats, digits: int = 3) -> Floats:
    """Shares with so many digits that still sum to 1: the largest remainders are rounded up.

    >>> rounded(np.array([1 / 3, 1 / 3, 1 / 3])).tolist()
    [0.334, 0.333, 0.333]
    """
    scale = 10**digits
    exact = shares / shares.sum() * scale
    parts = np.floor(exact + 1e-9)
    missing = round(scale - parts.sum())
    parts[np.argsort(parts - exact, kind="stable")[:missing]] += 1
    return np.asarray(np.round(parts / scale, digits))

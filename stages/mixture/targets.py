"""What a mixture is judged by: held-out texts, each relative to itself, and how they are put together.

A target is the held-out text of one domain and language. Losses are bits per byte, which no two languages have in common, so each is
divided by that of a reference mixture first. Domains count equally, and within a domain its languages; `mean` is the mean over domains,
`worst` the largest of them.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from stages.mixture.shares import Floats

Objective = Literal["mean", "worst"]


class Targets(NamedTuple):
    """Held-out texts and how they count."""

    names: tuple[str, ...]
    """`domain/lang`."""
    domain: tuple[str, ...]
    """Of each target."""

    def averaging(self) -> Floats:
        """Weights that average targets within their domains, (domains, targets); domains by name."""
        rows = [np.array([domain == name for domain in self.domain], np.float64) for name in sorted(set(self.domain))]
        return np.array([row / row.sum() for row in rows])


def together(losses: Floats, reference: Floats, averaging: Floats, objective: Objective) -> Floats:
    """One number for each mixture from its losses, (n, targets); `reference` (targets,) are those of the reference mixture.

    >>> together(np.array([[2.0, 3.0]]), np.array([4.0, 3.0]), np.eye(2), "mean").tolist()
    [0.75]
    >>> together(np.array([[2.0, 3.0]]), np.array([4.0, 3.0]), np.eye(2), "worst").tolist()
    [1.0]
    """
    of_domains = losses / reference @ averaging.T
    return np.asarray(of_domains.mean(axis=-1) if objective == "mean" else of_domains.max(axis=-1))


def rank_correlation(a: Sequence[float] | Floats, b: Sequence[float] | Floats) -> float:
    """Spearman's, ties in the middle; 0 where all of one are equal.

    >>> rank_correlation([1.0, 2.0, 3.0], [10.0, 30.0, 20.0])
    0.5
    """
    ranks = [_ranks(np.asarray(values, np.float64)) for values in (a, b)]
    centred = [values - values.mean() for values in ranks]
    spread = np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum())
    return float(centred[0] @ centred[1] / spread) if spread > 0 else 0.0


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: Floats = last - (counts - 1) / 2.0
    return middle[place]

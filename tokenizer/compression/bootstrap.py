"""Intervals of ratios by resampling documents: two tokenizers are compared on the same draws, so their ratio is far surer than each.

Percentile bootstrap (Efron 1979). Documents are the units, since tokens of one document are alike; documents that copy each other make the
intervals too narrow. The draws follow from the seed alone.
"""

import numpy as np
import numpy.typing as npt

LEVEL = 0.95


def resampled_sums(values: npt.NDArray[np.int64], replicates: int, seed: int) -> npt.NDArray[np.float64]:
    """Sums of the columns of `values`, (n, m), over n documents drawn with replacement, (replicates, m)."""
    random = np.random.default_rng(seed)
    sums = np.empty((replicates, values.shape[1]))
    for replicate in range(replicates):
        times = np.bincount(random.integers(0, len(values), len(values)), minlength=len(values)) if len(values) else np.empty(0, np.int64)
        sums[replicate] = times @ values
    return sums


def interval(numerators: npt.NDArray[np.float64], denominators: npt.NDArray[np.float64]) -> tuple[float, float] | None:
    """Where `LEVEL` of the ratios lie; `None` if a draw has nothing below the line."""
    if len(denominators) == 0 or (denominators == 0).any():
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(numerators / denominators, (tail, 1 - tail))
    return float(low), float(high)

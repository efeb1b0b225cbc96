"""A histogram of a signal whose range is not known beforehand: bins of equal width, linear or logarithmic, kept and dropped apart.

Values are collected in the cells of `Distribution` (exact up to 4,096 different values, then within .5 %), and put into bins at the end.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.distribution import Distribution

NUM_BINS = 40
TAIL = 0.002
"""Share of documents at each end that may lie outside of the bins shown; they are counted in the outermost."""
QUANTILES = (0.05, 0.5, 0.95)
"""Of kept documents, for the table beside the chart."""
LOGARITHMIC = 50
"""Counts that span more than this factor get logarithmic bins."""


class Histogram:
    """Add values with their fates, then ask for `as_json`."""

    def __init__(self) -> None:
        self.every, self.kept = Distribution(), Distribution()

    def add(self, values: npt.NDArray[Any], kept: npt.NDArray[np.bool_]) -> None:
        """A value of each document, NaN where it has none, and whether it was kept."""
        values = values.astype(np.float64)
        there = ~np.isnan(values)
        self.every.add(values[there], np.zeros(int(there.sum()), np.int64))
        self.kept.add(values[there & kept], np.zeros(int((there & kept).sum()), np.int64))

    def as_json(self) -> dict[str, Any] | None:
        """`{"edges", "kept", "dropped", "log", "quantiles"}`; None where there is nothing to see: no values, or all equal."""
        if not self.every.size("documents"):
            return None
        low, high = self.every.quantile(TAIL), self.every.quantile(1 - TAIL)
        if low == high:
            low, high = self.every.quantile(1e-9), self.every.quantile(1.0)
        if low == high:
            return None
        logarithmic = low >= 1 and high / low > LOGARITHMIC
        edges = np.geomspace(low, high, NUM_BINS + 1) if logarithmic else np.linspace(low, high, NUM_BINS + 1)
        every, kept = self.every.histogram(edges), self.kept.histogram(edges)
        return {
            "edges": [float(f"{edge:.4g}") for edge in edges],
            "kept": kept.tolist(),
            "dropped": (every - kept).tolist(),
            "log": logarithmic,
            "quantiles": [self.kept.quantile(share) for share in QUANTILES] if self.kept.size("documents") else None,
        }

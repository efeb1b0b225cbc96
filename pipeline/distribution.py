"""The distribution of a score over documents and their characters, in bounded memory, for quantiles and for thresholds.

Values are exact while there are at most `MAX_CELLS` different ones. Beyond that, neighbours share a cell: cells are float64 numbers
that agree in their first bits, as many bits as fit, so a cell's width is a share of its value (below .5 % where 4,096 cells span ten
octaves). Each cell keeps its smallest and largest value, so what `limit` returns does remove what it promises; it is only coarser.
The order in which values come changes nothing. 40 bytes a cell, 160 KB at most, and as much for values that wait.
"""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

MAX_CELLS = 4096

Side = Literal["min", "max"]
Size = Literal["documents", "chars"]

_SIGN = np.uint64(1 << 63)


class _Cells(NamedTuple):
    """Parallel arrays, ascending by `key`."""

    key: npt.NDArray[np.uint64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    documents: npt.NDArray[np.int64]
    chars: npt.NDArray[np.int64]


class Distribution:
    """Add values batch by batch, then ask."""

    def __init__(self) -> None:
        self._shift = np.uint64(0)
        self._cells = _as_cells(np.empty(0), np.empty(0, np.int64), self._shift)
        self._waiting: list[_Cells] = []

    def add(self, values: npt.NDArray[np.float64], chars: npt.NDArray[np.int64]) -> None:
        """A value and the characters of each document; no NaN."""
        self._waiting.append(_as_cells(values, chars, self._shift))
        if sum(len(cells.key) for cells in self._waiting) > MAX_CELLS:
            self._settle()

    def size(self, size: Size) -> int:
        """Documents or characters in all."""
        return int(getattr(self._settle(), size).sum())

    def quantile(self, share: float) -> float:
        """The smallest value that at least `share` of the documents do not exceed; 0 < share <= 1. NaN without documents.

        >>> d = Distribution()
        >>> d.add(np.array([5.0, 1.0, 3.0, 9.0]), np.ones(4, np.int64))
        >>> d.quantile(0.5), d.quantile(0.51)
        (3.0, 5.0)
        """
        cells = self._settle()
        if not len(cells.key):
            return float("nan")
        reached = np.cumsum(cells.documents)
        place = np.searchsorted(reached, np.ceil(_exact(share * reached[-1])))
        return float(cells.high[place])

    def limit(self, side: Side, share: float, size: Size) -> float:
        """The tightest bound that removes at most `share` of documents or characters. NaN without documents.

        A value equal to a bound passes, as in rule files: a `min` removes what is below it, a `max` what is above.

        >>> d = Distribution()
        >>> d.add(np.array([1.0, 2.0, 3.0, 4.0]), np.array([10, 10, 10, 70]))
        >>> d.limit("max", 0.25, "documents"), d.limit("max", 0.25, "chars"), d.limit("min", 0.25, "chars")
        (3.0, 4.0, 3.0)
        """
        cells = self._settle()
        if not len(cells.key):
            return float("nan")
        sizes: npt.NDArray[np.int64] = getattr(cells, size)
        allowed = _exact(share * float(sizes.sum()))
        if side == "max":
            above = sizes.sum() - np.cumsum(sizes)
            return float(cells.high[np.argmax(above <= allowed)])
        below = np.cumsum(sizes) - sizes
        return float(cells.low[np.flatnonzero(below <= allowed)[-1]])

    def histogram(self, edges: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Documents in [edges[i], edges[i + 1]), what is outside in the first and last bin, (len(edges) - 1,).

        >>> d = Distribution()
        >>> d.add(np.array([0.5, 1.0, 1.5, 9.0]), np.ones(4, np.int64))
        >>> d.histogram(np.array([1.0, 2.0, 3.0])).tolist()
        [3, 1]
        """
        cells = self._settle()
        place = np.clip(np.searchsorted(edges, cells.low, side="right") - 1, 0, len(edges) - 2)
        return np.bincount(place, weights=cells.documents, minlength=len(edges) - 1).astype(np.int64)

    def _settle(self) -> _Cells:
        """Merge what waits, and widen the cells until there are few enough."""
        if self._waiting:
            every = [self._cells, *self._waiting]
            self._waiting = []
            cells = _merged(_Cells(*(np.concatenate(arrays) for arrays in zip(*every, strict=True))), self._shift)
            while len(cells.key) > MAX_CELLS:
                self._shift += np.uint64(1)
                cells = _merged(cells, self._shift)
            self._cells = cells
        return self._cells


def _as_cells(values: npt.NDArray[np.float64], chars: npt.NDArray[np.int64], shift: np.uint64) -> _Cells:
    values = values + 0.0  # -0.0 becomes 0.0
    return _Cells(_keys(values, shift), values, values, np.ones(len(values), np.int64), chars)


def _keys(values: npt.NDArray[np.float64], shift: np.uint64) -> npt.NDArray[np.uint64]:
    """The first bits of each value as a number of the same order."""
    bits = values.view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN) >> shift


def _merged(cells: _Cells, shift: np.uint64) -> _Cells:
    """One cell for each key at `shift`. Any value of a cell gives its key, since wider cells hold whole narrower ones."""
    keys = _keys(cells.low, shift)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=~keys[:1]))
    if not len(starts):
        return cells
    low, high = np.minimum.reduceat(cells.low[order], starts), np.maximum.reduceat(cells.high[order], starts)
    documents, chars = np.add.reduceat(cells.documents[order], starts), np.add.reduceat(cells.chars[order], starts)
    return _Cells(keys[starts], low, high, documents, chars)


def _exact(product: float) -> float:
    """Without the rounding of a product such as .29 * 100, which is 28.999999999999996."""
    return round(product, 6)

"""An order in which few documents lie across the end of a window, and nothing is padded: for models trained on windows of a fixed length.

The order of the stream is kept until a document would be cut that fits a window. Then the rest of the window is closed with one or two of
the next `AHEAD` documents that fill it exactly, or with ever smaller ones, and the document waits for the next window. A document that
is longer than a window is cut anyhow, so where nothing fits one of those goes across. The stream stays documents side by side, so
whoever reads it in windows of another length, or as one, loses nothing. Rejected: best-fit bins with padding (Ding et al., "Fewer
truncations improve language modeling", 2024), which make pieces of documents into sequences and leave no stream.
"""

import numpy as np
import numpy.typing as npt

from stages.text.buffers import read_only
from stages.text.kernel import kernel

AHEAD = 4096
"""Documents among which those are sought that close a window; none comes earlier in the stream by more than so many places."""


def fitted(lengths: npt.NDArray[np.int64], start: int, window: int) -> npt.NDArray[np.int64]:
    """The order (n,) of documents that stand in a stream from position `start` on, for windows of so many tokens."""
    order = np.empty(len(lengths), np.int64)
    following, placed = np.full(len(lengths), -1, np.int64), np.zeros(len(lengths), np.bool_)
    firsts, lasts = np.full((2, window + 2), -1, np.int64)
    _fit(read_only(np.minimum(lengths, window + 1)), read_only(lengths), start, window, AHEAD, firsts, lasts, following, placed, order)
    return order


def num_cut(lengths: npt.NDArray[np.int64], start: int, window: int) -> int:
    """How many documents that are not longer than a window lie across the end of one."""
    ends = start + np.cumsum(lengths)
    return int(np.sum(((ends - lengths) // window != (ends - 1) // window) & (lengths <= window)))


@kernel
def _fit(sizes, lengths, start, window, ahead, firsts, lasts, following, placed, order):  # type: ignore[no-untyped-def]
    """`sizes` are lengths, all of long documents one; `firsts[size]` and `following` list the documents at hand by size, oldest first."""
    behind = head = np.int64(0)
    at = start
    for place in range(len(order)):
        while placed[head]:
            head += 1
        while behind < min(len(order), head + ahead):
            size = sizes[behind]
            if firsts[size] < 0:
                firsts[size] = behind
            else:
                following[lasts[size]] = behind
            lasts[size] = behind
            behind += 1
        size = sizes[head]
        space = window - at % window
        if space < size <= window:
            size = _closing(space, firsts, following)
            if size == 0:
                size = window + 1 if firsts[window + 1] >= 0 else sizes[head]
        row = firsts[size]
        firsts[size] = following[row]
        placed[row] = True
        order[place] = row
        at += lengths[row]


@kernel
def _closing(space, firsts, following):  # type: ignore[no-untyped-def]
    """The size to take where `space` is left: one that fills it, the larger of two that do, the largest there is, or 0 if none fits."""
    if firsts[space] >= 0:
        return space
    largest = np.int64(0)
    for size in range(space - 1, 0, -1):
        if firsts[size] >= 0:
            largest = max(largest, np.int64(size))
            rest = space - size
            if firsts[rest] >= 0 and (rest != size or following[firsts[size]] >= 0):
                return np.int64(size)
    return largest

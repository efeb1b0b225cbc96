"""Streams of ids: at which place each copy of a document stands, and its ids with the end of text behind them.

A document that counts n times stands once in each n-th part of the stream: copy k at (k + u) / n of it, where u in [0, 1) is a hash of
(seed, k, id). So documents that count once are spread evenly, epochs follow one another where all count alike, each part of a stream
has the mixture of the whole, and copies of a document keep their distance. Rejected: places by hash alone, where copies may be neighbours.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer, read_only
from stages.text.kernel import kernel
from tokenizer.codec import Ids
from tokenizer.sampling import hashes

STREAM = 1 << 64
"""Places lie in 0 to STREAM - 1."""

_PLACES = 0x0B5297A4D
"""Parts the hash of places from that of `tokenizer.sampling`, so that a text taken once more is not always found at the start."""


class Copies(NamedTuple):
    """What is to be written of n documents, (m,) each, in the order of the stream."""

    rows: npt.NDArray[np.int64]
    epochs: npt.NDArray[np.int32]
    """How many copies of the same document stand before this one."""
    places: npt.NDArray[np.uint64]


def placed(ids: TextBuffer, times: npt.NDArray[np.int64], seed: int) -> Copies:
    """The copies of documents that count `times` (n,)."""
    rows = np.repeat(np.arange(len(times)), times)
    epochs = np.arange(len(rows)) - np.repeat(np.cumsum(times) - times, times)
    copies, epoch = times[rows].astype(np.uint64), epochs.astype(np.uint64)
    units = _mixed(hashes(ids, seed ^ _PLACES)[rows] ^ (epoch + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    places = epoch * (np.uint64(STREAM - 1) // copies) + units // copies
    order = np.argsort(places, kind="stable")
    return Copies(rows[order], epochs[order].astype(np.int32), places[order])


def ended(encoded: Ids, rows: npt.NDArray[np.int64], eos_id: int, dtype: np.dtype[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Offsets and ids of documents `rows` side by side, each with `eos_id` behind it."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(encoded.offsets)[rows] + 1)])
    out = np.full(int(offsets[-1]), eos_id, dtype)
    lay(encoded.ids, encoded.offsets, rows, offsets[:-1], out)
    return offsets, out


def lay(
    ids: npt.NDArray[Any], offsets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], out: npt.NDArray[Any]
) -> None:
    """Copy document `rows[i]` of `ids` to `out`, from `starts[i]` on."""
    _lay(read_only(ids), read_only(offsets), read_only(rows), read_only(starts), out)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of MurmurHash3: each bit of a value changes each bit of the result in half of the cases."""
    for factor in (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)):
        values = (values ^ values >> np.uint64(33)) * factor
    return values ^ values >> np.uint64(33)


@kernel
def _lay(ids, offsets, rows, starts, out):  # type: ignore[no-untyped-def]
    for i in range(len(rows)):
        first = offsets[rows[i]]
        for place in range(offsets[rows[i] + 1] - first):
            out[starts[i] + place] = ids[first + place]

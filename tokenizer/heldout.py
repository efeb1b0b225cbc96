"""Texts kept from training so that tokenizers can be measured on them, and how a tokenizer tells which texts it has learnt from.

A text is held out if the hash of its id is below the share, so the same texts are on every run and whatever else is in the data. Beside a
model stand the hashes of some of the texts that it learnt from, the smallest, so that a comparison can find out whether it measures on
what was learnt, wherever the texts come from and whatever their ids are: of n texts learnt, 1,024 / n of the measured ones can be
checked, all if n is smaller.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.text.buffers import text_buffer
from tokenizer.sampling import hash_units

SKETCH_SIZE = 1024
_SKETCH_SEED = 2
_WHOLE = 1 << 53


def is_held_out(batch: pa.RecordBatch, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which rows are held out, (n,). Reads `id`."""
    return hash_units(text_buffer(batch["id"]), seed) < share


def part(batches: Iterable[pa.RecordBatch], share: float, seed: int, *, held_out: bool) -> Iterable[pa.RecordBatch]:
    """The held-out rows of each batch, or the others."""
    for batch in batches:
        yield batch.filter(pa.array(is_held_out(batch, share, seed) == held_out))


class Sketch:
    """The smallest hashes of texts."""

    def __init__(self) -> None:
        self.num_texts = 0
        self._smallest = np.empty(0, np.int64)

    def add(self, texts: pa.Array) -> None:
        """Note texts. The order in which they come decides nothing."""
        self.num_texts += len(texts)
        self._smallest = np.union1d(self._smallest, _hashes(texts))[:SKETCH_SIZE]

    def as_json(self) -> dict[str, Any]:
        """For `training.json`."""
        return {"texts": self.num_texts, "smallest_hashes": self._smallest.tolist()}


class Overlap:
    """How many of the texts that are measured a tokenizer has learnt from, as far as a sketch tells."""

    def __init__(self, sketch: Mapping[str, Any]) -> None:
        """`sketch` is what `Sketch.as_json` wrote."""
        self._known = np.array(sketch["smallest_hashes"], np.int64)
        self._end = int(self._known[-1]) + 1 if len(self._known) == SKETCH_SIZE else _WHOLE
        self.checked = 0
        self.learnt = 0

    def add(self, texts: pa.Array) -> None:
        """Count those that can be checked, and those of them that were learnt from."""
        hashes = _hashes(texts)
        hashes = hashes[hashes < self._end]
        self.checked += len(hashes)
        self.learnt += int(np.isin(hashes, self._known).sum())


def _hashes(texts: pa.Array) -> npt.NDArray[np.int64]:
    hashes: npt.NDArray[np.int64] = (hash_units(text_buffer(texts), _SKETCH_SEED) * _WHOLE).astype(np.int64)
    return hashes

"""Which texts a tokenizer learns from, and how often each counts: by weights and a hash of seed and id, so the same on every run.

A text of weight w counts floor(w) times, and once more if its hash, a number in [0, 1), is below the rest. So a share of the texts is
the same texts whatever else is in the data, and of a smaller share all are in a larger one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.text.buffers import TextBuffer, read_only, text_buffer
from stages.text.kernel import kernel
from tokenizer.vocabulary import MULTIPLIER

WEIGHT_COLUMNS = ("sampling_weight", "weight")
"""Columns of a corpus that multiply, where it has them: of duplicates and hosts, and of the mixture."""


@dataclass(frozen=True)
class Sampling:
    """Weights of texts, and the share of all that is taken."""

    seed: int
    languages: Mapping[str, float]
    domains: Mapping[str, float]
    share: float = 1.0

    def copies(self, batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
        """How often each row of a batch counts, (n,). Reads `id`, and `lang`, `domain` and weights where they are columns."""
        return times(self.weights(batch), batch["id"], self.seed)

    def weights(self, batch: pa.RecordBatch) -> npt.NDArray[np.float64]:
        """What each row weighs, (n,)."""
        weights = np.full(batch.num_rows, self.share)
        for name in WEIGHT_COLUMNS:
            if name in batch.schema.names:
                weights *= pc.fill_null(batch[name].cast(pa.float64()), 1.0).to_numpy(zero_copy_only=False)
        for name, of_value in (("lang", self.languages), ("domain", self.domains)):
            if of_value and name in batch.schema.names:
                weights *= _of_values(batch[name], of_value)
        return weights


@dataclass
class Tally:
    """What was read and taken, by language and domain."""

    groups: dict[tuple[str, str], npt.NDArray[np.int64]] = field(default_factory=dict)
    """(language, domain) -> texts, bytes, different texts taken, bytes with repetitions taken."""

    def add(self, batch: pa.RecordBatch, copies: npt.NDArray[np.int64]) -> None:
        """Count a batch."""
        lengths = text_buffer(batch["text"]).lengths()
        keys = [_codes(batch, name) for name in ("lang", "domain")]
        for place in np.unique(np.stack([codes for codes, _ in keys]), axis=1).T:
            rows = (keys[0][0] == place[0]) & (keys[1][0] == place[1])
            group = (keys[0][1][place[0]], keys[1][1][place[1]])
            found = [rows.sum(), lengths[rows].sum(), (copies[rows] > 0).sum(), (lengths[rows] * copies[rows]).sum()]
            self.groups[group] = self.groups.get(group, np.zeros(4, np.int64)) + np.array(found, np.int64)

    def total(self) -> npt.NDArray[np.int64]:
        """The sums over all groups, (4,)."""
        return sum(self.groups.values(), np.zeros(4, np.int64))


def times(weights: npt.NDArray[np.float64], ids: pa.Array, seed: int) -> npt.NDArray[np.int64]:
    """How often texts of these weights count, (n,): floor(w) times, and once more if the hash is below the rest."""
    whole = np.floor(weights)
    return whole.astype(np.int64) + (hash_units(text_buffer(ids), seed) < weights - whole)


def hash_units(ids: TextBuffer, seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each id, (n,)."""
    return (hashes(ids, seed) >> np.uint64(11)) / 9007199254740992.0


def hashes(texts: TextBuffer, seed: int) -> npt.NDArray[np.uint64]:
    """64 bits for each text, (n,); the higher ones are mixed best."""
    found = np.empty(len(texts), np.uint64)
    _hashes(*texts.read_only(), np.uint64(seed & 0xFFFFFFFFFFFFFFFF), found)
    return found


def _codes(batch: pa.RecordBatch, name: str) -> tuple[npt.NDArray[np.int64], list[str]]:
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, np.int64), [""]
    encoded = pc.fill_null(batch[name], "").dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _of_values(column: pa.Array, weights: Mapping[str, float]) -> npt.NDArray[np.float64]:
    encoded = pc.fill_null(column, "").dictionary_encode()
    of_code = np.array([weights.get(value, weights.get(value.split("-")[0], 1.0)) for value in encoded.dictionary.to_pylist()])
    found: npt.NDArray[np.float64] = read_only(of_code[encoded.indices.to_numpy()])
    return found


@kernel
def _hashes(data, offsets, seed, found):  # type: ignore[no-untyped-def]
    for row in range(len(offsets) - 1):
        mixed = (seed ^ np.uint64(0x51D7A5C3)) * MULTIPLIER
        for place in range(offsets[row], offsets[row + 1]):
            mixed = (mixed ^ np.uint64(data[place])) * MULTIPLIER
            mixed ^= mixed >> np.uint64(29)
        found[row] = (mixed ^ mixed >> np.uint64(32)) * np.uint64(0xFF51AFD7ED558CCD)

"""The two stages that find duplicates: exact copies, and documents that share most of their shingles.

Here is what they compute for each document; what needs all documents at once (which keys meet, which pairs are similar, who
survives) is in the modules beside, as functions of arrays, and moved between shards by `pipeline.dedup`.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.loader import Between, Positive, SettingError, Share
from stages.batch import Batch
from stages.dedup.bands import band_keys, detection_probability
from stages.dedup.minhash import expected_error, has_shingles, signatures
from stages.stage import Stage


@dataclass(frozen=True, kw_only=True)
class ExactDedup(Stage):
    """Documents of equal normalised text, by the 16-byte `content_hash` that `measure` adds; documents of one URL if asked."""

    key: ClassVar[str] = "exact_dedup"
    reads: ClassVar[tuple[str, ...]] = ("content_hash", "num_chars", "url")

    urls: bool = False
    """Whether of all documents with one URL (`stages.dedup.urls`) only the preferred one is kept; the others get `duplicate_url`."""


@dataclass(frozen=True, kw_only=True)
class DocumentDedup(Stage):
    """Near-duplicates by MinHash bands, verified by exact Jaccard similarity. Adds `band_keys`."""

    key: ClassVar[str] = "document_dedup"
    reads: ClassVar[tuple[str, ...]] = ("text", "fault", "content_hash", "num_chars")

    similarity: Share = 0.8
    """Jaccard similarity of the shingle sets from which on two documents are duplicates."""
    containment: Share | None = None
    """If given: a document of whose shingles a share of at least so much is in a longer or better one goes for it, as `contained`.
    Only pairs that share a band are looked at: one that is a small part of the other is rarely found."""
    shingle: Annotated[int, Between(1, 100)] = 5
    """Tokens of a shingle; a token is a word, or a character of a script without spaces. Shorter texts have exact copies only."""
    permutations: Annotated[int, Between(1, 4096)] = 128
    """Length of a signature."""
    bands: Positive = 16
    """Parts of a signature; two documents that agree in one are compared. More find more pairs and compare more."""
    bucket_limit: Annotated[int, Between(2)] = 64
    """Documents of one band key that are all compared with each other; larger buckets go by representatives."""
    seed: Annotated[int, Between(0, 2**32 - 1)] = 1
    """Of the permutations; 1 is also datasketch's, so signatures agree with its own."""
    alarm_share: Share = 0.5
    """A source or domain that loses more than this share of its documents as duplicates is named in an alarm at the end of the run."""
    alarm_cluster: Positive = 1000
    """So is a cluster of more than so many documents."""

    def __post_init__(self) -> None:
        if self.permutations % self.bands:
            near = min((b for b in range(1, self.permutations + 1) if self.permutations % b == 0), key=lambda b: abs(b - self.bands))
            raise SettingError(
                "bands",
                f"got {self.bands}, which does not divide permutations = {self.permutations}; the nearest that does is {near}",
            )

    @property
    def rows(self) -> int:
        """Lanes of a band."""
        return self.permutations // self.bands

    def adds(self) -> tuple[pa.Field, ...]:
        """`band_keys`: one key for each band, null for documents without shingles or with a fault."""
        return (pa.field("band_keys", pa.list_(pa.uint64(), self.bands)),)

    def annotate(self, batch: Batch) -> Batch:
        """Sign each document and hash the bands of its signature."""
        lanes = signatures(batch.text, self.shingle, self.permutations, self.seed)
        missing = ~has_shingles(lanes) | np.asarray(pc.is_valid(batch["fault"]))
        keys = pa.array(band_keys(lanes, self.bands).ravel())
        lists = pa.FixedSizeListArray.from_arrays(keys, type=self.adds()[0].type, mask=pa.array(missing))
        return batch.with_columns({"band_keys": lists})

    def computed_by(self) -> dict[str, Any]:
        """All but thresholds and alarms: true overlaps are stored, so other thresholds need no new comparison."""
        later = ("similarity", "containment", "alarm_share", "alarm_cluster")
        return {name: value for name, value in super().computed_by().items() if name not in later}

    def describe(self) -> tuple[str, ...]:
        """How likely a pair of a given similarity is found, and how exact a signature is."""
        curve = ", ".join(f"{s:g}: {self._found(s):.3f}" for s in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0))
        threshold, error = self.similarity, expected_error(self.similarity, self.permutations)
        return (
            f"{self.bands} bands of {self.rows} rows find a pair of similarity {curve}",
            f"expected recall at {threshold:g}: {self._found(threshold):.1%}, at 0.9: {self._found(0.9):.2%}; pairs are verified",
            f"standard error of a signature at {threshold:g}: {error:.3f}",
        )

    def _found(self, similarity: float) -> float:
        return detection_probability(similarity, self.bands, self.rows)

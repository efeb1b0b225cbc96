"""What every later stage may count on: length, content hash and language of the normalised text. Implied in every run.

The content hash is XXH3-128: equal texts are exact duplicates; among 10^10 texts an accidental match has probability 2e-19. It
is no defence against forged collisions, which a corpus does not meet and `exact_dedup` could not profit from. 7.6 GB/s on one
core.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128_digest

from stages.batch import Batch
from stages.language import identify
from stages.stage import Stage
from stages.text.buffers import TextBuffer

HASH_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class Measure(Stage):
    """No settings: the corpus and all stages share one measure."""

    key: ClassVar[str] = "measure"
    judges: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("text", "lang")

    def adds(self) -> tuple[pa.Field, ...]:
        """Length in code points and in bytes, the content hash, and `lang`, which is decided where the source gave none."""
        return (
            pa.field("num_chars", pa.int64()),
            pa.field("num_bytes", pa.int64()),
            pa.field("content_hash", pa.binary(HASH_BYTES)),
            pa.field("lang", pa.string()),
        )

    def annotate(self, batch: Batch) -> Batch:
        """A language that the source gave is kept as it is."""
        num_bytes = batch.text.lengths()
        lang = batch["lang"]
        if lang.null_count:
            lang = pc.coalesce(lang, identify(batch.profile, num_bytes))
        return batch.with_columns(
            {
                "num_chars": pa.array(batch.profile.num_chars),
                "num_bytes": pa.array(num_bytes),
                "content_hash": content_hashes(batch.text),
                "lang": lang,
            }
        )


def content_hashes(text: TextBuffer) -> pa.Array:
    """XXH3-128 of each document's bytes, big-endian as xxhash writes it, fixed_size_binary(16)."""
    data = text.data.data
    digests = b"".join([xxh3_128_digest(data[start:end]) for start, end in pairwise(text.offsets.tolist())])
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(HASH_BYTES), len(text), [None, pa.py_buffer(digests)])

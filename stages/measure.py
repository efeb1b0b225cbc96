"""What every later stage may count on: length, content hash and language of the normalised text. Implied in every run.

The content hash is XXH3-128: equal texts are exact duplicates; among 10^10 texts an accidental match has probability 2e-19. It
is no defence against forged collisions, which a corpus does not meet and `exact_dedup` could not profit from. 7.6 GB/s on one
core.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128_digest

from configs.loader import Share
from stages import language_models
from stages.batch import Batch
from stages.language import identify, is_latin
from stages.stage import Stage
from stages.text.buffers import TextBuffer

HASH_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class Measure(Stage):
    """How the language of Latin text is decided; the rest has no settings: the corpus and all stages share one measure."""

    key: ClassVar[str] = "measure"
    judges: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("text", "lang")

    lid_model: str | None = None
    """A fastText model of languages, such as lid.176 or GlotLID, or `lingua` for that package, asked about text in Latin letters that is
    not code: each such text is `en` or `other` by its first 2,000 bytes. None given, or not sure: decided by English function words."""
    lid_min_score: Share = 0.65
    """Probability from which on the model is believed (SCIENCE.md: .65 for English)."""

    def adds(self) -> tuple[pa.Field, ...]:
        """Length in code points (0 if all are white space) and in bytes, the content hash, and `lang`, decided where none was given."""
        return (
            pa.field("num_chars", pa.int64()),
            pa.field("num_bytes", pa.int64()),
            pa.field("content_hash", pa.binary(HASH_BYTES)),
            pa.field("lang", pa.string()),
        )

    def annotate(self, batch: Batch) -> Batch:
        """A language that the source gave is kept as it is."""
        num_bytes = batch.text.lengths()
        blank = batch.profile.spaces == batch.profile.num_chars  # what `select` calls empty, whatever white space is left
        lang = batch["lang"]
        if lang.null_count:
            lang = pc.coalesce(lang, self._languages(batch, num_bytes))
        return batch.with_columns(
            {
                "num_chars": pa.array(np.where(blank, 0, batch.profile.num_chars)),
                "num_bytes": pa.array(num_bytes),
                "content_hash": content_hashes(batch.text),
                "lang": lang,
            }
        )

    def files(self) -> tuple[str, ...]:
        """The language model, if it is a file. Raises `ConfigError` if it cannot be used."""
        return language_models.files(self.lid_model)

    def model_files(self) -> tuple[str, ...]:
        """The language model, whose content decides languages."""
        return self.files()

    def _languages(self, batch: Batch, num_bytes: npt.NDArray[np.int64]) -> pa.Array:
        decided = identify(batch.profile, num_bytes, batch.code.code)
        if self.lid_model is None:
            return decided
        is_code = pc.equal(decided, "code").to_numpy(zero_copy_only=False)
        asked = np.flatnonzero(is_latin(batch.profile) & ~is_code & batch["lang"].is_null().to_numpy(zero_copy_only=False))
        languages = decided.to_numpy(zero_copy_only=False)
        texts = [batch.text.document(row)[: language_models.LID_BYTES] for row in asked.tolist()]
        english = language_models.is_english(self.lid_model, texts, self.lid_min_score)
        for row, answer in zip(asked.tolist(), english, strict=True):
            if answer is not None:
                languages[row] = "en" if answer else "other"
        return pa.array(languages, pa.string())


def content_hashes(text: TextBuffer) -> pa.Array:
    """XXH3-128 of each document's bytes, big-endian as xxhash writes it, fixed_size_binary(16)."""
    data = text.data.data
    digests = b"".join([xxh3_128_digest(data[start:end]) for start, end in pairwise(text.offsets.tolist())])
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(HASH_BYTES), len(text), [None, pa.py_buffer(digests)])

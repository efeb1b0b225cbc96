"""What every later stage may count on: length, content hash and language of the normalised text. Implied in every run.

The content hash is XXH3-128: equal texts are exact duplicates; among 10^10 texts an accidental match has probability 2e-19. It
is no defence against forged collisions, which a corpus does not meet and `exact_dedup` could not profit from. 7.6 GB/s on one
core.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128_digest

from configs.errors import ConfigError
from configs.loader import Share, find_file
from stages.batch import Batch
from stages.language import identify, is_latin
from stages.stage import Stage
from stages.text.buffers import TextBuffer

HASH_BYTES = 16
LID_BYTES = 2000
ENGLISH_LABELS = ("__label__en", "__label__eng", "__label__eng_Latn")
"""What lid.176, OpenLID and GlotLID call English."""
FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")


@dataclass(frozen=True, kw_only=True)
class Measure(Stage):
    """How the language of Latin text is decided; the rest has no settings: the corpus and all stages share one measure."""

    key: ClassVar[str] = "measure"
    judges: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("text", "lang")

    lid_model: str | None = None
    """A fastText model of languages, such as lid.176 or GlotLID, asked about text in Latin letters that is not code: each such text is
    `en` or `other` by its first 2,000 bytes. None given, or the model is not sure: decided by English function words."""
    lid_min_score: Share = 0.65
    """Probability from which on the model is believed (SCIENCE.md: .65 for English)."""

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
            lang = pc.coalesce(lang, self._languages(batch, num_bytes))
        return batch.with_columns(
            {
                "num_chars": pa.array(batch.profile.num_chars),
                "num_bytes": pa.array(num_bytes),
                "content_hash": content_hashes(batch.text),
                "lang": lang,
            }
        )

    def files(self) -> tuple[str, ...]:
        """The language model. Raises `ConfigError` if the file is there and is none of fastText's."""
        return _checked(self.lid_model)

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
        texts = [batch.text.document(row)[:LID_BYTES].decode(errors="ignore").replace("\n", " ") for row in asked.tolist()]
        for row, (label, score) in zip(asked.tolist(), _predicted(self.lid_model, texts), strict=True):
            if score >= self.lid_min_score:
                languages[row] = "en" if label in ENGLISH_LABELS else "other"
        return pa.array(languages, pa.string())


def _checked(model: str | None) -> tuple[str, ...]:
    if model is None:
        return ()
    path = find_file(model)
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(FASTTEXT_MAGIC)) != FASTTEXT_MAGIC:
                raise ConfigError(f"measure.lid_model: '{model}' is no fastText model: it must be a .bin or .ftz file that fastText saved")
    return (model,)


def _predicted(model: str, texts: list[str]) -> list[tuple[str, float]]:
    """The best label of each text and its probability. A list is passed: for one str, fastText 0.9 fails with NumPy 2."""
    if not texts:
        return []
    labels, scores = _loaded(str(find_file(model))).predict(texts, k=1)
    return [(best[0], float(score[0])) if best else ("", 0.0) for best, score in zip(labels, scores, strict=True)]


@lru_cache(maxsize=1)
def _loaded(path: str) -> Any:
    """The model, once in each process."""
    return import_module("fasttext").load_model(path)


def content_hashes(text: TextBuffer) -> pa.Array:
    """XXH3-128 of each document's bytes, big-endian as xxhash writes it, fixed_size_binary(16)."""
    data = text.data.data
    digests = b"".join([xxh3_128_digest(data[start:end]) for start, end in pairwise(text.offsets.tolist())])
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(HASH_BYTES), len(text), [None, pa.py_buffer(digests)])

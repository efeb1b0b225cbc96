"""Models that tell English from other languages in Latin letters: a fastText file, or the package lingua.

fastText 0.9.3: what the file was trained for; 17 to 38 MB/s a core. lingua 2.1.1 (extra `lingua`): 49 languages in Latin letters, by
n-grams of letters; 0.1 MB/s on single lines and 0.7 on 2,000 bytes, 0.9 GB a process, 6 s to load. lingua adds probabilities in an order
that differs between processes, and so do the last bits of its scores: they are rounded to six digits. 6,406 lines of 387 languages had
the same rounded scores in three processes, and never the same unrounded ones. Its `low accuracy` mode (0.11 GB, three times faster on
lines) was rejected: it loses 3.5 % of medicine_en, docs/language.md.
"""

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from configs.errors import ConfigError
from configs.loader import find_file

LINGUA = "lingua"
"""Stands for the package where a file could stand."""
LID_BYTES = 2000
"""A model is asked about so much of a text."""
ENGLISH_LABELS = ("__label__en", "__label__eng", "__label__eng_Latn", "ENGLISH")
"""What lid.176, OpenLID, GlotLID and lingua call English."""
FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")
SCORE_DIGITS = 6


def files(model: str | None) -> tuple[str, ...]:
    """The file of a model. Raises `ConfigError` if it is there and is none of fastText's, or if lingua is not installed."""
    if model is None:
        return ()
    if model == LINGUA:
        if find_spec("lingua") is None:
            raise ConfigError("measure.lid_model: lingua is not installed; run: pip install 'baichuan-corpus[lingua]'")
        return ()
    path = find_file(model)
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(FASTTEXT_MAGIC)) != FASTTEXT_MAGIC:
                raise ConfigError(f"measure.lid_model: '{model}' is no fastText model: it must be a .bin or .ftz file that fastText saved")
    return (model,)


def is_english(model: str, texts: list[bytes], min_score: float) -> list[bool | None]:
    """Whether each text of at most `LID_BYTES` is English; `None` where the model gives its best language less than `min_score`."""
    if not texts:
        return []
    beginnings = [text.decode(errors="ignore").replace("\n", " ") for text in texts]
    best = _by_lingua(beginnings) if model == LINGUA else _by_fasttext(model, beginnings)
    return [label in ENGLISH_LABELS if score >= min_score else None for label, score in best]


def _by_fasttext(model: str, texts: list[str]) -> list[tuple[str, float]]:
    """The best label of each text and its probability. A list is passed: for one str, fastText 0.9 fails with NumPy 2."""
    labels, scores = _fasttext(str(find_file(model))).predict(texts, k=1)
    return [(best[0], float(score[0])) if best else ("", 0.0) for best, score in zip(labels, scores, strict=True)]


def _by_lingua(texts: list[str]) -> list[tuple[str, float]]:
    values = [_lingua().compute_language_confidence_values(text)[0] for text in texts]
    return [(best.language.name, round(best.value, SCORE_DIGITS)) for best in values]


@lru_cache(maxsize=1)
def _fasttext(path: str) -> Any:
    """The model, once in each process."""
    return import_module("fasttext").load_model(path)


@lru_cache(maxsize=1)
def _lingua() -> Any:
    """All its languages in Latin letters, once in each process."""
    return import_module("lingua").LanguageDetectorBuilder.from_all_languages_with_latin_script().build()

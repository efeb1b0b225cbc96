"""A trained model: a folder with `model.bin`, fastText's file, and `model.json`, which says what it is and what its scores mean.

A quality model gives the probability of good text; a model for the stage `safety` is the same, its bad texts being of one unwanted kind.
"""

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128_hexdigest

from configs.errors import ConfigError
from configs.loader import find_file
from stages.filters.rules import primary_subtag
from stages.language_models import FASTTEXT_MAGIC
from stages.quality.calibration import Adjustment, Calibration, Floats, percentiles
from stages.quality.weights import Sums, Weights, weights

KIND = "quality model of baichuan-corpus"
TOKENS = 4
"""Version of `stages.quality.tokens` and of what `model.json` says: a model is read in the tokens that it was trained on, or not at all."""
BIN, JSON = "model.bin", "model.json"


class QualityModel(NamedTuple):
    """What scores texts."""

    weights: Weights
    calibration: Calibration
    sentence_calibration: Calibration
    grids: dict[str, Floats]
    """Quantiles of the reference documents' scores, by language and by `language/domain`."""
    adjustment: Adjustment | None
    """By labels of a user's own texts."""

    def probability(self, found: Sums) -> Floats:
        """Probability of each text to be a good one; NaN for a text without tokens."""
        probability = self.calibration.probability(found.margin, found.tokens)
        return np.where(found.tokens > 0, self.adjustment.of(probability) if self.adjustment else probability, np.nan)

    def sentence_probability(self, found: Sums) -> Floats:
        """The same of each sentence, whose length counts too."""
        return np.where(found.tokens > 0, self.sentence_calibration.probability(found.margin, found.tokens), np.nan)

    def percentile(self, score: Floats, group: str) -> Floats:
        """Where scores stand among the reference documents of a language or `language/domain`; NaN stays NaN."""
        return np.where(np.isnan(score), np.nan, percentiles(score, self.grids[group]))


def describe_model(folder: str) -> dict[str, Any]:
    """What `model.json` says. Raises `ConfigError` if it is not there or is no such file."""
    path = find_file(folder) / JSON
    if not path.is_file():
        raise ConfigError(f"no model in '{folder}' ({JSON} is missing); train one with `corpus quality train CONFIG`, whose `output` it is")
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path} is damaged: {error}; train the model again") from None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise ConfigError(f"{path} does not describe a quality model; give a folder that `corpus quality train` wrote")
    if found["tokens"] != TOKENS:
        raise ConfigError(f"the model in '{folder}' was trained on tokens of version {found['tokens']}; this program cuts texts "
                          f"into those of version {TOKENS}: train it again")  # fmt: skip
    return dict(found)


def model_files(folder: str) -> tuple[str, str]:
    """The two files of a model. Raises `ConfigError` if there is none."""
    describe_model(folder)
    return f"{folder}/{BIN}", f"{folder}/{JSON}"


def check_model(folder: str, language: str, safety: str | None = None) -> None:
    """Raise `ConfigError` unless the model is whole and was trained for this language and for this kind of `safety`, None for quality."""
    card = describe_model(folder)
    if card.get("safety") != safety:
        what, wanted = (f"for the safety kind {kind}" if kind else "for quality" for kind in (card.get("safety"), safety))
        raise ConfigError(f"the model in '{folder}' was trained {what}, not {wanted}; name another, or train one "
                          f"{f'with `safety: {safety}`' if safety else 'without `safety`'} in its YAML")  # fmt: skip
    if language not in card["languages"]:
        languages = ", ".join(card["languages"])
        raise ConfigError(f"the model in '{folder}' was trained for {languages}, not for {language}; name one that was, or train it")
    data = _model_bytes(folder)
    if data[: len(FASTTEXT_MAGIC)] != FASTTEXT_MAGIC:
        raise ConfigError(f"{folder}/{BIN} is no fastText model; train it again")
    wanted = card["model"]
    if len(data) < wanted["bytes"]:
        raise ConfigError(f"{folder}/{BIN} is truncated: {len(data):,} bytes of {wanted['bytes']:,}; copy or train it again")
    if xxh3_128_hexdigest(data) != wanted["xxh3"]:
        raise ConfigError(f"{folder}/{BIN} is not the model that {JSON} beside it describes; copy or train both again")


def load_model(folder: str) -> QualityModel:
    """The model, once in each process, as long as its identity stays the same."""
    return _load(folder, str(describe_model(folder)["identity"]))


def rows_by_language(codes: pa.Array) -> dict[str, npt.NDArray[np.int64]]:
    """Rows of each language without script and region; those without one under ''."""
    return rows_by_value([primary_subtag(code) if code else "" for code in codes.to_pylist()])


def rows_by_value(values: list[str]) -> dict[str, npt.NDArray[np.int64]]:
    """Rows of each value."""
    encoded = pc.dictionary_encode(pa.array(values, pa.string()))
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return {value: np.flatnonzero(codes == code) for code, value in enumerate(encoded.dictionary.to_pylist())}


@lru_cache(maxsize=32)
def _load(folder: str, _identity: str) -> QualityModel:
    card = describe_model(folder)
    model = import_module("fasttext").load_model(str(find_file(folder) / BIN))
    grids: dict[str, npt.NDArray[np.float64]] = {group: np.array(grid) for group, grid in card["percentiles"].items()}
    calibration, of_sentences = (Calibration(**card[name]) for name in ("calibration", "sentence_calibration"))
    adjustment = Adjustment(**card["adjustment"]) if "adjustment" in card else None
    return QualityModel(weights(model), calibration, of_sentences, grids, adjustment)


def _model_bytes(folder: str) -> bytes:
    path = Path(find_file(folder)) / BIN
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; copy or train the model again") from None

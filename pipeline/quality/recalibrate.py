"""`corpus quality calibrate`: probabilities that hold for a user's own texts, from some of them labelled by reading.

A model's probabilities are set on the sources that it was trained on. On kinds of text that it has never seen they are off by .06 and more
(docs/quality.md has what so many labels make of that). They are mapped by `stages.quality.calibration.Adjustment`, upwards everywhere: so
the order of texts and their percentiles stay as they are. Classes and languages count equally, as in training. Sentences keep their own
coefficients, since labels of documents say nothing of them.

What the labels are worth is told by cross-validation: each text has a probability by a map that was fitted without it. An ECE of few
texts is never 0, so the one that perfect probabilities would have by chance stands beside it.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from configs.errors import RunError
from configs.loader import find_file
from pipeline import storage
from pipeline.inspector.labels import LABELS
from pipeline.manifest import identity
from pipeline.quality.folder import output_folder, refuse_other_files, write_model
from stages.filters.rules import primary_subtag
from stages.quality.calibration import Floats, area_under_curve, balanced, calibration_error, recalibrate
from stages.quality.model import BIN, check_model, describe_model, load_model
from stages.quality.weights import sums
from stages.text.buffers import text_buffer
from stages.text.sentences import sentences

MIN_OF_CLASS = 10
"""Labelled texts of each language and class."""
FOLDS = 10
_DRAWS = 200


class _Labelled(NamedTuple):
    """Texts that have a probability, (n,) each."""

    probability: Floats
    good: npt.NDArray[np.bool_]
    lang: npt.NDArray[np.int64]

    @property
    def weight(self) -> Floats:
        """Languages count equally, and the classes of each."""
        return balanced(self.lang, self.good.astype(np.int64))


def calibrate_model(model: str, labels: str, output: str, overwrite: bool = False) -> dict[str, Any]:
    """Write the model of a folder into `output` with probabilities that suit `keep.jsonl` and `drop.jsonl`; what its `model.json` says.

    Raises `ConfigError` for a model that is not whole, and `RunError` for labels that are too few, one-sided, or against the model, and
    if the folder holds anything but a model of the same name and languages.
    """
    card = describe_model(model)
    check_model(model, card["languages"][0], card["safety"])
    folder = output_folder(output)
    if folder == find_file(model).resolve() or "adjustment" in card:
        raise RunError(f"{model}: calibrate the model as it was trained, into another folder; so more labels can do it again")
    if not overwrite:
        refuse_other_files(folder, card)
    texts = _read(labels, tuple(card["languages"]))
    found = _score(model, texts, card)
    adjustment = recalibrate(found.probability, found.good, found.weight)
    if adjustment.scale <= 0:
        raise RunError(f"{labels}: texts to keep score lower than those to drop; look whether the labels are the wrong way round, or "
                       "train a model on them")  # fmt: skip
    card |= {
        "identity": identity(card["identity"], texts),
        "adjustment": adjustment._asdict(),
        "percentiles": {group: adjustment.of(np.array(grid)).tolist() for group, grid in card["percentiles"].items()},
        "labelled": _worth(found),
    }
    write_model(folder, find_file(model) / BIN, card)
    return card


def _read(labels: str, languages: tuple[str, ...]) -> list[tuple[str, str, bool]]:
    """Text, language and whether it is good, in the order of the files."""
    texts = []
    for label in LABELS:
        uri = storage.join(labels, f"{label}.jsonl")
        if not storage.exists(uri):
            raise RunError(f"{uri} is missing; `corpus inspect RUN` writes it when you label documents to {label}")
        for number, line in enumerate(storage.read_bytes(uri).splitlines(), 1):
            try:
                row = orjson.loads(line)
                text, lang = row["text"], primary_subtag(row["lang"])
                if not isinstance(text, str):
                    raise TypeError
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
                raise RunError(f"{uri}: line {number}: wanted an object with `text` and `lang`, as `corpus inspect` writes it") from None
            if lang in languages:
                texts.append((text, lang, label == "keep"))
    return texts


def _score(model: str, texts: list[tuple[str, str, bool]], card: dict[str, Any]) -> _Labelled:
    text = text_buffer(pa.array([text for text, _, _ in texts], pa.large_string())).read_only()
    probability = load_model(model).probability(sums(text, sentences(text), load_model(model).weights)[0])
    good = np.array([is_good for _, _, is_good in texts], np.bool_)
    lang = np.array([card["languages"].index(lang) for _, lang, _ in texts], np.int64)
    there = ~np.isnan(probability)
    found = _Labelled(probability[there], good[there], lang[there])
    for number, name in enumerate(card["languages"]):
        counts = [int(((found.lang == number) & (found.good == is_good)).sum()) for is_good in (True, False)]
        if min(counts) < MIN_OF_CLASS:
            raise RunError(f"labels in {name}: {counts[0]} texts to keep and {counts[1]} to drop; wanted at least {MIN_OF_CLASS} of each, "
                           "better a hundred: label documents that were drawn at random")  # fmt: skip
    return found


def _worth(found: _Labelled) -> dict[str, Any]:
    """Figures before, after by cross-validation, and of perfect probabilities by chance."""
    fold = np.empty(len(found.good), np.int64)
    for is_good in (True, False):
        fold[found.good == is_good] = np.arange((found.good == is_good).sum()) % FOLDS
    after = np.empty(len(fold))
    for number in range(FOLDS):
        rest, at = fold != number, fold == number
        after[at] = recalibrate(found.probability[rest], found.good[rest], found.weight[rest]).of(found.probability[at])
    rng = np.random.default_rng(0)
    chance = [calibration_error(after, rng.random(len(after)) < after, found.weight) for _ in range(_DRAWS)]
    return {
        "keep": int(found.good.sum()),
        "drop": int((~found.good).sum()),
        "auc": round(area_under_curve(found.probability, found.good, found.weight), 4),
        "ece_before": round(calibration_error(found.probability, found.good, found.weight), 4),
        "ece_after": round(calibration_error(after, found.good, found.weight), 4),
        "ece_by_chance": round(float(np.mean(chance)), 4),
    }

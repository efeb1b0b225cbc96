"""Scores of documents that a quality model was not trained on, and what they are worth: for quality.py and quality_labels.py."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.quality.config import TrainConfig
from pipeline.quality.cross_fitting import is_good
from pipeline.quality.documents import TEST, parts, read_documents
from stages.quality.calibration import area_under_curve, balanced, calibration_error, f1
from stages.quality.model import load_model
from stages.quality.weights import sums
from stages.text.buffers import text_buffer
from stages.text.sentences import sentences


class Scored(NamedTuple):
    """Documents of sources that the model has not seen, (n,) each."""

    probability: npt.NDArray[np.float64]
    good: npt.NDArray[np.bool_]
    source: npt.NDArray[np.str_]

    def figures(self) -> dict[str, float]:
        """Classes count equally, and the sources of a class."""
        weight = balanced(self.good.astype(np.int64), np.unique(self.source, return_inverse=True)[1])
        measures = {"f1": f1, "auc": area_under_curve, "ece": calibration_error}
        return {name: round(measure(self.probability, self.good, weight), 4) for name, measure in measures.items()}


def tested(config: TrainConfig, folder: Path) -> Scored:
    """The scores of what a model was not trained on; kept in `folder/scores` for other benchmarks."""
    table = read_documents(config)
    table = table.filter(parts(table, config) == TEST)
    model = load_model(config.output)
    text = text_buffer(table["text"].combine_chunks()).read_only()
    probability = model.probability(sums(text, sentences(text), model.weights)[0])
    there = ~np.isnan(probability)
    scored = Scored(probability[there], is_good(table)[there], np.array(table["source"].to_pylist(), np.str_)[there])
    (folder / "scores").mkdir(exist_ok=True)
    np.savez(folder / "scores" / f"{config.name}.npz", **scored._asdict())
    return scored


def pooled(folds: list[Scored]) -> Scored:
    """Of several models."""
    return Scored(*(np.concatenate(column) for column in zip(*folds, strict=True)))


def intervals(scored: Scored, draws: int = 2000) -> dict[str, list[float]]:
    """90 % intervals, by drawing as many sources of each class as there are, and of each as many documents, at most 500."""
    rng = np.random.default_rng(0)
    places = {name: np.flatnonzero(scored.source == name) for name in np.unique(scored.source)}
    classes = [[name for name, at in places.items() if scored.good[at[0]] == is_positive] for is_positive in (True, False)]
    found: list[dict[str, float]] = []
    for _ in range(draws):
        drawn = [name for names in classes for name in rng.choice(names, len(names))]
        at = [rng.choice(places[name], min(len(places[name]), 500)) for name in drawn]
        source = np.repeat(np.arange(len(drawn)), list(map(len, at))).astype(np.str_)
        every = np.concatenate(at)
        found.append(Scored(scored.probability[every], scored.good[every], source).figures())
    return {name: np.quantile([one[name] for one in found], (0.05, 0.95)).round(4).tolist() for name in found[0]}

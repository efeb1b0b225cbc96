"""`corpus quality train`: read, cut, train, calibrate, measure, write the card.

The parts are sources, never documents. The probabilities are set by cross-fitting: each document is scored by a model trained without its
source, and by one trained without this document, for what is scored later comes from sources of either kind. The figures on the card come
from sources that nothing was fitted to. All is deterministic: the same files, settings and versions give the same bytes.
"""

import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import fasttext
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import RunError
from pipeline.config import as_settings
from pipeline.manifest import file_identity, identity
from pipeline.quality.card import ngram_weights
from pipeline.quality.config import NEGATIVE, POSITIVE, TrainConfig
from pipeline.quality.cross_fitting import codes_of, cross_fit, deal, is_good
from pipeline.quality.documents import TEST, input_identity, parts, read_documents
from pipeline.quality.fasttext_process import train_fasttext
from pipeline.quality.folder import described, is_whole, output_folder, refuse_other_files, what_is_there, write_model
from pipeline.quality.windows import Cut, cut, draw
from stages.quality.calibration import (
    Calibration,
    Floats,
    area_under_curve,
    balanced,
    calibration_error,
    f1,
    quantiles,
)
from stages.quality.model import BIN, KIND, TOKENS
from stages.quality.weights import BAD, GOOD, Weights, sums, weights

Parts = npt.NDArray[np.int64]

PROCESSES = 2
"""Trainings at a time."""
UNMARKED_SHARE = 0.5
"""Of the windows to train on, without `stages.quality.tokens.UNENDED`: where the mark alone tells a menu, a model does not learn its words,
and takes notices that end in a full stop for prose. AUC of English sentences .892 with all marks, .911 so (docs/quality.md)."""
MIN_DOCUMENTS = 100
MIN_OF_CLASS = 10
"""In each language; fewer tell nothing about the probability of others."""
MIN_REFERENCE = 100
"""Documents of a language and domain from which on they get percentiles of their own."""


def train(config: TrainConfig, overwrite: bool = False) -> dict[str, Any]:
    """Train a model into `config.output`, or do nothing if it is there and whole; what `model.json` says.

    Raises `RunError` for a training set that is too small or one-sided, and if the folder holds anything but this model.
    """
    output = output_folder(config.output)
    key = identity(as_settings(config), input_identity(config), _code_identity())
    there = what_is_there(output)
    if there.get("identity") == key and is_whole(output, there):
        return there | {"already_complete": True}
    who = {"name": config.name, "languages": list(config.languages), "safety": config.safety}
    if not overwrite:
        refuse_other_files(output, who)
    started = time.perf_counter()
    table = read_documents(config)
    part = parts(table, config)
    found = cut(table["text"], config.windows, np.random.default_rng(config.model.seed))
    _refuse_few(config, table, part, found)
    seconds = {"read": time.perf_counter() - started}
    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter()
        folds = range(int(part.max()) + 1)
        with ThreadPoolExecutor(PROCESSES) as pool:  # threads that wait for processes
            last, *others = pool.map(lambda fold: _fit(table, part, found, fold, config, Path(folder)), [None, *folds])
        seconds["train"] = time.perf_counter() - clock
        fitted = cross_fit(table, part, found, [one.weights for one in others])
        scored = _scores(found, last.weights, fitted.calibration)
        card = {
            "kind": KIND,
            "tokens": TOKENS,
            "identity": key,
            **who,
            "model": described(last.path.read_bytes()),
            "calibration": fitted.calibration._asdict(),
            "sentence_calibration": fitted.sentence_calibration._asdict(),
            "percentiles": _references(table, part, scored),
            "settings": as_settings(config),
            "learning_rate": last.rate,
            "data": {"input": input_identity(config), "windows": len(last.windows.document), "parts": _sources(table, part)},
            "metrics": {lang: _metrics(table, part == TEST, scored, lang) for lang in config.languages},
            "metrics_on_known_sources": {lang: _metrics(table, part != TEST, fitted.known, lang) for lang in config.languages},
            "scores": _by_source(table, part, scored),
            "ngrams": ngram_weights(last.windows, last.weights),
        }
        write_model(output, last.path, card)
    card["seconds"] = seconds | {"all": time.perf_counter() - started}
    return card


class _Fitted(NamedTuple):
    path: Path
    weights: Weights
    rate: float
    windows: Cut


def _fit(table: pa.Table, part: Parts, found: Cut, without: int | None, config: TrainConfig, folder: Path) -> _Fitted:
    """A model of all that is not held out, or of that without one fold."""
    rng = np.random.default_rng(config.model.seed)
    there = part != TEST
    if without is not None:
        there &= (part != without) & (deal(part) != without)
    usable = found.take(np.flatnonzero(there[found.document]))
    lang, good, domain = codes_of(table, "lang"), is_good(table), codes_of(table, "domain")
    windows = usable.take(draw(usable, lang, good, domain, config.windows, rng))
    lines, path = folder / f"lines-{without}", folder / f"{without}-{BIN}"
    marked = rng.random(len(windows.document)) >= UNMARKED_SHARE
    with lines.open("wb") as file:
        for window, (is_positive, is_marked) in enumerate(zip(good[windows.document].tolist(), marked.tolist(), strict=True)):
            file.write(f"{GOOD if is_positive else BAD} ".encode() + windows.line(window, is_marked) + b"\n")
    rate = train_fasttext(lines, path, config.model.as_fasttext())
    return _Fitted(path, weights(fasttext.load_model(str(path))), rate, windows)


def _code_identity() -> str:
    """Stands for what can change a model: the readers, the kernels, this package, and fastText."""
    root = Path(__file__).parents[2]
    folders = ("pipeline/quality", "pipeline/readers", "stages/quality", "stages/text")
    files = [root / "stages/normalize.py", *(file for folder in folders for file in sorted((root / folder).glob("*.py")))]
    return identity([file_identity(file) for file in files], metadata.version("fasttext"), np.__version__)


def _refuse_few(config: TrainConfig, table: pa.Table, part: Parts, found: Cut) -> None:
    """Count documents that have a window."""
    there = np.unique(found.document)
    there = there[part[there] != TEST]
    usable = len(there)
    groups = Counter(zip(*(column[there] for column in _columns(table, "lang", "kind")), strict=True))
    for group in product(config.languages, (POSITIVE, NEGATIVE)):
        if usable >= MIN_DOCUMENTS and groups[group] < MIN_OF_CLASS:
            raise RunError(f"{config.name}: {groups[group]} {group[1]}s in {group[0]} with at least {config.windows.min_tokens} tokens to "
                           f"train on, beside those held out; wanted at least {MIN_OF_CLASS}: name more sources")  # fmt: skip
    if usable < MIN_DOCUMENTS:
        raise RunError(f"{config.name}: {usable} documents with at least {config.windows.min_tokens} tokens to train on, beside those "
                       f"held out; wanted at least {MIN_DOCUMENTS}: name more sources")  # fmt: skip


def _scores(found: Cut, model: Weights, calibration: Calibration) -> Floats:
    """Probability of each document; NaN where there are no tokens."""
    documents, _ = sums(found.text, found.sentences, model)
    return np.where(documents.tokens > 0, calibration.probability(documents.margin, documents.tokens), np.nan)


def _columns(table: pa.Table, *names: str) -> list[npt.NDArray[np.object_]]:
    return [np.array(table[name].to_pylist(), object) for name in names]


def _references(table: pa.Table, part: Parts, score: Floats) -> dict[str, list[float]]:
    """Quantiles of held-out documents, half of them good, by language; and of all good ones of each domain with enough of them.

    Of most of the latter the model has seen windows, and thinks no better of them than of new ones: these are 2.9 percentiles off in the
    mean of six Chinese domains, which chance gives on so few (benchmarks/quality_references.py). Rejected: their cross-fitted scores,
    by models that lack other sources too; new documents were 8.8 percentiles off.
    """
    lang, kind, domain = _columns(table, "lang", "kind", "domain")
    scored = ~np.isnan(score)
    grids = {}
    for language in sorted(set(lang)):
        at = np.flatnonzero((part == TEST) & scored & (lang == language))
        grids[language] = quantiles(score[at], balanced(codes_of(table, "kind")[at], codes_of(table, "source")[at]))
        for name in sorted(set(domain[lang == language])):
            at = np.flatnonzero((lang == language) & (domain == name) & (kind == POSITIVE) & scored)
            if len(at) >= MIN_REFERENCE:
                grids[f"{language}/{name}"] = quantiles(score[at], np.ones(len(at)))
    return grids


def _metrics(table: pa.Table, wanted: npt.NDArray[np.bool_], score: Floats, language: str) -> dict[str, Any]:
    """F1, AUC and ECE on the wanted documents of a language; classes count equally, and the sources of a class."""
    lang, kind, source = _columns(table, "lang", "kind", "source")
    at = np.flatnonzero(wanted & (lang == language) & ~np.isnan(score))
    good, weight = kind[at] == POSITIVE, balanced(codes_of(table, "kind")[at], codes_of(table, "source")[at])
    return {
        "documents": len(at),
        "sources": sorted(set(source[at])),
        "f1": round(f1(score[at], good, weight), 4),
        "auc": round(area_under_curve(score[at], good, weight), 4),
        "ece": round(calibration_error(score[at], good, weight), 4),
    }


def _by_source(table: pa.Table, part: Parts, score: Floats) -> list[dict[str, Any]]:
    """How the documents of each source score."""
    names = ("lang", "kind", "domain", "source")
    columns = _columns(table, *names)
    rows = []
    for key in sorted(set(zip(*columns, strict=True))):
        at = np.logical_and.reduce([column == value for column, value in zip(columns, key, strict=True)]) & ~np.isnan(score)
        if at.any():
            low, middle, high = (round(float(value), 3) for value in np.quantile(score[at], (0.1, 0.5, 0.9)))
            share = round(float((score[at] >= 0.5).mean()), 4)
            rows.append(
                dict(zip(names, key, strict=True))
                | {"part": "test" if part[at][0] == TEST else "train", "documents": int(at.sum())}
                | {"good_share": share, "p10": low, "median": middle, "p90": high}
            )
    return rows


def _sources(table: pa.Table, part: Parts) -> dict[str, list[str]]:
    (source,) = _columns(table, "source")
    folds = {f"fold {fold}": sorted(set(source[part == fold])) for fold in range(int(part.max()) + 1)}
    return folds | {"test": sorted(set(source[part == TEST]))}

"""Coefficients of probabilities, from texts as scored by models that have not seen them.

Each document, with its windows and sentences, is scored by a model trained without it and without a part of the other sources. Documents
and windows set the probabilities of documents, half each; sentences have their own. Languages, classes, the domains of a class and the
sources of a domain count equally, so that ten web sites of menus weigh as much as one collection of spam.

Rejected: texts scored by models without their source as well. In 16 pseudo-tests that leave a domain out of a training the mean calibration
error was .135 with those whose domain has other sources, .152 with all, .131 without (docs/quality.md): a narrow choice, and the simplest.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.quality.config import POSITIVE
from pipeline.quality.documents import TEST
from pipeline.quality.windows import Cut
from stages.quality.calibration import Calibration, Floats, balanced, calibrate
from stages.quality.stage import MIN_TOKENS
from stages.quality.weights import Weights, sums

Parts = npt.NDArray[np.int64]

MAX_SENTENCES = 200_000
"""Evenly spread over the documents; four coefficients need no more."""
NOBODY = -1
"""In place of the model that scores a document: those that are held out, and those whose source its model was trained without."""


class CrossFitted(NamedTuple):
    """What the cross-fitted models say."""

    calibration: Calibration
    sentence_calibration: Calibration
    known: Floats
    """Probability of each document by a model that knows its source but not the document; NaN for those that none has scored."""


def cross_fit(table: pa.Table, part: Parts, found: Cut, models: list[Weights]) -> CrossFitted:
    """`models[k]` was trained without the sources of part k and without the documents that `deal` gives to k."""
    fold = np.where((part != TEST) & (part != deal(part)), deal(part), NOBODY)
    whole = np.arange(table.num_rows)
    documents, windows, of_sentences = (
        _Scored(np.zeros(len(document)), np.zeros(len(document), np.int64), document)
        for document in (whole, found.document, np.repeat(whole, np.diff(found.sentences.offsets)))
    )
    for number, model in enumerate(models):
        texts, parts = sums(found.text, found.sentences, model)
        for scored, pieces in ((documents, texts), (windows, parts.over(found.first, found.last)), (of_sentences, parts)):
            own = fold[scored.document] == number
            scored.margin[own], scored.tokens[own] = pieces.margin[own], pieces.tokens[own]
    calibration = _fit([documents.take(documents.tokens > 0), windows.take(windows.tokens > 0)], table)
    long = of_sentences.take(of_sentences.tokens >= MIN_TOKENS)
    long = long.take(np.arange(len(long.document)) % max(1, -(-len(long.document) // MAX_SENTENCES)) == 0)
    sentence_calibration = _fit([long], table, by_length=True) if len(np.unique(is_good(table)[long.document])) == 2 else calibration
    known = np.where(documents.tokens > 0, calibration.probability(documents.margin, documents.tokens), np.nan)
    return CrossFitted(calibration, sentence_calibration, known)


def deal(part: Parts) -> Parts:
    """A fold for each document, whatever its source."""
    return np.asarray(np.arange(len(part)) % (part.max() + 1), np.int64)


class _Scored(NamedTuple):
    """Texts as scored by a model that has not seen them, (m,) each; no tokens for those that none has scored."""

    margin: Floats
    tokens: npt.NDArray[np.int64]
    document: npt.NDArray[np.int64]

    def take(self, chosen: npt.NDArray[np.bool_]) -> "_Scored":
        """Some of the texts."""
        return _Scored(self.margin[chosen], self.tokens[chosen], self.document[chosen])


def _fit(groups: list[_Scored], table: pa.Table, by_length: bool = False) -> Calibration:
    margin, tokens, document = (np.concatenate(values) for values in zip(*groups, strict=True))
    group = np.repeat(np.arange(len(groups)), [len(scored.document) for scored in groups])
    lang, kind, domain, source = (codes_of(table, name)[document] for name in ("lang", "kind", "domain", "source"))
    return calibrate(margin, tokens, is_good(table)[document], balanced(lang, kind, group, domain, source), by_length)


def codes_of(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    """A number for each value of a column."""
    return np.asarray(pc.dictionary_encode(table[name].combine_chunks()).indices, np.int64)


def is_good(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Which documents are positives."""
    return np.asarray(pc.equal(table["kind"], POSITIVE))

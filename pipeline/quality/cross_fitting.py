"""Coefficients of probabilities, from texts as scored by models that have not seen them: half of these of a source not seen either.

A source that is alone in its domain and class is only seen in part: without it a model knows nothing of a whole kind, and probabilities
that allow for that are too timid for the model trained on all (docs/quality.md has both figures). Documents and windows set those of
documents, half each; sentences have their own. Languages, classes, the domains of a class and the sources of a domain count equally, so
that ten web sites of menus weigh as much as one collection of spam.
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
from stages.quality.weights import Sums, Weights, sums

Parts = npt.NDArray[np.int64]

MAX_SENTENCES = 200_000
"""Of all models together, evenly spread over the documents; four coefficients need no more."""


class CrossFitted(NamedTuple):
    """What the cross-fitted models say."""

    calibration: Calibration
    sentence_calibration: Calibration
    known: Floats
    """Probability of each document by a model that knows its source but not the document; NaN for those that none has scored."""


def cross_fit(table: pa.Table, part: Parts, found: Cut, models: list[Weights]) -> CrossFitted:
    """`models[k]` was trained without the sources of part k and without the documents that `deal` gives to k."""
    known_margin, known_tokens = np.zeros(table.num_rows), np.zeros(table.num_rows, np.int64)
    scored: list[_Scored] = []
    of_sentences: list[_Scored] = []
    whole = np.arange(table.num_rows)
    sentence_document = np.repeat(whole, np.diff(found.sentences.offsets))
    stride = max(1, -(-len(sentence_document) * 2 // MAX_SENTENCES))
    spread = np.arange(len(sentence_document)) % stride == 0
    has_siblings = _has_siblings(table, part)
    for fold, model in enumerate(models):
        documents, parts = sums(found.text, found.sentences, model)
        for is_known, unseen in enumerate(((part == fold) & has_siblings, (deal(part) == fold) & (part != fold) & (part != TEST))):
            scored.append(_Scored.of(documents, whole, unseen, 2 * is_known))
            scored.append(_Scored.of(_sums_of(found, parts), found.document, unseen, 2 * is_known + 1))
            of_sentences.append(_Scored.of(parts, sentence_document, unseen, is_known, spread & (parts.tokens >= MIN_TOKENS)))
            if is_known:
                row = scored[-2].document
                known_margin[row], known_tokens[row] = scored[-2].margin, scored[-2].tokens
    calibration = _fit(scored, table)
    classes = is_good(table)[np.concatenate([pieces.document for pieces in of_sentences])]
    sentence_calibration = _fit(of_sentences, table, by_length=True) if len(np.unique(classes)) == 2 else calibration
    known = np.where(known_tokens > 0, calibration.probability(known_margin, known_tokens), np.nan)
    return CrossFitted(calibration, sentence_calibration, known)


def _has_siblings(table: pa.Table, part: Parts) -> npt.NDArray[np.bool_]:
    """Whether a document's domain and class have several sources that are trained on."""
    names = [codes_of(table, name) for name in ("lang", "kind", "domain")]
    _, domain = np.unique(np.stack(names), axis=1, return_inverse=True)
    pairs = np.unique(np.stack([domain.reshape(-1), codes_of(table, "source")])[:, part != TEST], axis=1)
    return np.asarray(np.bincount(pairs[0], minlength=domain.max() + 1)[domain.reshape(-1)] > 1)


def deal(part: Parts) -> Parts:
    """A fold for each document, whatever its source."""
    return np.asarray(np.arange(len(part)) % (part.max() + 1), np.int64)


class _Scored(NamedTuple):
    """Texts that a model has not seen, (m,) each."""

    margin: Floats
    tokens: npt.NDArray[np.int64]
    document: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls,
        pieces: Sums,
        document: npt.NDArray[np.int64],
        unseen: npt.NDArray[np.bool_],
        group: int,
        chosen: npt.NDArray[np.bool_] | None = None,
    ) -> "_Scored":
        """The pieces of unseen documents that have tokens, and are chosen."""
        wanted = unseen[document] & (pieces.tokens > 0)
        at = np.flatnonzero(wanted if chosen is None else wanted & chosen)
        return cls(pieces.margin[at], pieces.tokens[at], document[at], np.full(len(at), group))


def _fit(scored: list[_Scored], table: pa.Table, by_length: bool = False) -> Calibration:
    margin, tokens, document, group = (np.concatenate(values) for values in zip(*scored, strict=True))
    lang, kind, domain, source = (codes_of(table, name)[document] for name in ("lang", "kind", "domain", "source"))
    return calibrate(margin, tokens, is_good(table)[document], balanced(lang, kind, group, domain, source), by_length)


def _sums_of(pieces: Cut, parts: Sums) -> Sums:
    """Of windows, from those of their sentences: as the stage scores paragraphs."""
    total, rows, tokens = (np.append(0, np.cumsum(values))[[pieces.first, pieces.last]] for values in parts)
    return Sums(total[1] - total[0], rows[1] - rows[0], tokens[1] - tokens[0])


def codes_of(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    """A number for each value of a column."""
    return np.asarray(pc.dictionary_encode(table[name].combine_chunks()).indices, np.int64)


def is_good(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Which documents are positives."""
    return np.asarray(pc.equal(table["kind"], POSITIVE))

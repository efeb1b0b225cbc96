"""From shares of domains to the weight of a document: how shares, languages, sampling weights and the cap on repetition meet.

A cell is the kept text of one domain and language. It has U bytes of text, and B bytes when each document counts by its `sampling_weight`
(duplicates, hosts, quality). With a budget of T bytes, the sum of all B if none is given:

1. The share of a domain is divided among its languages as B is.
2. Given languages divide what they have together as they are told to, with the proportions of domains within each language as they were;
   all other languages keep their share.
3. No cell gives more than `max_epochs` x U bytes; what a cap takes goes to all other cells in proportion (`stages.mixture.shares.capped`).
   If all caps together are below the budget, the budget shrinks.

A cell with the amount A gives its documents the weight A / B, and a document counts `sampling_weight` x weight times. So quality decides
within a cell and the mixture decides between cells; the cap holds for cells, while single documents of high weight may come more often.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from configs.errors import RunError
from stages.mixture.shares import Floats, capped, natural


class Cell(NamedTuple):
    """Kept text of a domain and language."""

    domain: str
    lang: str
    """The primary subtag; empty for text without a language."""
    documents: int
    num_bytes: int
    weighted_bytes: float


class Amounts(NamedTuple):
    """What each cell gives, in the order of the cells."""

    amount: Floats
    """Bytes, repetitions counted."""
    weight: Floats
    """Of a document, beside its sampling weight."""
    is_capped: tuple[bool, ...]


def amounts(
    cells: Sequence[Cell], shares: Mapping[str, float], languages: Mapping[str, float], budget: float | None, max_epochs: float
) -> Amounts:
    """Raises `RunError` if no cell has a share, or a given language has no text. Shares of missing domains go to the others.

    Without cells there is nothing to give. Weights have nine decimals, so that natural ones are exactly 1.
    """
    if not cells:
        return Amounts(np.zeros(0), np.zeros(0), ())
    different = np.array([cell.num_bytes for cell in cells], np.float64)
    weighted = np.array([cell.weighted_bytes for cell in cells])
    wanted = np.array([shares.get(cell.domain, 0.0) for cell in cells]) * weighted
    for domain in sorted({cell.domain for cell in cells}):
        own = np.array([cell.domain == domain for cell in cells])
        if weighted[own].sum() > 0:
            wanted[own] /= weighted[own].sum()
    if not wanted.sum() > 0:
        raise RunError("mixture: no kept text has a share: all of it has the sampling weight 0, or is of domains whose share is 0")
    wanted = _by_language(cells, natural(wanted), languages)
    total = weighted.sum() if budget is None else budget
    most = max_epochs * different / total
    given = capped(wanted, most)
    amount = given * total
    weight = np.divide(amount, weighted, out=np.zeros(len(cells)), where=weighted > 0)
    return Amounts(amount, np.round(weight, 9), tuple((given >= most * (1 - 1e-5)).tolist()))


def _by_language(cells: Sequence[Cell], wanted: Floats, languages: Mapping[str, float]) -> Floats:
    named = np.array([cell.lang in languages for cell in cells])
    together = wanted[named].sum()
    result = wanted.copy()
    for lang, share in sorted(languages.items()):
        own = np.array([cell.lang == lang for cell in cells])
        if share > 0 and not wanted[own].sum() > 0:
            have = ", ".join(sorted({cell.lang for cell, there in zip(cells, wanted > 0, strict=True) if there and cell.lang}))
            raise RunError(f"mixture.languages: no kept text in '{lang}' has a share of its domain; there is text in: {have}")
        if wanted[own].sum() > 0:
            result[own] *= share / sum(languages.values()) * together / wanted[own].sum()
    return result

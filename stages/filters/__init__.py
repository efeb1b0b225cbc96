"""Heuristic filters: one file for each, named like its column of scores, its key in rule files and its drop reason.

A filter is a module with `COLUMNS`, the columns that it adds, and `score(signals)`, which returns one array for each. It has no
threshold: those are in rule files (`configs/filters/`), by language and domain, and are applied by `stages.filters.rules`. To
add a filter, add one file here and one test: it is found by itself, scored, accepted in rule files, and documented in
`docs/filters.md` from its docstring. A family, such as the repetition of n-grams of several lengths, is one file with several
columns.

All scores are defined for every text, the empty one too, and are 0 where there is nothing to divide by.
"""

import pkgutil
from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.batch import Batch
from stages.text.mojibake import MojibakeCounts, mojibake_counts
from stages.text.ngrams import NgramShares, ngram_shares
from stages.text.profile import Profile
from stages.text.word_list import WordList

Scores = dict[str, npt.NDArray[np.float32] | npt.NDArray[np.int64]]
"""Column -> scores, (n,): float32 for shares and ratios, int64 for counts."""


class Signals:
    """What filters score: the shared measurements of a batch, each computed once and only if asked for."""

    def __init__(self, batch: Batch, flagged: WordList | None = None) -> None:
        self.batch = batch
        self.flagged = flagged

    @property
    def profile(self) -> Profile:
        """Counts of characters, words, lines and paragraphs."""
        return self.batch.profile

    @cached_property
    def ngrams(self) -> NgramShares:
        """Shares of repeated n-grams and of different words."""
        return ngram_shares(self.batch.text)

    @cached_property
    def mojibake(self) -> MojibakeCounts:
        """Characters that show a wrong codec."""
        return mojibake_counts(self.batch.text)


class Filter(Protocol):
    """The face of a filter module."""

    COLUMNS: tuple[pa.Field, ...]

    @staticmethod
    def score(signals: Signals) -> Scores:
        """Scores of each document for each of `COLUMNS`."""


@lru_cache(maxsize=1)
def filters() -> Mapping[str, Filter]:
    """All filters by module name: the modules of this folder that have `COLUMNS`, in alphabetical order."""
    modules = {info.name: import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}
    return {name: cast(Filter, module) for name, module in sorted(modules.items()) if hasattr(module, "COLUMNS")}


def columns() -> tuple[pa.Field, ...]:
    """Columns of all filters."""
    return tuple(field for module in filters().values() for field in module.COLUMNS)


def scores(batch: Batch, flagged: WordList | None = None) -> dict[str, pa.Array]:
    """Scores of all filters, in the order and the types of `columns()`. `flagged` holds the user's flagged words."""
    signals = Signals(batch, flagged)
    found: Scores = {}
    for module in filters().values():
        found |= module.score(signals)
    return {field.name: pa.array(found[field.name], field.type) for field in columns()}


def share(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """`part / whole`, 0 where `whole` is 0.

    >>> share(np.array([1, 0]), np.array([4, 0]))
    array([0.25, 0.  ], dtype=float32)
    """
    return (part / np.maximum(whole, 1)).astype(np.float32)

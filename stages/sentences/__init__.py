"""Sentence rules: one file for each, named like the rule that stands in `OUT/edits/`.

A rule is a module with `propose(signals)`, which returns the spans that it wants to remove: whole lines or whole sentences, never a part
of one. It has no settings and decides nothing (`stages.edits` does). To add one, write the file: it is found by its name, tested by
the contract in `tests/stages/sentences`, and its effect on real text belongs in `docs/sentence_rules.md`. A rule must not propose what
stands in a protected block (`stages.text.blocks`); `Signals.free` tells.
"""

import pkgutil
from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib import import_module
from typing import NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

from stages.text.blocks import NONE, block_kinds
from stages.text.buffers import TextBuffer
from stages.text.lines import Lines, lines
from stages.text.phrases import Phrases, PhraseSearch
from stages.text.sentences import Sentences, sentences

Mask = npt.NDArray[np.bool_]

EDGE_LINES = 8
"""So many lines from the top and from the bottom of a document, blank ones not counted, are its edges: where boilerplate stands."""


class Proposal(NamedTuple):
    """Spans as offsets into the buffer's data, in any order; each within one document."""

    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]


class Signals:
    """What rules look at: lines, blocks and sentences of a batch, each found once and only if asked for."""

    def __init__(self, text: TextBuffer, boilerplate: PhraseSearch, flagged: Phrases | None = None) -> None:
        self.text = text.read_only()
        self.boilerplate, self.flagged = boilerplate, flagged

    @cached_property
    def lines(self) -> Lines:
        """All lines."""
        return lines(self.text)

    @cached_property
    def sentences(self) -> Sentences:
        """All sentences; they tile the documents."""
        return sentences(self.text)

    @cached_property
    def free(self) -> Mask:
        """Lines that are not blank and stand in no protected block, (num_lines,)."""
        free: Mask = ~self.lines.blank & (block_kinds(self.text, self.lines) == NONE)
        return free

    @cached_property
    def from_edge(self) -> npt.NDArray[np.int64]:
        """Lines between each line and the nearer edge of its document, blank ones not counted, (num_lines,)."""
        above, below = self._above_and_below
        return np.minimum(above, below)

    @property
    def last(self) -> Mask:
        """Lines that are not blank and end a document of several, (num_lines,)."""
        above, below = self._above_and_below
        last: Mask = ~self.lines.blank & (below == 0) & (above > 0)
        return last

    @cached_property
    def _above_and_below(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Lines that are not blank before and after each line in its document."""
        written = ~self.lines.blank
        until = np.cumsum(written)
        num_lines = np.bincount(self.lines.document, minlength=len(self.text))
        first = np.repeat(np.cumsum(num_lines) - num_lines, num_lines)
        last = np.repeat(np.cumsum(num_lines) - 1, num_lines)
        return until - written - (until - written)[first], until[last] - until

    @property
    def edge(self) -> Mask:
        """Lines at the edges of their documents, (num_lines,)."""
        return self.from_edge < EDGE_LINES

    def propose_lines(self, mask: Mask) -> Proposal:
        """The free ones of some lines."""
        mask = mask & self.free
        return Proposal(self.lines.start[mask], self.lines.end[mask])


class Rule(Protocol):
    """The face of a rule module."""

    @staticmethod
    def propose(signals: Signals) -> Proposal:
        """Spans to remove."""


@lru_cache(maxsize=1)
def rules() -> Mapping[str, Rule]:
    """All rules by name: the modules of this folder that have `propose`, in alphabetical order."""
    modules = {info.name: import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}
    return {name: cast(Rule, module) for name, module in sorted(modules.items()) if hasattr(module, "propose")}

"""Heuristics: the scores of all filters as columns, and the rule files that turn them into reasons.

Scores are computed once and saved; rule files are read when documents are judged. So thresholds are tuned without computing
anything again (`corpus select`), and each rejected document shows all its scores and all rules that it fails. The filters are in
`stages/filters/`, the rules in `configs/filters/`, and what each rule removes from each kind of text is in `docs/filters.md`.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.loader import find_file
from stages.batch import Batch
from stages.filters import columns, scores
from stages.filters.rules import Bounds, RuleBook, check_columns
from stages.lists import entries
from stages.stage import Stage
from stages.text.word_list import WordList, word_list


@dataclass(frozen=True, kw_only=True)
class Heuristics(Stage):
    """Which rules judge, and changes to them."""

    key: ClassVar[str] = "heuristics"

    rules: tuple[str, ...] = ("filters/en.yaml", "filters/zh.yaml")
    """Rule files, from the working directory or the shipped `configs/`. Every file that has a document's language judges it."""
    overrides: dict[str, Bounds] = field(default_factory=dict)
    """Bounds laid over those of every file and domain, by column: `--set stages.heuristics.overrides.num_words.min=20`."""

    flagged_words: tuple[str, ...] = ()
    """Your lists of flagged words in any language, an entry a line; `flagged_words_per_word` scores them. None are shipped."""

    def __post_init__(self) -> None:
        check_columns(self.overrides)

    def adds(self) -> tuple[pa.Field, ...]:
        """Columns of all filters, whatever the rules use: rules can be added later."""
        return columns()

    def annotate(self, batch: Batch) -> Batch:
        """Score every document."""
        return batch.with_columns(scores(batch, self._flagged))

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """Rows that break a rule, by column."""
        return self._rule_book.failing(columns)

    def computed_by(self) -> dict[str, Any]:
        """The lists of flagged words: no other setting enters a score."""
        return {"flagged_words": self.flagged_words} if self.flagged_words else {}

    def files(self) -> tuple[str, ...]:
        """The rule files and the lists of flagged words."""
        return (*self.rules, *self.flagged_words)

    def model_files(self) -> tuple[str, ...]:
        """The lists of flagged words, whose content enters a score."""
        return self.flagged_words

    def describe(self) -> tuple[str, ...]:
        """How many rules each file holds, and for which languages."""
        lines = []
        for file in self._rule_book.files:
            languages = ", ".join(sorted(file.languages))
            kinds = f", replaced for {' and '.join(file.kinds)}" if file.kinds else ""
            rules = f"{len(file.rules)} rules for {languages}, changed for {len(file.domains)} domains{kinds}"
            lines.append(f"{find_file(file.name)}: {rules}")
        return tuple(lines)

    @cached_property
    def _flagged(self) -> WordList | None:
        return word_list(entry for file in self.flagged_words for entry in entries(file)) if self.flagged_words else None

    @cached_property
    def _rule_book(self) -> RuleBook:
        return RuleBook(self.rules, self.overrides)

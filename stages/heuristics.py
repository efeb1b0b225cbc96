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
from stages.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Heuristics(Stage):
    """Which rules judge, and changes to them."""

    key: ClassVar[str] = "heuristics"

    rules: tuple[str, ...] = ("filters/en.yaml", "filters/zh.yaml")
    """Rule files, from the working directory or the shipped `configs/`. Every file that has a document's language judges it."""
    overrides: dict[str, Bounds] = field(default_factory=dict)
    """Bounds laid over those of every file and domain, by column: `--set stages.heuristics.overrides.num_words.min=20`."""

    def __post_init__(self) -> None:
        check_columns(self.overrides)

    def adds(self) -> tuple[pa.Field, ...]:
        """Columns of all filters, whatever the rules use: rules can be added later."""
        return columns()

    def annotate(self, batch: Batch) -> Batch:
        """Score every document."""
        return batch.with_columns(scores(batch))

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """Rows that break a rule, by column."""
        return self._rule_book.failing(columns)

    def computed_by(self) -> dict[str, Any]:
        """Nothing: scores have no settings."""
        return {}

    def files(self) -> tuple[str, ...]:
        """The rule files."""
        return self.rules

    def describe(self) -> tuple[str, ...]:
        """How many rules each file holds, and for which languages."""
        lines = []
        for file in self._rule_book.files:
            languages = ", ".join(sorted(file.languages))
            lines.append(f"{find_file(file.name)}: {len(file.rules)} rules for {languages}, changed for {len(file.domains)} domains")
        return tuple(lines)

    @cached_property
    def _rule_book(self) -> RuleBook:
        return RuleBook(self.rules, self.overrides)

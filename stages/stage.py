"""What a stage is: a frozen dataclass whose fields are its YAML keys, which says what it reads and what it adds.

Stages annotate; `select` decides. A stage never removes a row: it adds columns (`annotate`), and tells which rows it speaks against
(`reasons`). Thresholds are read by `reasons` alone, so they can be changed afterwards without computing anything again. Therefore
each stage says which of its settings its columns depend on (`computed_by`), and the manifest keys intermediate results by those.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.batch import Batch
from stages.schema import DOCUMENT


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Base of all stages. `key` is the YAML key and the stage's name everywhere."""

    key: ClassVar[str]
    reads: ClassVar[tuple[str, ...]] = ("text",)
    judges: ClassVar[bool] = True
    """Whether the stage can speak against a document; the waterfall has a row for each that can."""
    proposes: ClassVar[bool] = False
    """Whether the stage proposes spans to remove, in a column `<key>_spans`; `stages.edits` decides about their union."""

    def adds(self) -> tuple[pa.Field, ...]:
        """Columns that `annotate` adds, with their types."""
        return ()

    def annotate(self, batch: Batch) -> Batch:
        """The local part: pure, independent of batch size and of every other document."""
        return batch

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """Which rows this stage speaks against, by reason: a mask of length n for each reason that hits at least one row.

        `columns` holds all columns but the text. Rows with a `fault` are never spoken against: the fault is their reason.
        """
        return {}

    def excuses(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """Which rows this stage excuses from all reasons of another one, by that stage's key: masks of length n. Read like `reasons`."""
        return {}

    def weights(self, columns: pa.Table) -> npt.NDArray[np.float64] | None:
        """How much each document counts when the corpus is sampled, relative to 1, (n,); None where the stage has no say.

        Read when documents are selected, like `reasons`. The weights of all stages multiply into the corpus' `sampling_weight`.
        """
        return None

    def computed_by(self) -> dict[str, Any]:
        """Settings that the added columns depend on; those that only `reasons` reads are left out."""
        return dataclasses.asdict(self)

    def files(self) -> tuple[str, ...]:
        """Files that the stage needs: models, rule files, lists. Planning fails if one is missing."""
        return ()

    def model_files(self) -> tuple[str, ...]:
        """Those of `files` whose content changes the added columns."""
        return ()

    def check(self) -> None:
        """Raises `ConfigError` if what `files` hold cannot be used, where that is known only by reading them."""

    def describe(self) -> tuple[str, ...]:
        """Lines for the plan: what these settings will do, in numbers."""
        return ()


def fold_schemas(stages: Iterable[Stage]) -> pa.Schema:
    """The schema of a shard: `DOCUMENT` and what each stage adds, in order."""
    schema = DOCUMENT
    for stage in stages:
        for field in stage.adds():
            if field.name not in schema.names:
                schema = schema.append(field)
    return schema

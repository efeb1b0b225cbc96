"""The stage `safety`: scores for kinds of unwanted text by lists of phrases, to drop documents or let them count less."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import ConfigError
from configs.loader import Between, Positive, SettingError
from stages.batch import Batch
from stages.lists import entries
from stages.safety.density import Weighted, compile_weighted, densest_window
from stages.stage import Stage

KINDS = ("porn", "gambling", "fraud", "hate")
REJECT_FROM = 3.0
"""Three phrases that say it, and nobody who writes about it."""
_ENTRY = re.compile(r"(.+?)(?:\s+(-?\d+(?:\.\d+)?))?")

Scores = dict[str, Annotated[float, Between(0)]]


@dataclass(frozen=True, kw_only=True)
class Safety(Stage):
    """Lists, and what their scores do. A score is the largest sum of weights of different phrases within a window of the text."""

    key: ClassVar[str] = "safety"

    lists: dict[str, tuple[str, ...]] = field(default_factory=lambda: {kind: (f"safety/{kind}.txt",) for kind in KINDS})
    """Kind -> files of phrases (`phrase` or `phrase weight`, a line each), shipped or your own; a kind's name is its column and reason."""
    window_bytes: Positive = 600
    """How close phrases must stand to add up: 200 Chinese characters, 600 letters."""
    reject_from: Scores | None = None
    """Kind -> score from which on a document is rejected as `safety_<kind>`, not given: 3 for each; a kind left out rejects nothing."""
    down_weight_from: Scores = field(default_factory=dict)
    """Kind -> score from which on a document that is kept counts less: by this score over its own."""

    def __post_init__(self) -> None:
        for name in ("reject_from", "down_weight_from"):
            if unknown := [kind for kind in getattr(self, name) or () if kind not in self.lists]:
                raise SettingError(name, f"got '{unknown[0]}', wanted one of {', '.join(self.lists)}: the kinds of `lists`")
        if bad := [kind for kind in self.lists if not re.fullmatch(r"[a-z][a-z0-9_]*", kind)]:
            raise SettingError("lists", f"got the kind '{bad[0]}'; it names a column: wanted small letters, digits and _")

    def adds(self) -> tuple[pa.Field, ...]:
        """`safety_<kind>`, the score of each list."""
        return tuple(pa.field(f"safety_{kind}", pa.float32()) for kind in self.lists)

    def annotate(self, batch: Batch) -> Batch:
        """Look for the phrases of each list."""
        scores = densest_window(batch.text, compile_lists(tuple(self.lists.values())), self.window_bytes)
        return batch.with_columns({f"safety_{kind}": pa.array(scores[:, number].copy()) for number, kind in enumerate(self.lists)})

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """`safety_<kind>`."""
        found = {f"safety_{kind}": columns[f"safety_{kind}"].to_numpy() >= np.float32(score) for kind, score in self._rejecting.items()}
        return {reason: mask for reason, mask in found.items() if mask.any()}

    @property
    def _rejecting(self) -> dict[str, float]:
        return dict.fromkeys(self.lists, REJECT_FROM) if self.reject_from is None else self.reject_from

    def weights(self, columns: pa.Table) -> npt.NDArray[np.float64] | None:
        """Below 1 from `down_weight_from` on; of several kinds the product."""
        if not self.down_weight_from:
            return None
        weights = np.ones(columns.num_rows)
        for kind, score in self.down_weight_from.items():
            own = columns[f"safety_{kind}"].to_numpy().astype(np.float64)
            weights *= np.where(own > score, score / np.maximum(own, 1e-9), 1.0)
        return weights

    def computed_by(self) -> dict[str, Any]:
        """Lists and window; what scores do is decided when documents are selected."""
        return {"lists": self.lists, "window_bytes": self.window_bytes}

    def files(self) -> tuple[str, ...]:
        """The lists."""
        return tuple(file for files in self.lists.values() for file in files)

    def model_files(self) -> tuple[str, ...]:
        """The lists: their content decides the scores."""
        return self.files()

    def check(self) -> None:
        """Reads the lists."""
        compile_lists(tuple(self.lists.values()))

    def describe(self) -> tuple[str, ...]:
        """How many phrases each list has, and what rejects."""
        sizes = ", ".join(f"{kind} {len(read_list(files))}" for kind, files in self.lists.items())
        return (
            f"phrases: {sizes}",
            f"rejects from: {', '.join(f'{kind} {score:g}' for kind, score in self._rejecting.items()) or 'nothing'}",
        )


@lru_cache(maxsize=4)
def compile_lists(lists: tuple[tuple[str, ...], ...]) -> Weighted:
    """The phrases of the files of each list."""
    return compile_weighted([read_list(files) for files in lists])


def read_list(files: tuple[str, ...]) -> dict[str, float]:
    """Phrase -> weight. Raises `ConfigError` for files without a phrase."""
    weights: dict[str, float] = {}
    for file in files:
        for entry in entries(file):
            match = _ENTRY.fullmatch(entry)
            assert match is not None, "an entry has at least one character"
            weights[match[1].lower()] = float(match[2] or 1)
    if not weights:
        raise ConfigError(f"{', '.join(files) or 'an empty list of files'}: no phrase; wanted one a line")
    return weights

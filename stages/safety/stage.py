"""The stage `safety`: scores for kinds of unwanted text, to drop documents or let them count less.

| column | what it is |
|---|---|
| `safety_<kind>` | the densest window of the kind's phrases (`stages.safety.density`) |
| `safety_<kind>_probability` | that of a trained model, if the kind and other text were equally frequent; null without a model |

A kind may have a list, models, or both. What scores do is read when documents are selected.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import ConfigError
from configs.loader import Between, Positive, SettingError, Share, find_file
from stages.batch import Batch
from stages.lists import entries
from stages.quality.model import check_model, describe_model, load_model, model_files, rows_by_language
from stages.quality.weights import sums
from stages.safety.density import Weighted, compile_weighted, densest_window
from stages.stage import Stage
from stages.text.buffers import text_buffer
from stages.text.sentences import sentences

KINDS = ("porn", "gambling", "fraud", "hate")
REJECT_FROM = 3.0
"""Three phrases that say it, and nobody who writes about it."""
KIND = r"[a-z][a-z0-9_]*"
"""A kind's name is part of columns and reasons."""
MOST_WEIGHT = 100
"""A larger number is no weight but the end of a phrase, as in bet 365."""
_ENTRY = re.compile(r"(.+?)(?:\s+(-?\d+(?:\.\d+)?))?")

Scores = dict[str, Annotated[float, Between(0)]]
Shares = dict[str, Share]


@dataclass(frozen=True, kw_only=True)
class Safety(Stage):
    """Lists and models, and what their scores do. A list's score: the largest sum of weights of different phrases within a window."""

    key: ClassVar[str] = "safety"
    reads: ClassVar[tuple[str, ...]] = ("text", "lang")

    lists: dict[str, tuple[str, ...]] = field(default_factory=lambda: {kind: (f"safety/{kind}.txt",) for kind in KINDS})
    """Kind -> files of phrases (`phrase` or `phrase weight`, a line each), shipped or your own; a kind's name is its column and reason."""
    window_bytes: Positive = 600
    """How close phrases must stand to add up: 200 Chinese characters, 600 letters."""
    reject_from: Scores | None = None
    """Kind -> score from which on a document is rejected as `safety_<kind>`, not given: 3 for each; a kind left out rejects nothing."""
    down_weight_from: Scores = field(default_factory=dict)
    """Kind -> score from which on a document that is kept counts less: by this score over its own."""
    models: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    """Kind -> language -> folders that `corpus quality train` wrote with `safety: KIND`; of several the mean probability."""
    reject_from_probability: Shares = field(default_factory=dict)
    """Kind -> probability from which on a document is rejected as `safety_<kind>_probability`; a kind left out rejects nothing."""
    down_weight_from_probability: Shares = field(default_factory=dict)
    """Kind -> probability from which on a document that is kept counts less, evenly down to 0 at probability 1."""

    def __post_init__(self) -> None:
        for name in ("reject_from", "down_weight_from"):
            if unknown := [kind for kind in getattr(self, name) or () if kind not in self.lists]:
                raise SettingError(name, f"got '{unknown[0]}', wanted one of {', '.join(self.lists)}: the kinds of `lists`")
        for name in ("reject_from_probability", "down_weight_from_probability"):
            if unknown := [kind for kind in getattr(self, name) if kind not in self.models]:
                known = ", ".join(self.models) or "none is given"
                raise SettingError(name, f"got '{unknown[0]}', wanted one of the kinds of `models`: {known}")
        for name in ("lists", "models"):
            if bad := [kind for kind in getattr(self, name) if not re.fullmatch(KIND, kind)]:
                raise SettingError(name, f"got the kind '{bad[0]}'; it names a column: wanted small letters, digits and _")
        if not self.lists and not self.models:
            raise SettingError("lists", "got none, and no models; without the stage there are no scores either")
        for kind, languages in self.models.items():
            if not languages or not all(languages.values()):
                raise SettingError("models", f"got none for {kind}, wanted a model for each language, as in {{zh: [out/{kind}_zh]}}")
        if both := [kind for kind in self.models if f"{kind}_probability" in self.lists]:
            raise SettingError("lists", f"got the kind '{both[0]}_probability', which is the column of the model of '{both[0]}'")

    def adds(self) -> tuple[pa.Field, ...]:
        """The score of each list, and the probability of each kind with a model."""
        names = (*self.lists, *(f"{kind}_probability" for kind in self.models))
        return tuple(pa.field(f"safety_{name}", pa.float32()) for name in names)

    def annotate(self, batch: Batch) -> Batch:
        """Look for the phrases of each list, and ask the models."""
        columns = {}
        if self.lists:
            scores = densest_window(batch.text, compile_lists(tuple(self.lists.values())), self.window_bytes)
            columns = {f"safety_{kind}": pa.array(scores[:, number].copy()) for number, kind in enumerate(self.lists)}
        for kind, values in self._probabilities(batch).items():
            columns[f"safety_{kind}_probability"] = pa.array(values.astype(np.float32), mask=np.isnan(values))
        return batch.with_columns(columns)

    def _probabilities(self, batch: Batch) -> dict[str, npt.NDArray[np.float64]]:
        """Of each kind, (n,); NaN for texts without tokens and in languages without a model."""
        found = {kind: np.full(len(batch), np.nan) for kind in self.models}
        for language, rows in (rows_by_language(batch["lang"]) if self.models else {}).items():
            models = {kind: languages[language] for kind, languages in self.models.items() if language in languages}
            if models:
                text = text_buffer(batch["text"].take(pa.array(rows))).read_only()
                cut = sentences(text)
            for kind, folders in models.items():
                loaded = [load_model(folder) for folder in folders]
                found[kind][rows] = np.mean([1 - model.probability(sums(text, cut, model.weights)[0]) for model in loaded], axis=0)
        return found

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """`safety_<kind>` and `safety_<kind>_probability`."""
        bounds = self._rejecting | {f"{kind}_probability": share for kind, share in self.reject_from_probability.items()}
        found = {f"safety_{name}": columns[f"safety_{name}"].to_numpy() >= np.float32(bound) for name, bound in bounds.items()}
        return {reason: mask for reason, mask in found.items() if mask.any()}

    @property
    def _rejecting(self) -> dict[str, float]:
        return dict.fromkeys(self.lists, REJECT_FROM) if self.reject_from is None else self.reject_from

    def weights(self, columns: pa.Table) -> npt.NDArray[np.float64] | None:
        """Below 1 from `down_weight_from` and `down_weight_from_probability` on; of several the product."""
        if not self.down_weight_from and not self.down_weight_from_probability:
            return None
        weights = np.ones(columns.num_rows)
        for kind, score in self.down_weight_from.items():
            own = columns[f"safety_{kind}"].to_numpy().astype(np.float64)
            weights *= np.where(own > score, score / np.maximum(own, 1e-9), 1.0)
        for kind, share in self.down_weight_from_probability.items():
            own = columns[f"safety_{kind}_probability"].to_numpy().astype(np.float64)
            weights *= np.where(own > share, (1 - own) / max(1 - share, 1e-9), 1.0)
        return weights

    def computed_by(self) -> dict[str, Any]:
        """Lists, window and models; what scores do is decided when documents are selected."""
        return {"lists": self.lists, "window_bytes": self.window_bytes, "models": self.models}

    def files(self) -> tuple[str, ...]:
        """The lists, and two of each model. Raises `ConfigError` if a folder has none."""
        lists = tuple(file for files in self.lists.values() for file in files)
        try:
            return lists + tuple(file for _, _, folder in self._trained for file in model_files(folder))
        except ConfigError as error:
            raise ConfigError(f"stages.safety.models: {error}") from None

    def model_files(self) -> tuple[str, ...]:
        """All of them: their content decides the scores."""
        return self.files()

    def check(self) -> None:
        """Raises `ConfigError` for a list without phrases, and a model that is damaged or for another kind or language."""
        compile_lists(tuple(self.lists.values()))
        for kind, language, folder in self._trained:
            check_model(folder, language, kind)

    @property
    def _trained(self) -> list[tuple[str, str, str]]:
        """Kind, language and folder of each model."""
        named = ((kind, lang, folders) for kind, languages in self.models.items() for lang, folders in languages.items())
        return [(kind, lang, folder) for kind, lang, folders in named for folder in folders]

    def describe(self) -> tuple[str, ...]:
        """How many phrases each list has, and what rejects."""
        sizes = ", ".join(f"{kind} {len(read_list(files))}" for kind, files in self.lists.items())
        bounds = [*self._rejecting.items(), *((f"{kind} probability", share) for kind, share in self.reject_from_probability.items())]
        promised = ((kind, lang, folder, describe_model(folder)["metrics"][lang]) for kind, lang, folder in self._trained)
        return (
            f"phrases: {sizes or 'none'}",
            *(f"{kind}, {lang}: {folder}, AUC {test['auc']:.2f}, ECE {test['ece']:.2f} on sources that it was not trained on"
              for kind, lang, folder, test in promised),
            f"rejects from: {', '.join(f'{kind} {score:g}' for kind, score in bounds) or 'nothing'}",
        )  # fmt: skip


@lru_cache(maxsize=4)
def compile_lists(lists: tuple[tuple[str, ...], ...]) -> Weighted:
    """The phrases of the files of each list."""
    return compile_weighted([read_list(files) for files in lists])


def read_list(files: tuple[str, ...]) -> dict[str, float]:
    """Phrase -> weight. Raises `ConfigError` for files without a phrase, and for a weight that must be a part of its phrase."""
    weights: dict[str, float] = {}
    for file in files:
        for entry in entries(file):
            match = _ENTRY.fullmatch(entry)
            assert match is not None, "an entry has at least one character"
            weight = float(match[2] or 1)
            if abs(weight) > MOST_WEIGHT:
                raise ConfigError(
                    f"{file}:{_line(file, entry)}: '{entry}' gives '{match[1]}' the weight {match[2]}, wanted -{MOST_WEIGHT} to "
                    f"{MOST_WEIGHT}; a phrase that ends in a number needs a weight of its own: '{entry} 1'"
                )
            weights[match[1].lower()] = weight
    if not weights:
        raise ConfigError(f"{', '.join(files) or 'an empty list of files'}: no phrase; wanted one a line")
    return weights


def _line(file: str, entry: str) -> int:
    lines = find_file(file).read_text(encoding="utf-8-sig").split("\n")
    return 1 + [line.strip() for line in lines].index(entry)

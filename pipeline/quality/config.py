"""What a quality model is trained on, as its YAML says it."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from configs.loader import Between, Positive, SettingError, load, override, read_yaml
from pipeline.config import Source
from stages.normalize import Normalize
from stages.quality.weights import MAX_NGRAMS
from stages.safety.stage import KIND

POSITIVE, NEGATIVE = "positive", "negative"


@dataclass(frozen=True, kw_only=True)
class RejectedBy:
    """Documents that a finished run rejected."""

    run: str
    """Its output folder."""
    reasons: tuple[str, ...]
    """Documents with one of these reasons, as the ledger names them; copies of good documents are no bad ones."""
    max_documents: Positive = 20_000
    """Of each source at most so many in the model's languages, the first ones by a hash of their ids."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """How texts are cut and drawn, so that neither length nor kind of text tells good from bad."""

    min_tokens: Positive = 6
    max_tokens: Positive = 512
    """Each window is a run of whole sentences until it has so many tokens; how many is drawn, evenly on a logarithmic scale."""
    max_windows: Positive = 40_000
    """Windows of each language and class to train on; of each length as many good as bad ones."""
    max_repeats: Positive = 3
    """How often a window may be taken where its class has too few of its length."""

    def __post_init__(self) -> None:
        if self.min_tokens > self.max_tokens:
            raise SettingError("min_tokens", f"got {self.min_tokens}, more than max_tokens, which is {self.max_tokens}")


@dataclass(frozen=True, kw_only=True)
class Model:
    """FastText's settings."""

    dim: Annotated[int, Between(2, 1024)] = 32
    bucket: Annotated[int, Between(1 << 8, 1 << 24)] = 1 << 18
    """Rows for n-grams, a power of two: 34 MB at `dim` 32."""
    word_ngrams: Annotated[int, Between(1, MAX_NGRAMS)] = 2
    epochs: Positive = 5
    learning_rate: Annotated[float, Between(0.0001, 2)] = 0.3
    """Halved when fastText meets NaN."""
    min_count: Positive = 3
    """Rarer tokens have no vector of their own."""
    seed: int = 17

    def __post_init__(self) -> None:
        if self.bucket & (self.bucket - 1):
            nearest = 1 << (self.bucket.bit_length() - 1)
            raise SettingError("bucket", f"got {self.bucket}, wanted a power of two such as {nearest}")

    def as_fasttext(self) -> dict[str, Any]:
        """The same under fastText's names."""
        return {"dim": self.dim, "bucket": self.bucket if self.word_ngrams > 1 else 0, "wordNgrams": self.word_ngrams, "epoch": self.epochs,
                "lr": self.learning_rate, "minCount": self.min_count, "seed": self.seed}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One model."""

    name: str
    output: str
    """Folder of the model, on this machine."""
    languages: tuple[str, ...]
    """Languages of the model, as `measure` names them; texts in others are left out. `zh` covers zh-hans and zh-hant."""
    positives: tuple[Source, ...]
    """Sources of good text, with the reader's settings of a run."""
    negatives: tuple[Source, ...] = ()
    rejected: tuple[RejectedBy, ...] = ()
    normalize: Normalize = field(default_factory=Normalize)
    """As in the runs that the model will score for."""
    safety: str | None = None
    """Makes a model for the stage `safety`: the kind of text that the negatives are, such as porn; the positives are any other text."""
    parts: Annotated[int, Between(1, 100)] = 1
    """Each source is cut into so many runs of documents, in the order of files and records, and each run counts as a source, `name/0`, ...

    So one folder of good and one of bad texts are enough to train and test on, if what stands far apart in them has other origins.
    """
    held_out: tuple[str, ...] = ()
    """Sources that give the figures on the card and are not trained on, by name; dealt by a hash of the names for a class with none."""
    folds: Annotated[int, Between(2, 20)] = 5
    """Parts of the other sources for cross-fitting: each is scored by a model trained on the others, which sets the probabilities."""
    windows: Windows = Windows()
    model: Model = Model()
    max_bytes_per_source: Positive = 64 << 20
    """Files of a source are read until they hold so many bytes, and of what a run rejected of one no more text is taken."""

    def __post_init__(self) -> None:
        if not self.languages:
            raise SettingError("languages", "got none, wanted at least one, such as zh")
        if not self.positives:
            raise SettingError("positives", "got none; a model learns from good and bad texts")
        if not self.negatives and not self.rejected:
            raise SettingError("negatives", "got none, and no rejected documents of a run; a model learns from good and bad texts")
        if self.safety is not None and not re.fullmatch(KIND, self.safety):
            raise SettingError("safety", f"got '{self.safety}'; it names columns: wanted small letters, digits and _")
        names = [source.name for source in (*self.positives, *self.negatives)]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise SettingError("negatives", f"the name '{min(repeated)}' stands twice")
        if not self.rejected and (unknown := set(self.held_out) - set(self.names)):
            raise SettingError("held_out", f"no source is called '{min(unknown)}'; there are: {', '.join(self.names)}")

    @property
    def names(self) -> list[str]:
        """Of the sources that the configuration itself names, and of their parts."""
        names = [source.name for source in (*self.positives, *self.negatives)]
        return names + [f"{name}/{part}" for name in names for part in range(self.parts) if self.parts > 1]


def load_training(path: str | Path, overrides: tuple[str, ...] = ()) -> TrainConfig:
    """Read a training YAML and apply `--set` overrides. Raises `ConfigError` with file, line and place."""
    root = read_yaml(path)
    for assignment in overrides:
        override(root, assignment)
    return load(TrainConfig, root)

"""What is compared, on which texts, and how the figures are made."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from configs.errors import ConfigError
from configs.loader import Between, Bytes, Positive, SettingError, Share
from model.presets import PRESETS
from pipeline.compression.published import RATES
from tokenizer.recipe import Weight


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A tokenizer: a file of its own, or a preset to be learnt from the texts that are not held out."""

    name: str
    """In tables and plots."""
    path: str | None = None
    """A .model, tokenizer.json or .tiktoken file, or a folder with one of them."""
    preset: str | None = None
    """A preset of `corpus tokenizer train`; the tokenizer is written to `OUTPUT/tokenizers/NAME`."""
    vocab_size: Positive | None = None
    """Instead of the preset's."""
    published: str | None = None
    """Its name in the published tables, to show its rate beside the measured one."""
    split: str | None = None
    """Of a .tiktoken file that is of no known size: qwen, cl100k, gpt2, o200k, or a regular expression."""

    def __post_init__(self) -> None:
        if (self.path is None) == (self.preset is None):
            raise SettingError("path", f"'{self.name}' has {'neither' if self.path is None else 'both'}, wanted a path or a preset")
        if not self.name.strip() or (self.preset and "/" in self.name):
            raise SettingError("name", f"got '{self.name}', wanted a word; of a preset without /, for it names a folder")
        if self.published is not None and self.published not in RATES:
            raise SettingError("published", f"got '{self.published}', wanted one of {', '.join(RATES)}")
        if self.vocab_size is not None and self.preset is None:
            raise SettingError("vocab_size", f"'{self.name}' is a file, which has its size; set it with a preset")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How figures are made, the same for comparisons and sweeps."""

    texts: tuple[str, ...]
    """Output folders of corpus runs, or files, folders and globs of documents."""
    output: str
    """Folder for the report."""
    held_out_seed: int = 1
    """Another number holds out other texts."""
    context: Positive = 4096
    """Tokens, for the effective context in characters."""
    replicates: Annotated[int, Between(0, 100_000)] = 1000
    """Draws of documents for the intervals; 0 for no intervals."""
    seed: int = 17
    """Of the draws, and of trainings."""

    def __post_init__(self) -> None:
        if not self.texts:
            raise SettingError("texts", "got none, wanted at least one folder or file")


@dataclass(frozen=True, kw_only=True)
class CompareConfig(Figures):
    """One comparison: all tokenizers on the same texts."""

    tokenizers: tuple[Candidate, ...]
    """The first is what the others are compared with."""
    held_out: Share = 1.0
    """This share of the texts is measured, by hash of the id: those that a training with the same `held_out` leaves out. 1 for all."""
    hidden_size: Positive = 4096
    """Of the model whose embedding parameters are shown."""

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [candidate.name for candidate in self.tokenizers]
        if not names:
            raise SettingError("tokenizers", "got none, wanted at least one")
        if repeated := next((name for name in names if names.count(name) > 1), None):
            raise SettingError("tokenizers", f"two are called '{repeated}'; name them apart, as in --tokenizer NAME=PATH")
        if any(candidate.preset for candidate in self.tokenizers) and self.held_out == 1:
            raise SettingError("held_out", "got 1, so that no text is left for a preset to learn from; wanted a share such as .1")


@dataclass(frozen=True, kw_only=True)
class SweepConfig(Figures):
    """Vocabularies of many sizes, learnt from the texts that are not held out and measured on those that are."""

    held_out: Annotated[float, Between(0.001, 0.9)] = 0.1
    """This share of the texts is measured, by hash of the id."""
    preset: str = "baichuan2"
    """A preset of `corpus tokenizer train`; its size and coverage do not count."""
    sizes: tuple[Positive, ...] = (2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000)
    """Numbers of ids. What the text does not allow is refused with its reason."""
    coverages: tuple[Annotated[float, Between(0.98, 1)], ...] = (0.9999, 0.9995, 0.998, 0.99, 0.98)
    """Shares of characters that get ids of their own; the highest that leaves half of the ids to merges is taken."""
    languages: dict[str, Weight] = field(default_factory=dict)
    """How often texts of a language count in training, as in `corpus tokenizer train`."""
    domains: dict[str, Weight] = field(default_factory=dict)
    """The same for domains."""
    models: tuple[str, ...] = ("scaling-11m", "scaling-108m", "scaling-307m", "1b", "scaling-3b", "baichuan2-7b", "baichuan2-13b")
    """Presets of models for which the cost of a vocabulary is shown."""
    memory: Bytes = 8_000_000_000
    """What training may hold."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("sizes", "coverages", "models"):
            if not getattr(self, key):
                raise SettingError(key, "got none, wanted at least one")
        if unknown := [name for name in self.models if name not in PRESETS]:
            raise SettingError("models", f"got '{unknown[0]}', wanted some of {', '.join(PRESETS)}")


def candidate(text: str) -> dict[str, str]:
    """`NAME=PATH`, or a path that names itself: by its folder, or by its file up to the first dot. Raises `ConfigError`."""
    name, equals, path = text.partition("=")
    if equals and not Path(text).exists():
        if not name or not path:
            raise ConfigError(f"--tokenizer {text}: wanted PATH or NAME=PATH")
        return {"name": name, "path": path}
    own = Path(text)
    stem = own.name.partition(".")[0]
    return {"name": own.resolve().parent.name if stem == "tokenizer" and not own.is_dir() else stem or text, "path": text}

"""What to measure of a model: read from YAML, or made from options of the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from configs.errors import ConfigError
from configs.loader import Between, Count, Positive, SettingError, load, load_with_options, parse_yaml, read_yaml


@dataclass(frozen=True, kw_only=True)
class QuestionSet:
    """Single-choice questions with four options, of which one is right."""

    name: str
    """How the report calls it."""
    path: str
    """A file, or a folder of files, one a subject, as their publishers distribute them."""
    format: Literal["auto", "cmmlu", "ceval", "mmlu", "gaokao", "agieval", "jsonl", "csv"] = "auto"
    """As of the stage `decontaminate`, which reads the same files."""
    protocol: Literal["ceval", "mmlu"] = "ceval"
    """Chinese or English header and cue."""
    examples: str | None = None
    """A file or folder with the questions that are shown first, matched by subject. Default: some of the questions themselves, by hash,
    which are then not asked."""
    shots: Count = 5
    """So many examples at most."""
    subjects: str | None = None
    """A YAML file from file names to the subjects' names in prompts. Default, and for files not in it: the file's name in words."""


@dataclass(frozen=True, kw_only=True)
class PositionSettings:
    """Perplexity by position, within and beyond the trained length."""

    beyond: Annotated[float, Between(1)] = 2.0
    """The last position, in trained lengths."""
    rows: Positive = 16
    """Parts of equal length, of which each gets a figure."""
    documents: Positive = 64
    """So many of the texts at most, the first that are long enough."""


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """An evaluation."""

    model: str
    """Folder with config.json and weights."""
    output: str = "out/evaluation"
    """Folder for the figures and rows."""
    tokenizer: str | None = None
    """`bytes`, a .model file, or a folder with tokenizer.model. Default: the model's folder."""
    texts: tuple[str, ...] = ()
    """Held-out texts: `heldout/` of runs, their whole folders (the corpus), files or globs of any format that a source may have."""
    documents_per_domain: Count = 0
    """So many of each language and domain, by hash of seed and id; 0: all."""
    positions: PositionSettings | None = None
    """Give it, if only as `{}`, to measure perplexity by position of the texts."""
    questions: tuple[QuestionSet, ...] = ()
    harness: tuple[str, ...] = ()
    """Tasks of lm-evaluation-harness, which fetches its data itself; needs the extra `harness`."""
    length: Positive | None = None
    """Tokens of context at most. Default: the model's trained length."""
    stride: Positive | None = None
    """By how many tokens windows of a long text move. Default: half of `length`."""
    batch: Positive = 8
    """Sequences at a time; changes memory and speed, no figure."""
    begin: Literal["none", "bos", "eos"] = "none"
    """The id before each text. `none`, as our packed documents have none: the first token costs ln(vocabulary)."""
    dtype: Literal["stored", "float32", "bfloat16"] = "float32"
    """Of the weights. bfloat16 moves bits per byte by about a thousandth."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: Count = 0
    """Of the choice of documents and of the bootstrap."""

    def __post_init__(self) -> None:
        if not (self.texts or self.questions or self.harness):
            raise SettingError("texts", "nothing to measure: name texts, questions or harness tasks")
        if self.positions and not self.texts:
            raise SettingError("positions", "are measured on texts; name some: texts")
        if self.stride and self.length and self.stride > self.length:
            raise SettingError("stride", f"got {self.stride}, wanted at most length, which is {self.length}")
        names = [one.name for one in self.questions]
        if len(set(names)) < len(names):
            raise SettingError("questions", f"names must differ; got {', '.join(names)}")


@dataclass(frozen=True, kw_only=True)
class _Names:
    names: dict[str, str] = field(default_factory=dict)


def load_evaluation(path: Path | None, named: Mapping[str, Any], overrides: tuple[str, ...]) -> EvaluationConfig:
    """From a YAML file, from options, or from a file with options instead of its settings. Raises `ConfigError`."""
    return load_with_options(EvaluationConfig, path, named, ("model",), overrides)


def load_names(file: Path) -> dict[str, str]:
    """A flat YAML file from file names to names of subjects. Raises `ConfigError`."""
    root = read_yaml(file)
    holder = parse_yaml("names: {}", str(file))
    holder.value[0] = (holder.value[0][0], root)
    try:
        return load(_Names, holder).names
    except ConfigError as error:
        raise ConfigError(f"{error} (a file of subjects: a text for each file name)") from None

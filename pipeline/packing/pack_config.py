"""A pack, as its YAML says it: which documents, how often, ids of which tokenizer, in what order."""

from dataclasses import dataclass, field
from typing import Annotated

from configs.loader import Between, Positive, SettingError
from pipeline.config import Engine
from tokenizer.recipe import Weight

LEAST_EPOCHS = 1e-6


@dataclass(frozen=True, kw_only=True)
class PackConfig:
    """One pack."""

    input: tuple[str, ...]
    """Output folders of corpus runs, or files, folders and globs of documents."""
    tokenizer: str
    """A folder with `tokenizer.model`, such a file, or `bytes`: ids that need no training, for proxy models."""
    output: str
    """Folder for the shards."""
    seed: int = 17
    """Decides the order, and which documents are taken where a weight is no whole number."""
    epochs: Annotated[float, Between(LEAST_EPOCHS, 1000)] = 1.0
    """How often the whole is repeated; multiplies every weight."""
    max_epochs: Annotated[float, Between(LEAST_EPOCHS, 1000)] = 4.0
    """No document counts more often. Up to four epochs are worth almost as much as new text (Muennighoff et al., 2023)."""
    max_tokens: Positive | None = None
    """The stream ends before the document with which it would have more."""
    window: Annotated[int, Between(2, 1 << 20)] | None = None
    """The length of training's samples: the order is changed where else a document that fits one would lie across two."""
    languages: dict[str, Weight] = field(default_factory=dict)
    """How often documents of a language count, 1 where it is not named; multiplies the corpus' weights, as `domains` does."""
    domains: dict[str, Weight] = field(default_factory=dict)
    """The same for domains."""
    shard_tokens: Positive = 100_000_000
    """Tokens of a shard, about. A task holds one shard."""
    engine: Engine = field(default_factory=Engine)
    """Where it runs. `split_bytes` is the text that a task encodes before it writes; no setting of these changes a byte."""

    def __post_init__(self) -> None:
        if not self.input:
            raise SettingError("input", "got none, wanted at least one folder or file")
        if self.epochs > self.max_epochs:
            raise SettingError(
                "epochs", f"got {self.epochs:g}, but no document may count more than {self.max_epochs:g} times; raise max_epochs"
            )

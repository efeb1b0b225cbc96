"""What a tokenizer is to be: size, special ids, how pieces may look. The presets are the YAML files of `configs/tokenizer/`."""

from dataclasses import dataclass, field, replace
from typing import Annotated

from configs.errors import ConfigError
from configs.loader import CONFIGS, Between, Bytes, Count, Positive, SettingError, load, read_yaml

LEAST_COVERAGE = 0.98
"""SentencePiece takes no smaller one."""

Weight = Annotated[float, Between(0, 1000)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A tokenizer without its data.

    Ids: 0 `<unk>` (also padding), 1 `<s>`, 2 `</s>`, then `defined`, `reserved`, 256 bytes, merges, characters. Always so: BPE, text
    unchanged (identity normalisation), digits one by one, UTF-8 bytes for characters that are not covered.
    """

    vocab_size: Annotated[int, Between(300, 1_000_000)]
    """All ids together."""
    dummy_prefix: bool
    """A space before each text, as LLaMA and Baichuan 1 have it; Baichuan 2 has none."""
    whitespace_pieces: bool
    """Runs of spaces may be one piece: indented code takes a quarter of the ids."""
    character_coverage: Annotated[float, Between(LEAST_COVERAGE, 1)]
    """The share of characters of the training text that get an id of their own; the others become bytes."""
    max_piece_chars: Annotated[int, Between(1, 128)]
    """The longest piece, in characters, with its space."""
    defined: tuple[str, ...] = ()
    """Symbols that are always one id wherever they stand in a text, from id 3 on."""
    reserved: Annotated[int, Between(0, 10_000)] = 0
    """Number of `<reserved_0>`, `<reserved_1>`, …, for later uses, behind `defined`."""

    def __post_init__(self) -> None:
        for symbol in self.defined:
            if not symbol or " " in symbol or "▁" in symbol or "\0" in symbol:
                raise SettingError("defined", f"got {symbol!r}, wanted a text without spaces and U+2581")
        if len(set(self.symbols)) < len(self.symbols):
            repeated = next(symbol for symbol in self.symbols if self.symbols.count(symbol) > 1)
            raise SettingError("defined", f"{repeated!r} stands twice")
        if self.num_fixed >= self.vocab_size:
            raise SettingError("vocab_size", f"got {self.vocab_size}; the special ids and bytes alone are {self.num_fixed}")

    @property
    def symbols(self) -> tuple[str, ...]:
        """All user-defined symbols, by id from 3 on."""
        return (*self.defined, *(f"<reserved_{i}>" for i in range(self.reserved)))

    @property
    def num_fixed(self) -> int:
        """Ids that no text decides: unknown, begin, end, symbols, bytes."""
        return 3 + len(self.symbols) + 256


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training: a preset, its data, and how much of each kind of text."""

    input: tuple[str, ...]
    """Output folders of corpus runs, or files, folders and globs of documents."""
    output: str
    """Folder for the model, its card and the Hugging Face files."""
    preset: str = "baichuan2"
    """A file of `configs/tokenizer/` without .yaml, or the path of a recipe of your own."""
    vocab_size: Positive | None = None
    """Instead of the preset's."""
    character_coverage: Annotated[float, Between(LEAST_COVERAGE, 1)] | None = None
    """Instead of the preset's."""
    max_piece_chars: Positive | None = None
    """Instead of the preset's."""
    languages: dict[str, Weight] = field(default_factory=dict)
    """How often texts of a language count, 1 where it is not named: 2 twice, .1 one text in ten, chosen by hash."""
    domains: dict[str, Weight] = field(default_factory=dict)
    """The same for domains; both weights and the corpus' columns `sampling_weight` and `weight` are multiplied."""
    max_texts: Positive = 20_000_000
    """At most so many texts are taken, chosen by hash of seed and id."""
    memory: Bytes = 8_000_000_000
    """What training may hold; of more text than fits a share is taken, chosen by hash."""
    held_out: Annotated[float, Between(0, 0.9)] = 0.0
    """This share of the texts, by hash of the id, is not learnt from: `corpus tokenizer compare` with the same share measures on it."""
    held_out_seed: int = 1
    """Another number holds out other texts."""
    threads: Count = 0
    """Of the trainer; 0 for all cores. Does not change the result."""
    seed: int = 17

    def __post_init__(self) -> None:
        if not self.input:
            raise SettingError("input", "got none, wanted at least one folder or file")

    def recipe(self) -> Recipe:
        """The preset with the settings that stand instead of its own. Raises `ConfigError`."""
        recipe = load_recipe(self.preset)
        names = ("vocab_size", "character_coverage", "max_piece_chars")
        return replace(recipe, **{name: value for name in names if (value := getattr(self, name)) is not None})


def load_recipe(preset: str) -> Recipe:
    """A shipped preset by name, or a recipe by path. Raises `ConfigError`, for an unknown name with those that there are."""
    if preset.endswith(".yaml"):
        return load(Recipe, read_yaml(preset))
    path = CONFIGS / "tokenizer" / f"{preset}.yaml"
    if not path.exists():
        known = ", ".join(presets())
        raise ConfigError(f"no tokenizer preset '{preset}'; there are {known}, or name a .yaml file of your own")
    return load(Recipe, read_yaml(path))


def presets() -> list[str]:
    """Names of the shipped presets."""
    return sorted(path.stem for path in (CONFIGS / "tokenizer").glob("*.yaml"))

"""What is compared, as its YAML says it: a base run, variants as differences from it, the training that they share, and the tier."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from configs.loader import Between, Bytes, Count, Positive, SettingError, Share, load, override, read_yaml
from model.training.settings import ModelSettings, ScheduleSettings, StepSettings
from pipeline.variants.verdict import LEAST_CLUSTERS

CONTROLS = ("half_a", "half_b", "shuffled", "leak")
"""Corpora that each comparison makes beside its variants; no variant may have their names."""
SMOKE_PIECE_BYTES = 256
SMOKE_MODEL = ModelSettings(hidden_size=32, intermediate_size=96, num_hidden_layers=1, num_attention_heads=4, position="alibi")
SMOKE_STEP = StepSettings(precision="fp32")
SMOKE_SCHEDULE = ScheduleSettings(warmup_steps=10, final_share=0.0)
LEAST_PIECE_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A corpus: stages of the base run, with settings changed."""

    name: str
    like: str | None = None
    """Start from the stages and settings of this variant, which stands before; else from those of the base run."""
    stages: tuple[str, ...] | None = None
    """Of the base run exactly these; `normalize` always stays. None given: all that `like` has."""
    add: tuple[str, ...] = ()
    """Stages of the base run to those of `like`."""
    without: tuple[str, ...] = ()
    """Stages that are left out."""
    sources: tuple[str, ...] = ()
    """Only documents of these sources; of all if none are given. Not taken over by `like`."""
    settings: tuple[str, ...] = ()
    """Changed settings, as `--set` takes them: `stages.quality.min_percentile=20`. What changes how texts are scored needs a run of its
    own; all else is a selection from the base run, in seconds."""


@dataclass(frozen=True, kw_only=True)
class HeldOutSettings:
    """The text that models are measured on: taken from all that was read, before any filter."""

    share: Annotated[float, Between(0.001, 0.5)] = 0.05
    """Share of hosts, and of texts without a host, drawn by a hash."""
    unit: Literal["text", "id"] = "text"
    """What is drawn together, and is one cluster, where there is no host: a text with its copies, or documents with the same `id` up to its
    last `#`, as `novels/emma.txt#12`: the pieces of a book, the records of a file."""
    domains: tuple[str, ...] = ()
    """Only these domains are measured; all if none are given."""
    languages: tuple[str, ...] = ("zh", "en")
    """Only text of these is measured; primary subtags, so zh covers zh-hans and zh-hant."""
    curated: tuple[str, ...]
    """Domains that are known to be good text. Half of what is drawn of them is a set of its own, beside the raw one of all domains; a
    verdict needs both."""
    min_bytes: Bytes = 1_000_000
    """A domain's text in one language, of each set, must have so much to be measured; a domain without any is an error."""
    min_clusters: Positive = LEAST_CLUSTERS
    """And be of so many hosts (texts, where there are none). A verdict needs as many as the default."""
    max_bytes: Bytes = 4_000_000
    """Of a domain's text in one language, of each set, so much is measured, and more where the minima ask for it; the rest of what is drawn
    stays out of training too."""
    max_document_bytes: Bytes = 32_768
    """Of a document so much is measured, from its beginning, so that no long one stands for its domain."""
    ngram: Annotated[int, Between(5, 64)] = 13
    """Tokens of an n-gram: a word, or a Chinese character."""
    max_ngram_share: Share = 0.2
    """A document is not trained on if so many of its n-grams are in held-out text, or so many of a held-out document's are in it."""

    def __post_init__(self) -> None:
        if not self.curated:
            raise SettingError(
                "curated", "got none; a verdict needs text that is known to be good beside the raw: name at least one domain"
            )
        if self.max_bytes < self.min_bytes:
            raise SettingError("max_bytes", f"got {self.max_bytes:,}, less than min_bytes, {self.min_bytes:,}, which is to be measured")
        if self.domains and (others := sorted(set(self.curated) - set(self.domains))):
            raise SettingError("curated", f"'{others[0]}' is none of held_out.domains, {', '.join(self.domains)}")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """The training that all corpora get; see `model.training.settings`.

    Defaults are the smoke tier's, chosen so that seeds differ little: docs/variants.md. Attention that favours what is near (ALiBi)
    need not find out first that it is there; when it does is chance, and seeds then differ by more than corpora.
    """

    tokenizer: str = "bytes"
    """`bytes`, or the folder of a tokenizer that is made from none of the variants alone."""
    model: ModelSettings = SMOKE_MODEL
    tokens: Positive = 131_072
    """Budget of each training."""
    length: Annotated[int, Between(2)] = 64
    batch: Positive = 16
    """Sequences of a step."""
    piece_bytes: Annotated[int, Between(0, 1 << 20)] | None = None
    """Documents are cut into pieces of about so many bytes, which are read in an order of their own; 0: documents stay whole. Default: 256
    at the smoke tier, whose budgets else read a few documents that decide everything; whole at the others."""
    learning_rates: tuple[Annotated[float, Between(1e-8, 1)], ...] = (0.01, 0.02)
    """At least two, since one may favour a corpus."""
    step: StepSettings = SMOKE_STEP
    """Its learning rate is not read: `learning_rates` stands for it."""
    schedule: ScheduleSettings = SMOKE_SCHEDULE
    gpus: Annotated[float, Between(0, 1)] = 0.0
    """Of a GPU for one training: .5 lets two share one; 0 trains on CPUs, one core each."""

    def __post_init__(self) -> None:
        if self.piece_bytes and self.piece_bytes < LEAST_PIECE_BYTES:
            raise SettingError("piece_bytes", f"got {self.piece_bytes}, wanted at least {LEAST_PIECE_BYTES}, or 0 for whole documents")
        if len(set(self.learning_rates)) < 2:
            raise SettingError("learning_rates", f"got {len(set(self.learning_rates))}, wanted at least two different ones")
        if self.tokens < self.batch * self.length:
            needed = f"batch {self.batch} x length {self.length} = {self.batch * self.length:,}"
            raise SettingError("tokens", f"got {self.tokens:,}, which is less than one batch: {needed}")
        if self.schedule.warmup_steps >= (steps := self.tokens // (self.batch * self.length)):
            raise SettingError("schedule", f"warmup_steps: got {self.schedule.warmup_steps:,} of {steps:,} steps in all; warm up shorter")


@dataclass(frozen=True, kw_only=True)
class ScoreBuckets:
    """Is a score good? Documents are put into buckets by it, and as many tokens of each bucket are trained on."""

    signal: str
    """A column of the ledger; higher is taken to be better."""
    of: str
    """The variant whose documents are put into buckets, best one that the score did not filter."""
    buckets: Annotated[int, Between(2, 20)] = 4
    """With as many bytes of each domain and language, so that buckets differ in nothing but the score."""


@dataclass(frozen=True, kw_only=True)
class VariantsConfig:
    """A comparison."""

    name: str
    output: str
    base: str
    """YAML file of the run that has all stages which a variant may have."""
    settings: tuple[str, ...] = ()
    """Changed settings of the base run, as `--set` takes them."""
    variants: tuple[Variant, ...]
    reference: str | None = None
    """The variant that others are judged against; the first if not given."""
    tier: Literal["smoke", "decision", "confirm"] = "smoke"
    """What the verdicts are good for: `smoke` shows that the plumbing works; `decision` needs at least 15 M parameters and 20 tokens for
    each, and a megabyte of each held-out domain; `confirm` 150 M parameters."""
    held_out: HeldOutSettings
    training: TrainingSettings = field(default_factory=TrainingSettings)
    seeds: tuple[Count, ...] = (1, 2, 3)
    """At least three. Each is a replicate: initialisation, order, and documents of its own, paired between variants."""
    draw: int = 17
    """Decides what is held out, and which documents each seed gets."""
    max_epochs: Annotated[float, Between(0.01, 4)] = 4.0
    """No training reads its text more often."""
    score_buckets: ScoreBuckets | None = None
    workers: Positive | None = None
    """Trainings at a time; all cores if not given."""

    def __post_init__(self) -> None:
        if len(set(self.seeds)) < 3:
            raise SettingError("seeds", f"got {len(set(self.seeds))} different ones, wanted at least three")
        if twice := [seed for seed in self.seeds if self.seeds.count(seed) > 1]:
            raise SettingError("seeds", f"{twice[0]} stands twice; it would be one training that counts as two")
        if len(self.variants) < 2:
            raise SettingError("variants", f"got {len(self.variants)}, wanted at least two: one to judge, one to judge it against")
        names: list[str] = []
        for variant in self.variants:
            if variant.name in (*names, *CONTROLS) or variant.name.startswith("bucket_") or "/" in variant.name or not variant.name:
                raise SettingError("variants", f"the name '{variant.name}' is not free, empty, or has a '/'")
            if variant.like is not None and variant.like not in names:
                raise SettingError("variants", f"'{variant.name}' is like '{variant.like}', which does not stand before it")
            names.append(variant.name)
        for key, name in (("reference", self.reference), ("score_buckets", self.score_buckets.of if self.score_buckets else None)):
            if name is not None and name not in names:
                raise SettingError(key, f"no variant '{name}'; there are {', '.join(names)}")

    @property
    def piece_bytes(self) -> int:
        """Of the pieces in which documents are read; 0: whole."""
        if self.training.piece_bytes is not None:
            return self.training.piece_bytes
        return SMOKE_PIECE_BYTES if self.tier == "smoke" else 0

    @property
    def against(self) -> str:
        """Name of the variant that others are judged against."""
        return self.reference or self.variants[0].name


def load_variants(path: str | Path, overrides: tuple[str, ...] = ()) -> VariantsConfig:
    """Read a comparison's YAML and apply `--set` overrides. Raises `ConfigError` with file, line and place."""
    root = read_yaml(path)
    for assignment in overrides:
        override(root, assignment)
    return load(VariantsConfig, root)

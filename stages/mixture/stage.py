"""The last stage: what is set apart to measure models on, and how much of each domain and language training gets.

It removes no row and repeats none: each kept document gets `weight`, its share of the mixture, and `repeats`, how often it stands in the
mixture, which apply when shards are packed. `repeats` is the whole part of `sampling_weight` x `weight`, and one more if a hash of the
run's seed and the document's id, a number in [0, 1), is below the rest: so it depends on no order. What the weights mean exactly:
`stages.mixture.weights`. What is set apart: `stages.mixture.held_out`. Figures: docs/mixture.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import ConfigError
from configs.loader import Between, Bytes, SettingError, find_file, load, read_yaml
from stages.dedup.stage import DocumentDedup, ExactDedup
from stages.mixture.held_out import HeldOut, is_drawn
from stages.mixture.learn import LearnSettings, num_proxies
from stages.mixture.proxies import ProxyOptions
from stages.stage import Stage

HELD_OUT = "held_out"
"""The reason of what is set apart."""
COPIES_STAY = "no stage compares documents, so copies of held-out text on other hosts stay in the corpus; add exact_dedup or document_dedup"

Weight = Annotated[float, Between(0)]


@dataclass(frozen=True, kw_only=True)
class MixtureFile:
    """A `mixture.yaml`: what a run used, or what somebody wrote. Comments may say anything."""

    shares: dict[str, Weight]
    """Domain -> share; they sum to 1."""


@dataclass(frozen=True, kw_only=True)
class Mixture(Stage):
    """How the corpus is mixed. All settings are read when documents are selected, so `corpus select` changes them."""

    key: ClassVar[str] = "mixture"
    reads: ClassVar[tuple[str, ...]] = ("url", "domain", "content_hash", "num_chars", "num_bytes", "fault")

    method: Literal["natural", "manual", "temperature", "unimax", "learned"] = "unimax"
    """`natural` leaves shares as they are, `manual` takes `shares` or `file`, `learned` trains proxies; else `stages.mixture.shares`."""
    shares: dict[str, Weight] = field(default_factory=dict)
    """For `manual`: domain -> share, all domains, summing to 1; 0 leaves a domain out."""
    file: str | None = None
    """For `manual`, instead of `shares`: a `mixture.yaml`, as a run writes it."""
    temperature: Annotated[float, Between(1, 1000)] = 2.0
    """For `temperature`: shares go by the size to the power 1 / temperature."""
    languages: dict[str, Weight] = field(default_factory=dict)
    """How these languages (primary subtags: zh, en) divide what they have together, summing to 1; other languages keep their share."""
    budget: Bytes | None = None
    """Bytes of one pass over the mixture; as many as are kept, by their sampling weights, if not given."""
    max_epochs: Annotated[float, Between(0.01, 1000)] = 4.0
    """No domain and language gives more than so many times its text."""
    learn: LearnSettings = field(default_factory=LearnSettings)
    """For `learned`: how proxies are turned into shares."""
    proxy: ProxyOptions = field(default_factory=ProxyOptions)
    """For `learned`: what a proxy is."""
    held_out: HeldOut = field(default_factory=HeldOut)

    def __post_init__(self) -> None:
        if self.method == "manual" and bool(self.shares) == bool(self.file):
            raise SettingError("method", "manual shares need either shares, as in {law: 0.4, news: 0.6}, or file, a mixture.yaml")
        if self.method != "manual" and (self.shares or self.file):
            key = "shares" if self.shares else "file"
            raise SettingError(key, f"the method is {self.method}, which would not read them; set method: manual")
        for key in ("shares", "languages"):
            if getattr(self, key):
                check_sum(key, getattr(self, key))

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """None before documents are counted: see `HoldingOut`."""
        return {}

    def computed_by(self) -> dict[str, Any]:
        """Nothing: documents are mixed again for each output."""
        return {}

    def files(self) -> tuple[str, ...]:
        """The given mixture."""
        return (self.file,) if self.file else ()

    def check(self) -> None:
        """Raises `ConfigError` if the given mixture cannot be read."""
        self.given()

    def given(self) -> dict[str, float]:
        """Shares that the configuration gives, by domain; none but for `manual`."""
        if self.file is None:
            return self.shares
        found = load(MixtureFile, read_yaml(find_file(self.file)))
        try:
            check_sum("shares", found.shares)
        except SettingError as error:
            raise ConfigError(f"{self.file}: {error}") from None
        return found.shares

    def describe(self) -> tuple[str, ...]:
        """The method and the cap."""
        shares = f" ({', '.join(f'{name} {share:g}' for name, share in sorted(self.given().items()))})" if self.given() else ""
        apart = f"{self.held_out.share:.1%} or more of each domain held out" if self.held_out.share else "nothing held out"
        proxies = f" from {num_proxies(1, self.learn)} proxies for each domain" if self.method == "learned" else ""
        return (f"{self.method}{proxies}{shares}, at most {self.max_epochs:g} epochs of a domain and language; {apart}",)


@dataclass(frozen=True, kw_only=True)
class HoldingOut(Mixture):
    """The stage once domains have been counted."""

    seed: int
    """Of the run."""
    drawn: dict[str, tuple[int, ...]]
    """Domain -> steps that are drawn, see `stages.mixture.held_out`."""

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """`held_out`."""
        drawn = is_drawn(columns, self.seed, self.drawn)
        return {HELD_OUT: drawn} if drawn.any() else {}


def holding_out(stage: Mixture, seed: int, drawn: dict[str, tuple[int, ...]]) -> HoldingOut:
    """The same stage, knowing what to draw."""
    return HoldingOut(**{field.name: getattr(stage, field.name) for field in fields(Mixture)}, seed=seed, drawn=drawn)


def _check_learned(stage: Mixture, known: list[str], where: str) -> None:
    if len(known) < 2:
        raise ConfigError(f"{where}: a mixture of '{known[0]}' alone has nothing to learn; name sources of two domains at least")
    if not stage.held_out.share:
        raise ConfigError(f"{where}.held_out.share: got 0; a mixture is learned by what models say of held-out text")
    for name in stage.learn.targets:
        if name not in known:
            raise ConfigError(f"{where}.learn.targets: no source has the domain '{name}'; there are: {', '.join(known)}")


def finds_copies(stages: Iterable[Stage]) -> bool:
    """Whether a stage compares documents, so that copies of a held-out one leave the training with it, on whatever host they are."""
    return any(isinstance(stage, ExactDedup | DocumentDedup) for stage in stages)


def check_copies(stages: Iterable[Stage], where: str) -> None:
    """Raises `ConfigError` for a mixture learned without a stage that finds copies: proxies would know the text that they are judged by."""
    stages = tuple(stages)
    if any(isinstance(stage, Mixture) and stage.method == "learned" for stage in stages) and not finds_copies(stages):
        raise ConfigError(
            f"{where}: a mixture is learned by what models say of held-out text, and no stage compares documents: a copy on another host "
            "would stay in what they learn from; add exact_dedup or document_dedup"
        )


def check_domains(stages: Iterable[Stage], domains: Iterable[str]) -> None:
    """Raises `ConfigError` unless given shares name exactly the domains of the run's sources, and there is something to learn."""
    stages, known = tuple(stages), sorted(set(domains))
    for number, stage in enumerate(stages):
        if not isinstance(stage, Mixture):
            continue
        if stage.method == "learned":
            _check_learned(stage, known, f"stages[{number}].mixture")
            check_copies(stages, f"stages[{number}].mixture")
        if not (given := stage.given()):
            continue
        where = f"stages[{number}].mixture.{'file' if stage.file else 'shares'}: "
        for name in sorted(given):
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                raise ConfigError(f"{where}no source has the domain '{name}'{hint}; there are: {', '.join(known)}")
        if missing := [name for name in known if name not in given]:
            raise ConfigError(f"{where}no share for {', '.join(missing)}; give each domain one, 0 to leave it out")


def check_sum(key: str, shares: dict[str, float]) -> None:
    """Raises `SettingError` unless shares sum to 1, to the thousandth by number of shares that rounding may cost."""
    total = sum(shares.values())
    if abs(total - 1.0) > 0.0005 * len(shares) + 1e-9:
        raise SettingError(key, f"the shares sum to {total:g}, wanted 1")

"""Better, worse or inconclusive: what trained models say of a corpus against another, and how sure that is.

The figure is the relative change in bits per byte (sum of nats over bytes of text), as a mean over cells: a cell is a domain in one
language, such as `law/zh`, so bits per byte of Chinese and English are never averaged, only their relative changes. Seeds are paired:
seed s of both corpora shares initialisation and order of documents, and has documents of its own (`pipeline.variants.slices`), so the
t-test over seeds speaks of the pipelines that made the corpora and not of one sample. The bootstrap draws clusters of held-out documents
within each cell (`statistics.resampled_changes`): it speaks of the held-out sample, the t-test of trainings, and a verdict needs both.

`better` needs all of: Holm's p below `ALPHA` over all variants; an interval of the bootstrap below zero; a fall on the raw *and* the
curated held-out documents at *each* learning rate (one shared learning rate can reverse a ranking); no cell more than `GUARD` worse; no
cell of fewer than `LEAST_CLUSTERS` clusters.
`worse` needs the same of a rise, whatever single cells gain. All else is `inconclusive`, with what was missing.

S seeds, L learning rates, D held-out documents, G cells of both sets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.variants.statistics import Floats, holm, paired_p, resampled_changes

ALPHA = 0.05
GUARD = 0.01
"""No cell may be worse by more than this share of its bits per byte."""
LEAST_CLUSTERS = 4
"""Of a cell. One of three clusters is drawn three times in 1/27 = 3.7 % of the resamples, more than the 2.5 % that an interval cuts off at
each end: it would end where the most extreme cluster is, and with one cluster it has no width at all. With four it is .4 %."""
RESAMPLES = 2000

Word = Literal["better", "worse", "inconclusive"]


@dataclass(frozen=True)
class HeldOut:
    """What all models are measured on, an entry each document, (D,)."""

    sets: npt.NDArray[np.str_]
    """`raw` or `curated`."""
    cells: npt.NDArray[np.str_]
    """Domain and language, `law/zh`."""
    clusters: npt.NDArray[np.int64]
    """Documents of a host have the same number; where there is none, copies of each other, or documents of a file if these were drawn by it
    (`held_out.unit`)."""
    num_bytes: npt.NDArray[np.int64]

    def groups(self) -> list[tuple[str, str]]:
        """(set, cell) of each pair that there is, sorted, (G,)."""
        return sorted(set(zip(self.sets.tolist(), self.cells.tolist(), strict=True)))

    def rows(self, group: tuple[str, str]) -> npt.NDArray[np.int64]:
        """The documents of a group."""
        return np.flatnonzero((self.sets == group[0]) & (self.cells == group[1]))


@dataclass(frozen=True)
class Comparison:
    """Relative changes in bits per byte against the base; below zero is better."""

    change: float
    """Mean over cells, then over sets, learning rates and seeds."""
    by_seed: tuple[float, ...]
    p: float
    """Two-sided, of the t-test over `by_seed`, before Holm's correction."""
    interval: tuple[float, float]
    """95 % of resampled held-out clusters."""
    by_condition: dict[tuple[str, float], float]
    """(set, learning rate) -> change."""
    by_cell: dict[tuple[str, str], float]
    """(set, cell) -> change."""
    by_language: dict[str, float]
    """Mean over the cells of a language, both sets."""
    thin: tuple[str, ...]
    """Cells with fewer than `LEAST_CLUSTERS` clusters, in words."""


@dataclass(frozen=True)
class Verdict:
    """A word, and what it rests on."""

    word: Word
    p: float
    """After Holm's correction over all variants that were judged together."""
    missing: tuple[str, ...]
    """What speaks against `better` or `worse`, in words; empty for those."""


def bits_per_byte(held_out: HeldOut, nats: Floats) -> dict[tuple[str, str], Floats]:
    """(set, cell) -> bits per byte of each training; `nats` of documents in the last axis, (..., D)."""
    found = {group: held_out.rows(group) for group in held_out.groups()}
    return {group: nats[..., rows].sum(-1) / (np.log(2) * held_out.num_bytes[rows].sum()) for group, rows in found.items()}


def compare(held_out: HeldOut, rates: Sequence[float], base: Floats, variant: Floats, resamples: int = RESAMPLES) -> Comparison:
    """Compare paired trainings; `base` and `variant` are nats of each document, (S, L, D), `rates` the L learning rates.

    Needs at least two seeds. The bootstrap is seeded: the same measurements give the same interval.
    """
    assert base.shape == variant.shape == (len(base), len(rates), len(held_out.cells)), (base.shape, variant.shape)
    assert np.isfinite([base, variant]).all(), "no number of nats: such a corpus would be better with p = 0"
    groups, sets = held_out.groups(), sorted(set(held_out.sets.tolist()))
    rng = np.random.default_rng(0)
    changes = np.empty((*base.shape[:2], len(groups)))  # (S, L, G)
    drawn_groups = np.empty((len(groups), resamples))
    thin = []
    for place, group in enumerate(groups):
        rows = held_out.rows(group)
        order = np.argsort(held_out.clusters[rows], kind="stable")
        firsts = np.flatnonzero(np.diff(held_out.clusters[rows][order], prepend=-1))
        if len(firsts) < LEAST_CLUSTERS:
            thin.append(f"{group[1]} ({group[0]}) {len(firsts)}")
        ours, theirs = (np.add.reduceat(nats[..., rows[order]], firsts, axis=-1) for nats in (base, variant))
        changes[..., place] = theirs.sum(-1) / ours.sum(-1) - 1
        drawn_groups[place] = resampled_changes(ours, theirs, resamples, rng)
    of_set = {name: [i for i, group in enumerate(groups) if group[0] == name] for name in sets}
    by_set = {name: changes[..., places].mean(-1) for name, places in of_set.items()}
    by_seed = np.mean([values.mean(-1) for values in by_set.values()], axis=0)
    drawn = np.mean([drawn_groups[places].mean(0) for places in of_set.values()], axis=0)
    by_cell = changes.mean((0, 1))
    languages = [cell.rpartition("/")[2] for _, cell in groups]
    return Comparison(
        change=float(by_seed.mean()),
        by_seed=tuple(by_seed.tolist()),
        p=paired_p(by_seed),
        interval=(float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))),
        by_condition={(name, rate): float(values[:, i].mean()) for name, values in by_set.items() for i, rate in enumerate(rates)},
        by_cell=dict(zip(groups, by_cell.tolist(), strict=True)),
        by_language={
            lang: float(np.mean([by_cell[i] for i, other in enumerate(languages) if other == lang])) for lang in sorted(set(languages))
        },
        thin=tuple(thin),
    )


def judge(comparisons: Mapping[str, Comparison]) -> dict[str, Verdict]:
    """A verdict on each variant; all that are given count in Holm's correction."""
    adjusted = holm({name: comparison.p for name, comparison in comparisons.items()})
    return {name: _judge(comparison, adjusted[name]) for name, comparison in comparisons.items()}


def _judge(found: Comparison, p: float) -> Verdict:
    sign = 1 if found.change > 0 else -1
    missing = []
    if p >= ALPHA:
        missing.append(f"p {p:.3f} over seeds is not below {ALPHA}")
    if min(sign * end for end in found.interval) <= 0:
        missing.append("other held-out documents could turn it")
    if found.thin:
        missing.append(f"too few hosts or texts, wanted {LEAST_CLUSTERS}: {', '.join(found.thin)}")
    against = [f"{name} at {rate:g}" for (name, rate), change in found.by_condition.items() if sign * change <= 0]
    if against:
        missing.append(f"another sign on {', '.join(against)}")
    guarded = [f"{cell} ({name}) {change:+.1%}" for (name, cell), change in found.by_cell.items() if change > GUARD]
    if sign < 0 and guarded:
        missing.append(f"a domain is worse: {', '.join(guarded)}")
    return Verdict("inconclusive" if missing else "worse" if sign > 0 else "better", p, tuple(missing))

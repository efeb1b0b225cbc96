"""From measurements to verdicts: variants against the reference, the controls that must hold, and scores by bucket."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow.compute as pc

from pipeline.variants.config import VariantsConfig
from pipeline.variants.slices import LEAK_SHARE, MOST_FOUND_SHARE, read_parquet
from pipeline.variants.statistics import Floats, paired_p
from pipeline.variants.verdict import Comparison, HeldOut, Verdict, bits_per_byte, compare, judge


@dataclass(frozen=True)
class Measured:
    """All trainings on one corpus."""

    nats: Floats
    """Of each measured document, (S, L, D)."""
    losses: list[list[float]]
    """At the end of each training, on its own text: no evidence, but a broken training shows."""
    faults: int
    """Batches that were not learnt from."""


def read_held_out(uri: str) -> HeldOut:
    """The measured documents of `documents.parquet`."""
    rows = read_parquet(uri)
    rows = rows.filter(rows["measured_text"].is_valid())
    sets, cells = (np.array(rows[name].to_pylist(), np.str_) for name in ("set", "cell"))
    return HeldOut(sets, cells, rows["cluster"].to_numpy(), pc.binary_length(rows["measured_text"]).to_numpy())


def conclude(
    config: VariantsConfig, held_out: HeldOut, alarms: Mapping[str, Mapping[str, int]], measured: Mapping[str, Measured]
) -> dict[str, Any]:
    """`verdicts` by variant, `controls`, whether these `hold`, and `score_buckets`, all as JSON.

    A control that does not hold leaves no verdict standing, an alarm that fires in a corpus none that rests on it: nor score buckets, whose
    `void` then says why.
    """
    rates = config.training.learning_rates

    def against(base: str, other: str) -> Comparison:
        return compare(held_out, rates, measured[base].nats, measured[other].nats)

    variants = [variant.name for variant in config.variants if variant.name != config.against]
    comparisons = {name: against(config.against, name) for name in variants}
    controls = {
        "halves": _control("halves", against("half_a", "half_b"), "inconclusive"),
        "shuffled": _control("shuffled", against(config.against, "shuffled"), "worse"),
    }
    leak = alarms["leak"]
    controls["leak"] = dict(leak) | {"holds": leak["found"] >= leak["leaked"] and _fires(leak), "share": LEAK_SHARE}
    failed = [name for name, found in controls.items() if not found["holds"]]
    verdicts = {}

    def void_for(*corpora: str) -> list[str]:
        found = [f"the control '{control}' does not hold" for control in failed]
        return found + [f"held-out text is in '{corpus}'" for corpus in corpora if _fires(alarms[corpus])]

    for name, verdict in judge(comparisons).items():
        void = void_for(config.against, name)
        standing = replace(verdict, word="inconclusive", missing=(*void, *verdict.missing)) if void else verdict
        verdicts[name] = _as_json(comparisons[name], standing)
    found = {"verdicts": verdicts, "controls": controls, "hold": not failed}
    if config.score_buckets:
        by_bucket = _by_bucket([against("bucket_0", f"bucket_{i}") for i in range(config.score_buckets.buckets)])
        found["score_buckets"] = by_bucket | {"void": (void := void_for(config.score_buckets.of)), "holds": not void}
    return found


def _control(name: str, comparison: Comparison, wanted: str) -> dict[str, Any]:
    verdict = judge({name: replace(comparison, thin=())})[name]  # few texts make a verdict weak, not the plumbing
    return _as_json(comparison, verdict) | {"wanted": wanted, "holds": verdict.word == wanted}


def _fires(alarm: Mapping[str, int]) -> bool:
    return alarm["found"] > MOST_FOUND_SHARE * alarm["documents"]


def _as_json(comparison: Comparison, verdict: Verdict) -> dict[str, Any]:
    joined = {
        "by_condition": {f"{name} at {rate:g}": change for (name, rate), change in comparison.by_condition.items()},
        "by_cell": {f"{name}: {cell}": change for (name, cell), change in comparison.by_cell.items()},
    }
    return asdict(comparison) | joined | {"word": verdict.word, "p_holm": verdict.p, "missing": list(verdict.missing)}


def _by_bucket(comparisons: list[Comparison]) -> dict[str, Any]:
    """Changes against the lowest bucket; whether each is below the one before, and the slope over buckets with its p over seeds."""
    by_seed = np.array([comparison.by_seed for comparison in comparisons])  # (buckets, S)
    places = np.arange(len(by_seed)) - (len(by_seed) - 1) / 2
    slopes = places @ by_seed / (places @ places)
    changes = by_seed.mean(1)
    return {
        "changes": changes.tolist(),
        "intervals": [list(comparison.interval) for comparison in comparisons],
        "by_seed": by_seed.T.tolist(),
        "monotone": bool((np.diff(changes) < 0).all()),
        "slope": float(slopes.mean()),
        "p": paired_p(slopes),
    }


def describe_held_out(held_out: HeldOut) -> dict[str, Any]:
    """What is measured, by set and cell."""
    cells: dict[str, dict[str, dict[str, int]]] = {}
    for name, cell in held_out.groups():
        rows = held_out.rows((name, cell))
        clusters = len(np.unique(held_out.clusters[rows]))
        cells.setdefault(name, {})[cell] = {"documents": len(rows), "clusters": clusters, "bytes": int(held_out.num_bytes[rows].sum())}
    return {"measured_documents": len(held_out.cells), "measured_bytes": int(held_out.num_bytes.sum()), "cells": cells}


def describe_corpora(
    config: VariantsConfig,
    held_out: HeldOut,
    selections: Mapping[str, Mapping[str, Any]],
    alarms: Mapping[str, Mapping[str, int]],
    packs: Mapping[tuple[str, int], Mapping[str, Any]],
    measured: Mapping[str, Measured],
) -> dict[str, dict[str, Any]]:
    """What stands beside the verdicts, by corpus: bits per byte, tokens, epochs, what was removed, what was found of held-out text."""
    found: dict[str, dict[str, Any]] = {}
    for name, one in measured.items():
        of_seeds = [packs[name, seed] for seed in config.seeds]
        bits: dict[str, dict[str, float]] = {}
        for (group, cell), values in bits_per_byte(held_out, one.nats).items():
            bits.setdefault(group, {})[cell] = float(values.mean())
        found[name] = {
            "bits_per_byte": bits,
            "unique_tokens": [pack["unique_tokens"] for pack in of_seeds],
            "epochs": [pack["epochs"] for pack in of_seeds],
            "losses": one.losses,
            "faults": one.faults,
        }
        found[name] |= {"selection": dict(selections[name]), "alarm": dict(alarms[name])} if name in selections else {}
    return found

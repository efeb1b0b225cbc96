"""The variants' verdict in the report: what `corpus variants` found out about corpora by training on each."""

from collections.abc import Mapping
from typing import Any

import orjson

from configs.errors import InputError
from pipeline import storage

VERDICT = "verdict.json"
"""As `pipeline.variants.compare` names it, which would load torch."""


def read_verdicts(folder: str) -> dict[str, Any]:
    """`settings`, `rows`, `controls`, `buckets`, `cells`, `forest`. Raises `InputError` for a folder without a verdict."""
    uri = storage.join(folder, VERDICT)
    if not storage.exists(uri):
        raise InputError(f"--variants {folder}: no verdict, {VERDICT} is missing; `corpus variants` writes one")
    result = orjson.loads(storage.read_bytes(uri))
    settings, corpora = result["settings"], result["corpora"]
    against = settings["against"]
    rows = [{"name": against, "word": "reference", "missing": [], **_beside(corpora[against])}]
    rows += [{"name": name, **_judged(found), **_beside(corpora[name])} for name, found in result["verdicts"].items()]
    named = [against, *result["verdicts"]]
    return {
        "tier": settings["tier"],
        "against": against,
        "parameters": settings["parameters"],
        "tokens": settings["training"]["tokens"],
        "seeds": len(settings["seeds"]),
        "held_out": result["held_out"],
        "rows": rows,
        "controls": _controls(result["controls"]),
        "buckets": result.get("score_buckets"),
        "signal": (settings["score_buckets"] or {}).get("signal"),
        "corpora": named,
        "cells": [
            {"set": group, "cell": cell, "bits": [corpora[name]["bits_per_byte"][group][cell] for name in named]}
            for group, cells in corpora[against]["bits_per_byte"].items()
            for cell in cells
        ],
        "forest": _forest(result),
    }


def _judged(found: Mapping[str, Any]) -> dict[str, Any]:
    worst = max(found["by_cell"], key=lambda cell: found["by_cell"][cell])
    kept = ("word", "change", "interval", "p_holm", "by_language", "missing")
    return {name: found[name] for name in kept} | {"worst": worst.partition(": ")[2], "worst_change": found["by_cell"][worst]}


def _beside(corpus: Mapping[str, Any]) -> dict[str, Any]:
    selection, unique = corpus["selection"], corpus["unique_tokens"]
    kept = selection["kept_bytes"] / max(1, selection["bytes"])
    return {"kept": kept, "unique_tokens": round(sum(unique) / len(unique)), "epochs": max(corpus["epochs"])}


def _controls(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each control found, and whether it holds; keys of `words.yaml` are `control_` and the name."""
    return [
        {"name": "halves", "holds": found["halves"]["holds"], "figure": f"{found['halves']['change']:+.2%}"},
        {"name": "shuffled", "holds": found["shuffled"]["holds"], "figure": f"{found['shuffled']['change']:+.1%}"},
        {"name": "leak", "holds": found["leak"]["holds"], "figure": f"{found['leak']['found']:,} / {found['leak']['leaked']:,}"},
    ]


def _forest(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line for each variant and for the two halves: mean, interval, a change for each seed, the word."""
    lines = [*result["verdicts"].items(), ("A/A", result["controls"]["halves"])]
    return [{"name": name, **{key: found[key] for key in ("change", "interval", "by_seed", "word")}} for name, found in lines]

"""Mix: decide the shares of domains, write `mixture.yaml`, weigh the corpus, and report what every domain and language gives."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import yaml

from pipeline import storage
from pipeline.dedup.rounds import Phases
from pipeline.engine import Statistics
from pipeline.mixture.cells import total_cells
from pipeline.mixture.held_out import total_counts
from pipeline.mixture.learned import learned_shares
from pipeline.mixture.report import method_as_it_went
from pipeline.mixture.weigh import weigh_corpus
from stages.mixture.learn import Learned
from stages.mixture.shares import natural, rounded, tempered, unimax
from stages.mixture.stage import HoldingOut, Mixture, finds_copies
from stages.mixture.weights import Amounts, Cell

DIGITS = 6
"""Shares by rule are rounded to so many digits, so that the written `mixture.yaml` gives the very same weights."""


class Domains(NamedTuple):
    """What is kept of each domain, by name."""

    names: tuple[str, ...]
    num_bytes: np.ndarray[Any, np.dtype[np.float64]]
    weighted_bytes: np.ndarray[Any, np.dtype[np.float64]]
    """By sampling weight."""


def mix(runner: Phases, counts: Sequence[Statistics], parts: Sequence[str], key: str) -> dict[str, Any]:
    """Weigh the corpus' files, `parts`; the report for `summary.json`, nothing for a run without a mixture.

    `counts` are those of the write pass; `key` stands for the selection.
    """
    stage = runner.plan.stage(Mixture)
    if stage is None:
        return {}
    assert isinstance(stage, HoldingOut)
    cells = total_cells(counts)
    domains = domains_of(cells)
    learned = None
    if stage.method == "learned" and domains.names:
        learned = learned_shares(runner, stage, *domains, parts, key)
        shares = dict(zip(learned.names, learned.shares.tolist(), strict=True))
    else:
        shares = shares_of(stage, domains)
    _write_file(runner, method_as_it_went(stage.method, bool(learned and learned.abstained)), shares)
    given, weighed = weigh_corpus(runner, stage, cells, shares, parts, key)
    report = _report(stage, cells, shares, given, weighed)
    report |= {"held_out": _held_out(counts), "finds_copies": finds_copies(runner.plan.stages)}
    return report | ({"learned": _learned(learned)} if learned else {})


def domains_of(cells: Sequence[Cell]) -> Domains:
    """The cells of each domain together."""
    names = tuple(sorted({cell.domain for cell in cells}))
    sizes = [[cell for cell in cells if cell.domain == name] for name in names]
    different = np.array([sum(cell.num_bytes for cell in own) for own in sizes], np.float64)
    return Domains(names, different, np.array([sum(cell.weighted_bytes for cell in own) for own in sizes], np.float64))


def shares_of(stage: Mixture, domains: Domains) -> dict[str, float]:
    """The share of each domain by rule; empty where nothing is kept."""
    names, num_bytes, weighted = domains
    if not weighted.sum() > 0:
        return {}
    budget = weighted.sum() if stage.budget is None else float(stage.budget)
    if stage.method == "manual":
        return stage.given()
    if stage.method == "natural":
        return dict(zip(names, natural(weighted).tolist(), strict=True))
    found = tempered(weighted, stage.temperature) if stage.method == "temperature" else unimax(num_bytes, budget, stage.max_epochs)
    return dict(zip(names, rounded(found, DIGITS).tolist(), strict=True))


def _write_file(runner: Phases, method: str, shares: Mapping[str, float]) -> None:
    config = runner.plan.config
    text = f"# Shares of domains in '{config.name}', method {method}. Edit, and use again: mixture: {{method: manual, file: …}}\n"
    text += yaml.safe_dump({"shares": dict(shares)}, allow_unicode=True, sort_keys=True)
    storage.write_bytes(storage.join(config.output, "mixture.yaml"), text.encode())


def _report(
    stage: Mixture, cells: Sequence[Cell], shares: Mapping[str, float], given: Amounts, weighed: Sequence[Statistics]
) -> dict[str, Any]:
    repeated: dict[tuple[str, str], int] = {}
    for unit in weighed:
        for domain, lang, size in unit["repeated"]:
            repeated[domain, lang] = repeated.get((domain, lang), 0) + size
    total = float(given.amount.sum())
    weighted = sum(cell.weighted_bytes for cell in cells)

    def face(places: Sequence[int]) -> dict[str, Any]:
        size, amount = sum(cells[i].num_bytes for i in places), float(sum(given.amount[i] for i in places))
        return {
            "documents": sum(cells[i].documents for i in places),
            "bytes": size,
            "natural_share": sum(cells[i].weighted_bytes for i in places) / max(weighted, 1e-9),
            "share": amount / max(total, 1e-9),
            "epochs": amount / max(size, 1),
            "bytes_with_repeats": sum(repeated.get((cells[i].domain, cells[i].lang), 0) for i in places),
            "capped": any(given.is_capped[i] for i in places),
        }

    domains = sorted({cell.domain for cell in cells})
    languages = sorted({cell.lang for cell in cells})
    return {
        "method": stage.method,
        "bytes": round(total),
        "max_epochs": stage.max_epochs,
        "by_domain": {name: face([i for i, cell in enumerate(cells) if cell.domain == name]) for name in domains},
        "by_language": {name or "none": face([i for i, cell in enumerate(cells) if cell.lang == name]) for name in languages},
        "without_text": sorted(name for name, share in shares.items() if share > 0 and name not in domains),
    }


def _learned(learned: Learned) -> dict[str, Any]:
    """How the shares came about; the rest is in `mixture/learned.json`."""
    return {
        "proxies": len(learned.mixes),
        "law": learned.law,
        "rank_correlation": learned.laws[learned.law].rank_correlation,
        "abstained": learned.abstained,
        "intervals": {
            name: [low, high] for name, low, high in zip(learned.names, learned.low.tolist(), learned.high.tolist(), strict=True)
        },
    }


def _held_out(counts: Sequence[Statistics]) -> dict[str, dict[str, Any]]:
    """Of each domain what was drawn, in all and what no filter would have rejected."""
    names = ("documents", "bytes", "clean_documents", "clean_bytes")
    return {domain: dict(zip(names, sizes, strict=True)) for domain, sizes in total_counts(counts).items()}

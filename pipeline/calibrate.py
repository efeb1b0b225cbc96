"""Thresholds from data: how each signal of a finished run is distributed, what the rules remove, and what would remove a given share.

Bounds depend on language and domain, so signals are shown by both. The ledger is read once, 65,536 rows at a time, the columns asked
for and those that rules read, and no text; a group costs at most 320 KB a signal (`pipeline.distribution`). What the rules remove is
judged anew by the rule files as they are now, so the effect of an edited file is seen before `corpus select` applies it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table

from configs.errors import ConfigError, InputError
from pipeline.distribution import Distribution
from pipeline.finished import FinishedRun, check_groupings, slices
from stages.filters.rules import Bounds

QUANTILES = (0.5, 0.9, 0.99, 0.999)


class _Signal:
    """What was counted of one signal in one group of documents."""

    def __init__(self) -> None:
        self.distribution = Distribution()
        self.missing = 0
        self.bounds: set[Bounds] = set()
        self.removed_documents = 0
        self.removed_chars = 0

    def add(self, values: npt.NDArray[Any], chars: npt.NDArray[np.int64], bounds: Bounds, failing: npt.NDArray[np.bool_] | None) -> None:
        """A batch of documents of one language and domain; NaN where a document has no value."""
        there = ~np.isnan(values)
        self.distribution.add(values[there].astype(np.float64), chars[there])
        self.missing += int((~there).sum())
        self.bounds.add(bounds)
        if failing is not None:
            self.removed_documents += int(failing.sum())
            self.removed_chars += int(chars[failing].sum())


class _Group:
    def __init__(self) -> None:
        self.documents = 0
        self.chars = 0
        self.signals: dict[str, _Signal] = defaultdict(_Signal)


def calibrate(
    run_folder: str,
    signals: Sequence[str] = (),
    by: Sequence[str] = ("lang", "domain"),
    quantiles: Sequence[float] = QUANTILES,
    drop_share: float = 0.01,
    where: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The figures of each signal and group; of all signals if none are named. `where` keeps one `lang`, `domain` or `source`.

    `{"run", "by", "where", "drop_share", "signals": {name: [{lang, domain, "documents", "chars", "missing", "quantiles": {"0.5": …},
    "bounds": [{"min", "max"}], "removed": {"documents", "chars"}, "proposed": {"min": {"documents", "chars"}, "max": …}}]}}`, the
    group with most documents first. Quantiles are taken from both ends (.99 and .01); `least` and `greatest` stand beside them.
    `bounds` are all that the group's documents are held to: several where it spans languages or domains. `removed` are shares of
    the group. A proposal is the tightest bound that removes at most `drop_share` of its documents, or of their characters.

    Raises `ConfigError` for an unknown name or an impossible share, `InputError` for a folder that holds no finished run.
    """
    where = where or {}
    run = FinishedRun(run_folder)
    check_groupings([*by, *where])
    for share in (*quantiles, drop_share):
        if not 0 < share < 1:
            raise ConfigError(f"quantiles and drop share: got {share:g}, wanted a number between 0 and 1")
    names = [run.signal(name) for name in signals] or run.signals
    groups: dict[tuple[str, ...], _Group] = defaultdict(_Group)
    for _, table in run.batches([*names, *run.judged_by]):
        _count(run, table, names, by, where, groups)
    if not groups:
        asked = "".join(f", {key} {value}" for key, value in where.items())
        raise InputError(f"{run_folder}: no documents with text{asked}; nothing to calibrate on")
    shares = sorted({round(q, 12) for share in quantiles for q in (share, 1 - share)})
    ordered = sorted(groups.items(), key=lambda item: (-item[1].documents, item[0]))
    figures = {n: [dict(zip(by, k, strict=True)) | _figures(group, n, shares, drop_share) for k, group in ordered] for n in names}
    return {"run": run_folder, "by": list(by), "where": dict(where), "drop_share": drop_share, "signals": figures}


def _count(
    run: FinishedRun, table: pa.Table, names: Sequence[str], by: Sequence[str], where: Mapping[str, str], groups: dict[Any, _Group]
) -> None:
    """Add a batch of ledger rows to the groups."""
    chars = table["num_chars"].to_numpy()
    values = {name: table[name].to_numpy() for name in names}
    failing = run.failing(table)
    for one in slices(table, where):
        group = groups[tuple(getattr(one, key) for key in by)]
        group.documents += len(one.rows)
        group.chars += int(chars[one.rows].sum())
        for name in names:
            fails = failing[name][one.rows] if name in failing else None
            group.signals[name].add(values[name][one.rows], chars[one.rows], run.bounds(name, one.lang, one.domain), fails)


def _figures(group: _Group, name: str, shares: Sequence[float], drop_share: float) -> dict[str, Any]:
    """The entry of one signal and group."""
    signal = group.signals[name]
    distribution = signal.distribution
    proposed = {
        side: {size: _number(distribution.limit(side, drop_share, size)) for size in ("documents", "chars")} for side in ("min", "max")
    }
    return {
        "documents": group.documents,
        "chars": group.chars,
        "missing": signal.missing,
        "least": _number(distribution.limit("min", 0, "documents")),
        "quantiles": {f"{share:g}": _number(distribution.quantile(share)) for share in shares},
        "greatest": _number(distribution.limit("max", 0, "documents")),
        "bounds": [dict(sides) for sides in sorted({tuple(_sides(bounds).items()) for bounds in signal.bounds}, key=str)],
        "removed": {"documents": signal.removed_documents / group.documents, "chars": signal.removed_chars / group.chars},
        "proposed": proposed,
    }


def _sides(bounds: Bounds) -> dict[str, float | None]:
    """A side that lets everything pass is `None`."""
    return {side: value if value is not None and np.isfinite(value) else None for side, value in (("min", bounds.min), ("max", bounds.max))}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def print_report(report: Mapping[str, Any], console: Console | None = None) -> None:
    """A table for each signal, a line for each group. Of quantiles and proposals those on the sides that some rule bounds, or all."""
    console = console or Console()
    if not console.is_terminal:
        console.width = 160
    share = f"{100 * report['drop_share']:g} %"
    console.print(f"docs, chars: documents and characters. The last columns: the tightest bounds that remove at most {share} of them.")
    for name, rows in report["signals"].items():
        bounded = [side for side in ("min", "max") if any(b[side] is not None for row in rows for b in row["bounds"])]
        sides = bounded or ["min", "max"]
        shares = [q for q in rows[0]["quantiles"] if q == "0.5" or ("min" if float(q) < 0.5 else "max") in sides]
        table = Table(title=f"\n{name}", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for key in report["by"]:
            table.add_column(key, no_wrap=True)
        headings = ["docs", *(q.removeprefix("0") for q in shares), "rule now", "% docs\nremoved", "% chars\nremoved"]
        headings += [f"{side} for\n{size}" for side in sides for size in ("docs", "chars")]
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for row in rows:
            quantiles = [_short(row["quantiles"][q]) for q in shares]
            removed = [f"{100 * row['removed'][size]:.2f}" if bounded else "" for size in ("documents", "chars")]
            proposed = [_short(row["proposed"][side][size], side) for side in sides for size in ("documents", "chars")]
            groups = [row[key] or "-" for key in report["by"]]
            table.add_row(*groups, f"{row['documents']:,}", *quantiles, _rule(row["bounds"]), *removed, *proposed)
        console.print(table)


def _rule(bounds: Sequence[Mapping[str, float | None]]) -> str:
    """The bounds in words; `differs` for a group whose documents are held to different ones."""
    if len(bounds) > 1:
        return "differs"
    low, high = bounds[0]["min"], bounds[0]["max"]
    if low is not None and high is not None:
        return f"{_short(low)} to {_short(high)}"
    return f"≥ {_short(low)}" if low is not None else f"≤ {_short(high)}" if high is not None else "-"


def _short(value: float | None, side: str = "") -> str:
    """Four digits; a bound is rounded outwards, so that the rounded one removes no more.

    >>> _short(0.123456), _short(0.123456, "max"), _short(0.123456, "min"), _short(1234567, "max")
    ('0.1235', '0.1235', '0.1234', '1,235,000')
    """
    if value is None:
        return "-"
    if side and value != 0:
        step = 10.0 ** (np.floor(np.log10(abs(value))) - 3)
        rounding = np.floor if side == "min" else np.ceil
        value = float(rounding(round(value / step, 6)) * step)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"

"""Which documents another bound of a signal would drop, as SQL: those that `corpus select --set` would drop for that signal.

A bound that is set lies over those of every rule file, and keeps their other side; over each domain's, where it brings back what `off`
lifts; and over those of the kinds that bound the signal. So a document on the good side of the new bound may still be outside the old
one, and where no rule file judges, no bound drops anything. This is in SQL what `stages.filters.rules.RuleBook` does with columns, and a
test holds it against `corpus select`. Rejected: to judge by the rule book itself; every row would leave the database for each move.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.finished import FinishedRun
from stages.filters import columns as filter_columns
from stages.filters.rules import Bounds, RuleFile, primary_subtag
from stages.quality.stage import Quality

Condition = tuple[str, list[Any]]
"""SQL and the values of its question marks."""

_SHARED = ("mixed", "code")
"""Languages that all rule files judge together."""


def side_of(run: FinishedRun, signal: str) -> str:
    """The side that the rules bound: `max` where none has a `min`, else `min`."""
    every = [rules[signal] for file in run.rules.files for rules in _all_rules(file) if signal in rules]
    low = any(bounds.min is not None and np.isfinite(bounds.min) for bounds in every)
    high = any(bounds.max is not None and np.isfinite(bounds.max) for bounds in every)
    return "max" if high and not low else "min"


def _all_rules(file: RuleFile) -> Iterator[Mapping[str, Bounds]]:
    yield file.rules
    yield from file.domains.values()
    yield from (kind.rules for kind in file.kinds.values())


def broken(run: FinishedRun, signal: str, change: Bounds, codes: Sequence[str], domain: str) -> Condition:
    """True for rows outside the bounds of `signal` with `change` laid over them, false for all others. `codes`: their languages.

    `domain` is that of all rows, '' if they are of several. Raises `SettingError`, as `corpus select` does, where `change` leaves no room
    between `min` and `max`, and `ConfigError` if a rule reads a signal that the ledger has not.
    """
    if signal not in run.judged_by:  # no rule can be about it: the bound stands alone
        return _outside(signal, change)
    files = run.rules.files
    parts: list[Condition] = []
    for file in files:
        own = [code for code in codes if primary_subtag(code) in file.languages and primary_subtag(code) not in _SHARED]
        if own:
            parts.append(_of_codes(own, _by_kind(run, [file], signal, change, domain)))
    if files and (mixed := [code for code in codes if primary_subtag(code) == "mixed"]):
        parts.append(_of_codes(mixed, _by_kind(run, files, signal, change, domain)))
    if files and (code := [code for code in codes if primary_subtag(code) == "code"]):
        parts.append(_of_codes(code, _outside(signal, _bounds(files, signal, change, "code", domain))))
    judged = " or ".join(["false", *(sql for sql, _ in parts)])
    excused, percentiles = _excused(run)
    return f"coalesce(({judged}) and not {excused}, false)", [*(value for _, values in parts for value in values), *percentiles]


def _of_codes(codes: list[str], condition: Condition) -> Condition:
    return f"(list_contains(?, lang) and {condition[0]})", [codes, *condition[1]]


def _by_kind(run: FinishedRun, files: Sequence[RuleFile], signal: str, change: Bounds, domain: str) -> Condition:
    """By the first kind that a row fits, else by its domain. Files that judge together tell kinds as the first of them does."""
    named = [] if domain else sorted({name for file in files for name in file.domains})
    cases = [
        *((_fits(run, kind.when), _bounds(files, signal, change, name, "")) for name, kind in files[0].kinds.items()),
        *((("domain = ?", [name]), _bounds(files, signal, change, "", name)) for name in named),
    ]
    sql, values = "case when false then false", list[Any]()
    for (when, of_when), bounds in cases:
        then, of_then = _outside(signal, bounds)
        sql += f" when {when} then {then}"
        values += [*of_when, *of_then]
    otherwise, of_otherwise = _outside(signal, _bounds(files, signal, change, "", domain))
    return f"{sql} else {otherwise} end", [*values, *of_otherwise]


def _bounds(files: Sequence[RuleFile], signal: str, change: Bounds, kind: str, domain: str) -> Bounds | None:
    """What rows of a kind, or else of a domain, are held to: to the wider bounds of all files; to none if a file's kind has none."""
    rules = [file.bounds(kind, domain) for file in files]
    if kind and not all(signal in one for one in rules):
        return None
    return reduce(Bounds.or_wider, (one.get(signal, Bounds()).changed_by(change) for one in rules))


def _fits(run: FinishedRun, when: Mapping[str, Bounds]) -> Condition:
    found = [_outside(run.signal(column), bounds) for column, bounds in when.items()]
    return f"not ({' or '.join(sql for sql, _ in found)})", [value for _, values in found for value in values]


def _outside(signal: str, bounds: Bounds | None) -> Condition:
    """As `Bounds.outside`: a bound of float32 scores is rounded as they are."""
    kind = {column.name: column.type for column in filter_columns()}.get(signal)
    sides = [] if bounds is None else [(side, value) for side, value in (("<", bounds.min), (">", bounds.max)) if value is not None]
    values = [float(np.float32(value)) if kind == pa.float32() else value for _, value in sides]
    return "(" + " or ".join(["false", *(f'"{signal}" {side} ?' for side, _ in sides)]) + ")", values


def _excused(run: FinishedRun) -> Condition:
    """Good documents, for which the reasons of `heuristics` do not count."""
    for stage in run.config.stages:
        if isinstance(stage, Quality) and stage.skip_heuristics_above is not None:
            return f'coalesce("{run.signal("quality_percentile")}" > ?, false)', [float(np.float32(stage.skip_heuristics_above))]
    return "false", []

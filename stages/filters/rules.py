"""Rule files: which scores a document of a language and domain may have, and their evaluation over columns of scores.

A file holds `languages`, the primary subtags that it judges (`zh` covers zh-hans, zh-hant and zh-CN), `rules` (a bound for each
column), and `domains`, changes for some of them. A side that a change does not name is inherited; `off` lifts both.

`kinds` come before domains: a document whose scores are all within the `when` of a kind is judged by the rules of that kind alone,
which inherit nothing, whatever its domain. So code and formulas are not judged as prose. The first kind that fits counts.

A document of language `code` is judged by the kind `code`, one of language `mixed` as in each language, both by all files together:
they break a rule only if they break it in every file. The mean word length or the stop words of mixed text are those of neither
language. (Judged by its dominant script alone, half of the characters of a Chinese programming wiki were lost to
`mean_word_length`.) A language that no file names has no rules: we do not judge what we have not calibrated.
Thresholds never enter the scores, so the same saved scores can be judged again.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, make_dataclass, replace
from difflib import get_close_matches
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from configs.errors import ConfigError
from configs.loader import SettingError, find_file, load, read_yaml
from stages.filters import columns as filter_columns


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Both included; a side that is not given is open."""

    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise SettingError("min", f"got {self.min:g}, more than max, {self.max:g}; no document could pass")

    def outside(self, scores: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Which scores are below `min` or above `max`. Bounds of float32 scores are rounded alike: .2 passes a bound of .2."""
        kind = scores.dtype.type if scores.dtype.kind == "f" else float
        failing = np.zeros(len(scores), np.bool_)
        if self.min is not None:
            failing |= scores < kind(self.min)
        if self.max is not None:
            failing |= scores > kind(self.max)
        return failing

    def changed_by(self, other: "Bounds") -> "Bounds":
        """These bounds with the sides that `other` names."""
        return replace(self, **{f.name: getattr(other, f.name) for f in fields(other) if getattr(other, f.name) is not None})

    def or_wider(self, other: "Bounds") -> "Bounds":
        """The narrowest bounds that hold whatever either holds."""
        low = None if self.min is None or other.min is None else min(self.min, other.min)
        high = None if self.max is None or other.max is None else max(self.max, other.max)
        return Bounds(min=low, max=high)


@dataclass(frozen=True)
class Kind:
    """Rules of their own for what is told by its scores."""

    when: Mapping[str, Bounds]
    rules: Mapping[str, Bounds]


OFF = Bounds(min=-np.inf, max=np.inf)


@lru_cache(maxsize=1)
def _column_bounds() -> type:
    """A dataclass with a field for every column: so the loader itself refuses unknown columns, with line and nearest name."""
    return make_dataclass("ColumnBounds", [(c.name, Bounds | None, None) for c in filter_columns()], frozen=True, kw_only=True)


@dataclass(frozen=True)
class RuleFile:
    """Rules for some languages."""

    name: str
    languages: frozenset[str]
    rules: Mapping[str, Bounds]
    domains: Mapping[str, Mapping[str, Bounds]]
    """Complete bounds of each domain that has changes."""
    kinds: Mapping[str, Kind]

    def bounds(self, kind: str, domain: str) -> Mapping[str, Bounds]:
        """The bounds of each column for a kind, or for a domain where the kind is ''; none for a kind that this file has not."""
        if kind:
            return self.kinds[kind].rules if kind in self.kinds else {}
        return self.domains.get(domain, self.rules)

    def kinds_of(self, columns: pa.Table | pa.RecordBatch) -> npt.NDArray[np.int64]:
        """The first kind that each row fits, as its number from 1 in the order of `kinds`, 0 for none, (n,)."""
        found = np.zeros(columns.num_rows, np.int64)
        for number, kind in reversed(list(enumerate(self.kinds.values(), 1))):
            fits = np.ones(columns.num_rows, np.bool_)
            for column, bounds in kind.when.items():
                fits &= ~bounds.outside(columns[column].to_numpy(zero_copy_only=False))
            found[fits] = number
        return found


def load_rule_file(path: str, overrides: Mapping[str, Bounds]) -> RuleFile:
    """Read a rule file and lay `overrides` over the rules of each domain, and over what a kind bounds.

    Raises `ConfigError` with file, line and place.
    """
    node = read_yaml(find_file(path))
    _spell_out_off(node)
    bounds = _column_bounds()
    kind = make_dataclass("Kind", [("when", bounds), ("rules", bounds)], frozen=True, kw_only=True)
    schema = make_dataclass(
        "RuleFileSettings",
        [
            ("languages", tuple[str, ...]),
            ("rules", bounds),
            ("domains", dict[str, bounds], field(default_factory=dict)),  # type: ignore[valid-type]
            ("kinds", dict[str, kind], field(default_factory=dict)),  # type: ignore[valid-type]
        ],
        frozen=True,
        kw_only=True,
    )
    settings: Any = load(schema, node)
    if not settings.languages:
        raise ConfigError(f"{path}: languages: got none, wanted at least one, such as [en]")
    kinds = {name: Kind(_given(found.when), _given(found.rules)) for name, found in settings.kinds.items()}
    for name, found in kinds.items():
        if not found.when:
            raise ConfigError(f"{path}: kinds.{name}.when: got no bound; every document would be of this kind")
    return RuleFile(
        name=path,
        languages=frozenset(map(primary_subtag, settings.languages)),
        rules=_changed(rules := _given(settings.rules), overrides),
        domains={domain: _changed(_changed(rules, _given(changes)), overrides) for domain, changes in settings.domains.items()},
        kinds={
            name: Kind(kind.when, _changed(kind.rules, {column: overrides[column] for column in overrides.keys() & kind.rules.keys()}))
            for name, kind in kinds.items()
        },
    )


class RuleBook:
    """Rule files with overrides, ready to judge."""

    def __init__(self, files: Iterable[str], overrides: Mapping[str, Bounds]) -> None:
        self.files = tuple(load_rule_file(file, overrides) for file in files)

    def failing(self, columns: pa.Table | pa.RecordBatch) -> dict[str, npt.NDArray[np.bool_]]:
        """Rows outside the bounds of their language and kind or domain, for each column that fails at least one row.

        `columns` needs `lang`, `domain`, `fault` and the columns of the rules. Rows with a fault or without a language pass.
        """
        masks: dict[str, npt.NDArray[np.bool_]] = {}
        scores: dict[str, npt.NDArray[Any]] = {}
        language, languages = _languages(columns)
        domain, domains = _encoded(columns["domain"])
        sound = pc.is_null(columns["fault"]).to_numpy(zero_copy_only=False)
        shared = _is_one_of(languages, ("mixed", "code"))[language]
        judges: list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64], list[str], Callable[[str, str], Mapping[str, Bounds]]]] = [
            (_is_one_of(languages, file.languages)[language] & ~shared, file.kinds_of(columns), ["", *file.kinds], file.bounds)
            for file in self.files
        ]
        if self.files and shared.any():
            kinds = self.files[0].kinds_of(columns)
            names = ["", *self.files[0].kinds, "code"]
            kinds[_is_one_of(languages, ("code",))[language]] = len(names) - 1
            judges.append((shared, kinds, names, self._shared_bounds))
        for judged, kinds, names, bounds_of in judges:
            place = kinds * len(domains) + domain
            for group in np.flatnonzero(np.bincount(place[sound & judged])):  # of one kind and domain
                rows = np.flatnonzero(sound & judged & (place == group))
                for column, bounds in bounds_of(names[group // len(domains)], domains[group % len(domains)]).items():
                    if column not in scores:
                        scores[column] = columns[column].to_numpy(zero_copy_only=False)
                    failing = rows[bounds.outside(scores[column] if len(rows) == len(sound) else scores[column][rows])]
                    if len(failing):
                        masks.setdefault(column, np.zeros(len(sound), np.bool_))[failing] = True
        order = {column.name: place for place, column in enumerate(filter_columns())}
        return dict(sorted(masks.items(), key=lambda item: order[item[0]]))

    def _shared_bounds(self, kind: str, domain: str) -> Mapping[str, Bounds]:
        """Of each column that every file bounds, the wider bounds."""
        first, *others = [file.bounds(kind, domain) for file in self.files]
        shared = [column for column in first if all(column in other for other in others)]
        return {column: reduce(Bounds.or_wider, (other[column] for other in others), first[column]) for column in shared}


def primary_subtag(code: str) -> str:
    """`zh-Hans`, `zh_CN` and `zh` -> `zh`."""
    return code.lower().replace("_", "-").partition("-")[0]


def check_columns(names: Iterable[str]) -> None:
    """Raise `SettingError` for the key `overrides` if a name is not a column of a filter."""
    known = [column.name for column in filter_columns()]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise SettingError("overrides", f"unknown column '{name}'{hint}; known are: {', '.join(known)}")


def _languages(columns: pa.Table | pa.RecordBatch) -> tuple[npt.NDArray[np.int64], list[str]]:
    """The primary subtag that each row is judged under; '' without a language. As places in the list."""
    places, codes = _encoded(pc.fill_null(columns["lang"], ""))
    return places, [primary_subtag(code) for code in codes]


def _encoded(column: pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Texts without null as places in the list of those that there are, which is not empty."""
    encoded = pc.dictionary_encode(column)
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist() or [""]


def _is_one_of(values: Sequence[str], wanted: Container[str]) -> npt.NDArray[np.bool_]:
    return np.array([value in wanted for value in values], np.bool_)


def _given(settings: Any) -> dict[str, Bounds]:
    return {f.name: getattr(settings, f.name) for f in fields(settings) if getattr(settings, f.name) is not None}


def _changed(rules: Mapping[str, Bounds], changes: Mapping[str, Bounds]) -> dict[str, Bounds]:
    return {**rules, **{column: rules.get(column, Bounds()).changed_by(change) for column, change in changes.items()}}


def _spell_out_off(node: yaml.Node) -> None:
    """Write `column: off` as `{min: -.inf, max: .inf}`, in place."""
    if not isinstance(node, yaml.MappingNode):
        return
    for index, (key, value) in enumerate(node.value):
        if isinstance(value, yaml.ScalarNode) and value.value == "off":
            sides = [
                (yaml.ScalarNode("tag:yaml.org,2002:str", side), yaml.ScalarNode("tag:yaml.org,2002:float", limit))
                for side, limit in (("min", "-.inf"), ("max", ".inf"))
            ]
            node.value[index] = (key, yaml.MappingNode("tag:yaml.org,2002:map", sides, value.start_mark, value.end_mark))
        else:
            _spell_out_off(value)

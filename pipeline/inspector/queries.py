"""What the inspector asks of a run: its Parquet files through DuckDB, which reads only the columns and row groups that a question needs.

Every value that a reader types is a bound parameter, and every column is looked up among those that there are; no text becomes SQL.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import duckdb
from fsspec.implementations.arrow import ArrowFSWrapper

from configs.errors import ConfigError
from pipeline import storage
from pipeline.finished import FinishedRun
from pipeline.inspector.thresholds import broken, side_of
from stages.filters.rules import Bounds

MOST_ROWS = 100
MOST_OFFSET = 1 << 62
NUM_BINS = 40
FACETS = ("source", "domain", "lang", "fate")


@dataclass(frozen=True, kw_only=True)
class Search:
    """Which documents to list; what is empty does not narrow."""

    text: str = ""
    """Occurs in the text, as it is written."""
    id: str = ""
    """Occurs in the id."""
    reason: str = ""
    source: str = ""
    domain: str = ""
    lang: str = ""
    fate: str = ""
    cluster: str = ""
    """An id: the documents that were dropped for it, and itself."""
    signal: str = ""
    """The column that `least` and `most` bound, and that orders the list."""
    least: float | None = None
    most: float | None = None
    descending: bool = False
    offset: int = 0


class Documents:
    """The documents of one finished run."""

    def __init__(self, run_folder: str) -> None:
        """Raises `InputError` if the run is not finished."""
        self.run = FinishedRun(run_folder)
        self._lock = Lock()
        self._database = duckdb.connect()
        if not storage.is_local(run_folder):
            filesystem, _ = storage.locate(run_folder)
            self._database.register_filesystem(_RunFiles(filesystem, skip_instance_cache=True))
        for folder, columns in (("ledger", "*"), ("corpus", "id, text"), ("rejected", "id, text")):
            names = sorted(name for name in storage.list_names(storage.join(run_folder, folder)) if name.endswith(".parquet"))
            places = ", ".join(_quoted(_place(storage.join(run_folder, folder, name))) for name in names)
            self._database.execute(f"create view {folder} as select {columns} from read_parquet([{places}])")  # noqa: S608 - our own names
        self.codes = [code for (code,) in self._ask("select distinct lang from ledger where lang is not null order by 1")]
        """The languages that there are, as documents name them."""

    def facets(self) -> dict[str, Any]:
        """Documents by source, domain, language, fate and reason, and the signals that there are."""
        found: dict[str, Any] = {name: self._ask(f"select {name}, count(*) from ledger group by 1 order by 2 desc, 1") for name in FACETS}  # noqa: S608
        found["reason"] = self._ask("select unnest(reasons) as reason, count(*) from ledger group by 1 order by 2 desc, 1")
        return found | {"signals": self.run.signals, "name": self.run.config.name}

    def search(self, asked: Search) -> dict[str, Any]:
        """`{"count", "rows": [{id, source, domain, lang, fate, reasons, num_chars, cluster_size, signal}]}`, `MOST_ROWS` rows at a time."""
        where, values = self._where(asked)
        shown = f'"{self.run.signal(asked.signal)}"' if asked.signal else "null"
        order = f"{shown} {'desc' if asked.descending else 'asc'} nulls last, id" if asked.signal else "id"
        count = self._ask(f"select count(*) from ledger where {where}", values)[0][0]  # noqa: S608
        columns = ("id", "source", "domain", "lang", "fate", "reasons", "num_chars", "cluster_size", "signal")
        rows = self._ask(
            f"select {', '.join(columns[:-1])}, {shown} from ledger where {where} order by {order} limit ? offset ?",  # noqa: S608
            [*values, MOST_ROWS, asked.offset],
        )
        return {"count": count, "rows": [dict(zip(columns, row, strict=True)) for row in rows]}

    def _where(self, asked: Search) -> tuple[str, list[Any]]:
        conditions: list[str] = ["true"]
        values: list[Any] = []
        for name in FACETS:
            if value := getattr(asked, name):
                conditions.append(f"{name} = ?")
                values.append(value)
        if asked.id:
            conditions.append("contains(id, ?)")
            values.append(asked.id)
        if asked.reason:
            conditions.append("list_contains(reasons, ?)")
            values.append(asked.reason)
        if asked.cluster:
            conditions.append("(id = ? or duplicate_of = ?)")
            values += [asked.cluster, asked.cluster]
        if asked.signal:
            for side, bound in ((">=", asked.least), ("<=", asked.most)):
                if bound is not None:
                    conditions.append(f'"{self.run.signal(asked.signal)}" {side} ?')
                    values.append(bound)
        if asked.text:
            held = "select id from corpus where contains(text, ?) union all select id from rejected where contains(text, ?)"
            conditions.append(f"id in ({held})")
            values += [asked.text, asked.text]
        return " and ".join(conditions), values

    def histogram(self, signal: str) -> dict[str, Any]:
        """`{"edges", "kept", "dropped", "side"}` of a signal, `side` being the one that its rules bound.

        There are `NUM_BINS` bins between its .2 and 99.8 % quantiles; what is outside is counted at the ends.
        """
        name, side = f'"{self.run.signal(signal)}"', side_of(self.run, signal)
        low, high = self._ask(f"select approx_quantile({name}, .002), approx_quantile({name}, .998) from ledger")[0]  # noqa: S608
        if low is None:
            return {"edges": [], "kept": [], "dropped": [], "side": side}
        width = ((high - low) or 1) / NUM_BINS
        rows = self._ask(
            f"select least(greatest(floor(({name} - ?) / ?), 0), ?)::int as bin, count(*) filter (fate = 'kept'), "  # noqa: S608
            f"count(*) filter (fate <> 'kept') from ledger where {name} is not null and not isnan({name}::double) group by 1",
            [low, width, NUM_BINS - 1],
        )
        counts = {place: (kept, dropped) for place, kept, dropped in rows}
        edges = [low + width * place for place in range(NUM_BINS + 1)]
        bins = {fate: [counts.get(i, (0, 0))[n] for i in range(NUM_BINS)] for n, fate in enumerate(("kept", "dropped"))}
        return {"edges": edges, "side": side} | bins

    def threshold(self, signal: str, side: str, value: float, lang: str, domain: str) -> dict[str, Any]:
        """What another bound of a signal would change: `{"drops", "spares": {"count", "ids"}}`, of one language and domain, or of all.

        `drops` are kept documents outside their bounds with this one laid over them, as `corpus select --set` lays it; `spares` are those
        that are within them, and were dropped for this signal alone. Duplicates are not decided again: a document that stood in for
        others may be replaced by one of them. `corpus select` gives the exact result.
        """
        name = self.run.signal(signal)
        if side not in ("min", "max"):
            raise ConfigError(f"side: got '{side}', wanted min or max")
        change = Bounds(min=value) if side == "min" else Bounds(max=value)
        outside, bounds = broken(self.run, name, change, [lang] if lang else self.codes, domain)
        narrow, values = self._where(Search(lang=lang, domain=domain))
        found = {}
        for key, condition, more in (
            ("drops", f"fate = 'kept' and {outside}", []),
            ("spares", f"reasons = [?] and not {outside}", [name]),
        ):
            where, parameters = f"{narrow} and {condition}", [*values, *more, *bounds]
            count = self._ask(f"select count(*) from ledger where {where}", parameters)[0][0]  # noqa: S608
            order = f'abs("{name}"::double - ?)'
            ids = self._ask(f"select id from ledger where {where} order by {order}, id limit 20", [*parameters, value])  # noqa: S608
            found[key] = {"count": count, "ids": [row[0] for row in ids]}
        return found

    def _ask(self, question: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(question, list(values)).fetchall()


def search_of(parameters: Mapping[str, str]) -> Search:
    """A search from the parameters of an address. Raises `ConfigError` for a number that is none."""
    given: dict[str, Any] = {}
    for name, field in Search.__dataclass_fields__.items():
        text = parameters.get(name, "")
        if text == "":
            continue
        given[name] = text if field.type is str else text == "true" if field.type is bool else number(name, text)
    if "offset" in given:
        given["offset"] = min(max(0, int(given["offset"])), MOST_OFFSET)
    return Search(**given)


def number(name: str, text: str) -> float:
    """A finite number from a parameter of an address. Raises `ConfigError` for anything else."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ConfigError(f"{name}: got '{text}', wanted a number")
    return found


class _RunFiles(ArrowFSWrapper):  # type: ignore[misc]
    """Our file system for DuckDB, under a scheme of its own, so that DuckDB's s3://, an extension with other credentials, has no say."""

    protocol = "run"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.removeprefix("run://")


def _place(uri: str) -> str:
    return uri if storage.is_local(uri) else f"run://{storage.locate(uri)[1]}"


def _quoted(place: str) -> str:
    return "'" + place.replace("'", "''") + "'"

"""A finished run as later commands read it: its ledger in batches, its signals, and the bounds that its rule files set."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import ConfigError, InputError
from pipeline import storage
from pipeline.output import LEDGER
from pipeline.record import config_of, read_record
from stages.filters import columns as filter_columns
from stages.filters.rules import Bounds, RuleBook, primary_subtag
from stages.heuristics import Heuristics

GROUPINGS = ("lang", "domain", "source")
BATCH_ROWS = 65_536


class Slice(NamedTuple):
    """Rows of one language, domain and source."""

    lang: str
    """The primary subtag, as rule files name it: zh for zh-hans."""
    domain: str
    source: str
    rows: npt.NDArray[np.int64]


class FinishedRun:
    """The ledger of a finished run, and its rules as the files say now, with the run's overrides."""

    def __init__(self, folder: str) -> None:
        """Raises `InputError` if the run is not finished."""
        self.folder = folder
        if not storage.exists(storage.join(folder, "summary.json")):
            raise InputError(f"{folder}: no finished run, summary.json is missing; let `corpus run` come to its end first")
        self.parts = sorted(name for name in storage.list_names(storage.join(folder, "ledger")) if name.endswith(".parquet"))
        if not self.parts:
            raise InputError(f"{folder}: the ledger of this run is gone, ledger/ is empty or missing; run it again")
        with storage.open_input(storage.join(folder, "ledger", self.parts[0])) as file:
            schema = pq.read_schema(file)
        numeric = [field.name for field in schema if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)]
        self.signals = [name for name in numeric if name not in LEDGER]
        """Numeric columns that the stages added, in the ledger's order."""
        self.config = config_of(folder, read_record(folder)["settings"])
        heuristics = next((stage for stage in self.config.stages if isinstance(stage, Heuristics)), None)
        self.rules = RuleBook(heuristics.rules, heuristics.overrides) if heuristics else RuleBook((), {})
        self.judged_by = [column.name for column in filter_columns() if heuristics and column.name in self.signals]
        """Columns that `failing` reads."""

    def signal(self, name: str) -> str:
        """`name`, if the ledger has such a signal. Raises `ConfigError` with the nearest name if not."""
        if name not in self.signals:
            near = get_close_matches(name, self.signals, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ConfigError(f"{self.folder}: no signal '{name}' in the ledger{hint}; it has: {', '.join(self.signals)}")
        return name

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
        """(part, rows with text) with `id`, `num_chars`, `GROUPINGS` and `columns`. Unreadable rows have no text."""
        names = list(dict.fromkeys(["id", "num_chars", *GROUPINGS, *columns]))
        for part in self.parts:
            with storage.open_input(storage.join(self.folder, "ledger", part)) as file:
                for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS, columns=names):
                    table = pa.Table.from_batches([batch])
                    yield part, table.filter(pc.greater(table["num_chars"], 0))

    def failing(self, table: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """Rows that break a rule, by signal. `table` holds `judged_by` and `GROUPINGS`.

        Raises `InputError` if a rule reads a signal that this ledger has not.
        """
        try:
            return self.rules.failing(table.append_column("fault", pa.nulls(len(table), pa.string())))
        except KeyError as error:
            raise InputError(f"{self.folder}: its rule files read a signal that this run did not score ({error.args[0]}); "
                             "make the run again with this version of the program") from error  # fmt: skip

    def bounds(self, signal: str, lang: str, domain: str) -> Bounds:
        """What prose of a language and domain is held to; open where no rule speaks. `mixed` is held to the wider of all files."""
        files = [file for file in self.rules.files if lang == "mixed" or lang in file.languages]
        found = [file.domains.get(domain, file.rules).get(signal, Bounds()) for file in files]
        return reduce(Bounds.or_wider, found) if found else Bounds()


def slices(table: pa.Table, where: Mapping[str, str]) -> Iterator[Slice]:
    """The rows of each language, domain and source that `where` lets through."""
    encoded = [pc.dictionary_encode(pc.fill_null(table[name], "")).combine_chunks() for name in GROUPINGS]
    codes = np.stack([column.indices.to_numpy() for column in encoded], axis=1)
    names = [column.dictionary.to_pylist() for column in encoded]
    found, member = np.unique(codes, axis=0, return_inverse=True)
    for number, triple in enumerate(found.tolist()):
        lang, domain, source = (names[place][code] for place, code in enumerate(triple))
        one = Slice(primary_subtag(lang), domain, source, np.flatnonzero(member.reshape(-1) == number))
        if all(value == getattr(one, key) for key, value in where.items()):
            yield one


def check_groupings(names: Sequence[str] | Mapping[str, str]) -> None:
    """Raise `ConfigError` unless all names are `GROUPINGS`."""
    for name in names:
        if name not in GROUPINGS:
            raise ConfigError(f"documents have no grouping '{name}'; known are: {', '.join(GROUPINGS)}")

"""Rows of a finished run by id: a document is in that part of corpus/, rejected/ and edits/ that its ledger row has.

Ids are looked for in the ledger's column of ids, 65,536 rows at a time, then one file is read. So a story of one document out of ten
million costs the memory of a shard. What an earlier run kept (`earlier:`) is looked for there.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import InputError, RunError
from pipeline import storage
from pipeline.record import read_record

BATCH_ROWS = 65_536


class Place(NamedTuple):
    """Where a document's rows are: the run's folder, and the file's name in each of its folders."""

    run_folder: str
    part: str


def ledger(run_folder: str, columns: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
    """(part, rows) of the whole ledger in batches. Raises `InputError` for a folder without one."""
    parts = sorted(name for name in storage.list_names(storage.join(run_folder, "ledger")) if name.endswith(".parquet"))
    if not parts:
        raise InputError(f"{run_folder}: no finished run; ledger/ is empty or missing")
    for part in parts:
        uri = storage.join(run_folder, "ledger", part)
        with storage.open_input(uri) as file, storage.input_errors(uri):
            for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS, columns=list(columns)):
                yield part, pa.Table.from_batches([batch])


def find(run_folder: str, ids: Collection[str]) -> dict[str, Place]:
    """Where each of these documents is, if anywhere: in the run, or in an earlier one that it was de-duplicated against."""
    found: dict[str, Place] = {}
    for folder in (run_folder, *_earlier(run_folder)):
        _find_in(folder, set(ids), found)
    return found


def _find_in(folder: str, ids: set[str], found: dict[str, Place]) -> None:
    for part, table in ledger(folder, ["id"]):
        wanted = ids - found.keys()
        if not wanted:
            return
        there = table.filter(pc.is_in(table["id"], value_set=pa.array(wanted, pa.string())))
        found |= dict.fromkeys(there["id"].to_pylist(), Place(folder, part))


def _earlier(run_folder: str) -> list[str]:
    """Earlier runs whose ledger is still there."""
    try:
        folders = read_record(run_folder)["settings"].get("earlier", [])
    except RunError:  # its files are all that a folder needs here
        return []
    return [folder for folder in folders if storage.list_names(storage.join(folder, "ledger"))]


def rows(place: Place, folder: str, ids: Collection[str], columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The rows of these documents in one file of `folder`, in its order; none where a run has no such folder."""
    uri = storage.join(place.run_folder, folder, place.part)
    if not storage.exists(uri):
        return []
    filesystem, path = storage.locate(uri)
    wanted = pc.field("id").isin(pa.array(list(ids), pa.string()))
    with storage.input_errors(uri):
        found: list[dict[str, Any]] = pq.read_table(path, columns=columns, filters=wanted, filesystem=filesystem).to_pylist()
    return found


def rows_of(places: Mapping[str, Place], folder: str, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By id the row of each document that `folder` has; each file is read once. `columns` holds `id`."""
    return {row["id"]: row for place, ids in _by_place(places) for row in rows(place, folder, ids, columns)}


def texts(places: Mapping[str, Place]) -> dict[str, str | None]:
    """The text of each document as it was compared, with what was cut from it put back, masks excepted; None where it was not kept."""
    found: dict[str, str | None] = dict.fromkeys(places)
    for place, ids in _by_place(places):
        cuts = defaultdict(list)
        for cut in rows(place, "edits", ids):
            cuts[cut["id"]].append(cut)
        for folder in ("corpus", "rejected"):
            for row in rows(place, folder, ids, ["id", "text"]):
                found[row["id"]] = None if row["text"] is None else put_back(row["text"], cuts[row["id"]])
    return found


def _by_place(places: Mapping[str, Place]) -> list[tuple[Place, list[str]]]:
    ids: dict[Place, list[str]] = defaultdict(list)
    for document_id, place in places.items():
        ids[place].append(document_id)
    return sorted(ids.items())


def stretches(edited: str, cuts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """The text of a document in stretches, what stayed with None and between them "" with each cut, which `edits` holds in order.

    Offsets of cuts are bytes of the normalised text; what was masked stays hidden, so a mask is only in its cut's `replacement`.

    >>> mask = {"start": 4, "end": 9, "replacement": "[mail]"}
    >>> [text for text, _ in stretches("a [mail].", [{"start": 1, "end": 3, "removed": "bc", "replacement": ""}, mask])]
    ['a', '', ' ', '', '.']
    """
    data, taken, end = edited.encode(), 0, 0
    for cut in cuts:
        until = taken + cut["start"] - end
        yield data[taken:until].decode(), None
        yield "", cut
        taken, end = until + len(cut["replacement"].encode()), cut["end"]
    yield data[taken:].decode(), None


def put_back(edited: str, cuts: Sequence[Mapping[str, Any]]) -> str:
    """The normalised text, from the text and the cuts of a document. What was masked stays hidden.

    >>> put_back("a [mail].", [{"start": 1, "end": 3, "removed": "bc", "replacement": ""}, {"start": 4, "end": 9, "replacement": "[mail]"}])
    'abc [mail].'
    """
    return "".join(text if cut is None else cut["replacement"] or cut["removed"] or "" for text, cut in stretches(edited, cuts))

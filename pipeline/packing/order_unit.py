"""From sorted runs to shards: each shard is a part of the stream, cut where a document ends, and made by one task."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline import arrow_files, storage
from pipeline.engine import Statistics
from pipeline.packing.encode_unit import GROUP, NAMES, id_sum
from pipeline.parquet_files import write_parquet
from tokenizer.fit import fitted, num_cut
from tokenizer.megatron import index_bytes
from tokenizer.pack import STREAM, lay

DOCUMENTS = ("id", *NAMES, "epoch")
"""Columns of `PREFIX.documents.parquet`; row i is document i of the shard."""


@dataclass(frozen=True)
class CountWork:
    """The runs of one file."""

    uri: str
    num_shards: int


@dataclass(frozen=True)
class OrderWork:
    """One shard."""

    sent: tuple[str, ...]
    shard: int
    num_shards: int
    dtype: str
    limit: int | None
    """At most so many tokens, whole documents; all if none."""
    start: int
    """The position of the shard's first token in the stream."""
    window: int | None
    """See `PackConfig`."""
    output: str
    """The files' name without endings."""


def count(work: CountWork) -> Statistics:
    """Rows and tokens of a file in each shard."""
    rows, tokens = np.zeros(work.num_shards, np.int64), np.zeros(work.num_shards, np.int64)
    for run in arrow_files.read_table(work.uri, ["place", "ids"]).to_batches():
        bounds = _bounds(run, work.num_shards)
        rows += np.diff(bounds)
        tokens += np.diff(run["ids"].offsets.to_numpy()[bounds])
    return {"rows": rows.tolist(), "tokens": tokens.tolist()}


def order(work: OrderWork) -> Statistics:
    """Merge the runs' parts of a shard and write it; what is in it, by domain and language. Of an empty shard no file is written."""
    runs = [run for uri in work.sent for run in _parts(uri, work)]
    table = pa.Table.from_batches([run.drop_columns(["ids"]) for run in runs]) if runs else None
    if table is None or not table.num_rows:
        return {"rows": 0, "received": 0, "tokens": 0, "groups": [], "id_sum": 0, "repeated_ids": 0, "cut": 0}
    lengths = np.concatenate([np.diff(run["ids"].offsets.to_numpy()) for run in runs])
    rows, num_repeated = _in_order(table, runs)
    if work.limit is not None:
        rows = rows[: int(np.searchsorted(np.cumsum(lengths[rows]), work.limit, "right"))]
    if work.window is not None:
        rows = rows[fitted(lengths[rows], work.start, work.window)]
    ends = np.cumsum(lengths[rows])
    starts = np.full(table.num_rows, -1, np.int64)
    starts[rows] = ends - lengths[rows]
    ids = np.empty(int(ends[-1]) if len(ends) else 0, work.dtype)
    first = 0
    for run in runs:
        own = starts[first : first + run.num_rows]
        (taken,) = np.nonzero(own >= 0)
        lay(run["ids"].values.to_numpy(), run["ids"].offsets.to_numpy(), taken, own[taken], ids)
        first += run.num_rows
    written = table.take(pa.array(rows))
    statistics = {"rows": len(rows), "received": table.num_rows, "tokens": len(ids), "repeated_ids": num_repeated}
    statistics["cut"] = num_cut(lengths[rows], work.start, work.window) if work.window is not None else 0
    statistics |= {"id_sum": id_sum(written.filter(pa.array(written["epoch"].to_numpy() == 0))["id"].combine_chunks())}
    statistics |= {"groups": _groups(written, lengths[rows]), "documents": len(rows), "bytes": int(np.sum(written["num_bytes"].to_numpy()))}
    return statistics | (_write(work.output, ids, lengths[rows], written) if len(rows) else {})


def _write(prefix: str, ids: npt.NDArray[Any], lengths: npt.NDArray[np.int64], documents: pa.Table) -> Statistics:
    """The three files of a shard; checksums of those that a model reads."""
    index = index_bytes(lengths, ids.dtype)
    with storage.committed(f"{prefix}.bin") as file:
        file.write(ids.data)
    storage.write_bytes(f"{prefix}.idx", index)
    write_parquet(f"{prefix}.documents.parquet", documents.select(DOCUMENTS))
    return {"bin_sha256": hashlib.sha256(ids.data).hexdigest(), "idx_sha256": hashlib.sha256(index).hexdigest()}


def _bounds(run: pa.RecordBatch, num_shards: int) -> npt.NDArray[np.int64]:
    """The first row of each shard in a run, and at last the number of rows."""
    lows = np.array([(shard * STREAM + num_shards - 1) // num_shards for shard in range(num_shards)], np.uint64)
    return np.append(np.searchsorted(run["place"].to_numpy(), lows), run.num_rows)


def _parts(uri: str, work: OrderWork) -> Iterator[pa.RecordBatch]:
    for run in arrow_files.read_table(uri).to_batches():
        first, behind = _bounds(run, work.num_shards)[work.shard : work.shard + 2].tolist()
        if behind > first:
            yield run.slice(first, behind - first)


def _in_order(table: pa.Table, runs: list[pa.RecordBatch]) -> tuple[npt.NDArray[np.int64], int]:
    """Rows by place, and how many have an id and epoch that others have. Rows of one place follow their ids, and at last their content."""
    places = table["place"].to_numpy()
    rows = np.argsort(places, kind="stable")
    same = np.diff(places[rows]) == 0
    if not same.any():
        return rows, 0
    firsts = np.concatenate([[0], np.cumsum([run.num_rows for run in runs])])
    num_repeated = 0

    def content(row: int) -> tuple[Any, ...]:
        run = int(np.searchsorted(firsts, row, "right")) - 1
        names = [table[name][row].as_py() for name in ("id", "epoch")]
        ids = runs[run]["ids"][row - int(firsts[run])].values.to_numpy()
        return (*names, ids.tobytes(), *(table[name][row].as_py() for name in NAMES))

    breaks = np.concatenate([[0], np.flatnonzero(~same) + 1, [len(rows)]])
    for low, high in pairwise(breaks.tolist()):
        if high - low > 1:
            keyed = sorted((content(int(row)), int(row)) for row in rows[low:high])
            rows[low:high] = [row for _, row in keyed]
            num_repeated += sum(one[0][:2] == other[0][:2] for one, other in pairwise(keyed))
    return rows, num_repeated


def _groups(documents: pa.Table, lengths: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    """Counts of a shard by domain and language."""
    first = (documents["epoch"].to_numpy() == 0).astype(np.int64)
    columns = {"documents": np.ones(len(lengths), np.int64), "unique_documents": first, "tokens": lengths, "unique_tokens": lengths * first}
    table = documents.select([*GROUP, "num_bytes", "epoch"])
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    totals = [(name, "sum") for name in (*columns, "num_bytes")]
    found = table.group_by(GROUP).aggregate([*totals, ("epoch", "max")])
    rows: list[dict[str, Any]] = found.rename_columns([*GROUP, *columns, "bytes", "last_epoch"]).to_pylist()
    return rows

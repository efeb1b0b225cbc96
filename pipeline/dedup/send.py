"""Send: every shard tells the partitions what its documents are known by."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pipeline import judge
from pipeline.exchange import Exchange
from pipeline.judge import Shard
from stages.dedup.bands import preference
from stages.dedup.urls import url_key

UInt64s = npt.NDArray[np.uint64]

_I64, _U64 = pa.int64(), pa.uint64()
ID_ROWS = pa.schema({"group": _U64, "doc": _I64, "id": pa.string()})
GROUP_ROWS = pa.schema({"high": _U64, "low": _U64, "doc": _I64})
BAND_ROWS = pa.schema({"key": _U64, "doc": _I64, "preference": _I64, "content": _U64})

_SENT = ("id", "source", "path", "record", "fault", "content_hash", "num_chars", "quality", "band_keys", "url")
_SUFFIXES = r"(~[0-9]+)+$"


@dataclass(frozen=True)
class SendWork:
    """A shard and the rounds that it takes part in."""

    shard: Shard
    ids: Exchange
    contents: Exchange | None
    urls: Exchange | None
    bands: Exchange | None
    holds_out: bool = False
    """Whether this run sets documents apart: then what earlier runs set apart is compared too."""


def send(work: SendWork) -> dict[str, Any]:
    """Send ids, content hashes, URLs and band keys to their partitions. Unreadable rows have an id only."""
    shard = work.shard
    columns = shard.columns([name for name in shard.names() if name in _SENT])
    docs = shard.documents()
    there = shard.taking_part()
    ids = judge.ids_of(shard, columns).filter(pa.array(there))
    groups = _hashes(pc.replace_substring_regex(ids, _SUFFIXES, ""))
    rows = pa.RecordBatch.from_arrays([pa.array(groups), pa.array(docs[there]), ids], schema=ID_ROWS)
    work.ids.send(shard.index, rows, groups % np.uint64(work.ids.partitions))

    compared = there | shard.held_out() if work.holds_out else there
    readable = np.asarray(columns["fault"].is_null()) & compared
    high, low = content_hashes(columns["content_hash"])
    if work.contents is not None:
        _send_groups(work.contents, shard, high, low, readable)
    if work.urls is not None:
        high_url, low_url, has_url = _url_hashes(columns["url"])
        _send_groups(work.urls, shard, high_url, low_url, readable & has_url)
    if work.bands is not None:
        keys = columns["band_keys"].combine_chunks()
        signed = _first_of_each(np.flatnonzero(np.asarray(keys.is_valid()) & readable), high, low)
        matrix = keys.take(pa.array(signed)).flatten().to_numpy()
        repeated = np.repeat(signed, keys.type.list_size)
        preferred = preference(quality(columns), columns["num_chars"].to_numpy())
        if shard.earlier:  # they stay whatever comes
            preferred = np.full(shard.num_rows, np.iinfo(np.int64).max)
        values = [matrix, docs[repeated], preferred[repeated], high[repeated]]
        rows = pa.RecordBatch.from_arrays([pa.array(v) for v in values], schema=BAND_ROWS)
        work.bands.send(shard.index, rows, matrix % np.uint64(work.bands.partitions))
    return {"documents": shard.num_rows}


def quality(columns: pa.Table) -> npt.NDArray[np.float64]:
    """The score by which survivors are preferred; NaN where a run has no quality model."""
    if "quality" not in columns.column_names:
        return np.full(columns.num_rows, np.nan)
    return np.asarray(columns["quality"].to_numpy(), np.float64)


def content_hashes(column: pa.ChunkedArray) -> tuple[UInt64s, UInt64s]:
    """The two halves of 16-byte hashes, (n,) each."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    words = np.frombuffer(array.buffers()[1], np.uint64)[2 * array.offset : 2 * (array.offset + len(array))]
    return np.ascontiguousarray(words[::2]), np.ascontiguousarray(words[1::2])


def _first_of_each(rows: npt.NDArray[np.int64], high: UInt64s, low: UInt64s) -> npt.NDArray[np.int64]:
    """The first row of each content, ascending: buckets take no other, and a page may have a million copies."""
    rows = rows[np.lexsort((low[rows], high[rows]))]  # copies stay in order
    first = np.ones(len(rows), np.bool_)
    first[1:] = (high[rows[1:]] != high[rows[:-1]]) | (low[rows[1:]] != low[rows[:-1]])
    return np.sort(rows[first])


def _send_groups(exchange: Exchange, shard: Shard, high: UInt64s, low: UInt64s, sent: npt.NDArray[np.bool_]) -> None:
    rows = pa.RecordBatch.from_arrays([high[sent], low[sent], shard.documents()[sent]], schema=GROUP_ROWS)
    exchange.send(shard.index, rows, high[sent] % np.uint64(exchange.partitions))


def _url_hashes(urls: pa.ChunkedArray) -> tuple[UInt64s, UInt64s, npt.NDArray[np.bool_]]:
    """Hash of each URL's `url_key`, and which documents have one."""
    keys = [url_key(url) for url in urls.to_pylist()]
    digests = [xxhash.xxh3_128_intdigest(key.encode()) if key else 0 for key in keys]
    high = np.array([digest >> 64 for digest in digests], np.uint64)
    return high, np.array([digest & 0xFFFFFFFFFFFFFFFF for digest in digests], np.uint64), np.array([bool(key) for key in keys], np.bool_)


def _hashes(texts: pa.Array) -> UInt64s:
    return np.fromiter(map(xxhash.xxh3_64_intdigest, texts.cast(pa.binary()).to_pylist()), np.uint64, len(texts))

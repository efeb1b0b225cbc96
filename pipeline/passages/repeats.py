"""Repeats and edges: which documents are original, who owns a passage, and which pieces are boilerplate."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline import arrow_files
from pipeline.exchange import Exchange, Int64s
from pipeline.judge import Shard
from pipeline.passages.send import KEY_ROWS, PIECE_ROWS, Local, send_rows
from stages.dedup.edges import Counts, boilerplate
from stages.dedup.passages import OWN_STEPS, Bounds, Order, own_steps, repeats, runs, shared
from stages.text.units import Units

_I8, _I32, _I64, _U64 = pa.int8(), pa.int32(), pa.int64(), pa.uint64()
SHARED_ANSWERS = pa.schema({"doc": _I64, "place": _I32, "length": _I32, "key": _U64, "elsewhere": pa.bool_()})
COPY_ROWS = pa.schema({"key": _U64, "doc": _I64, "place": _I32, "length": _I32, "own": _I8, "preference": _I64, "id": _U64})
REPEAT_ANSWERS = pa.schema({"doc": _I64, "place": _I32, "length": _I32, "owner": _I64})
EDGE_ANSWERS = pa.schema({"hash": _U64})
ORIGINALS = pa.schema({"row": _I32, "own": _I8})
"""How original these documents are; all others are entirely so."""


@dataclass(frozen=True)
class SharedWork:
    """One partition of the keys."""

    exchange: Exchange
    partition: int
    num_shards: int
    num_own: int
    """Shards from this one on are of earlier runs."""


def find_shared(work: SharedWork) -> dict[str, Any]:
    """Tell each occurrence of a key that has several. To documents of earlier runs only such are elsewhere."""
    rows = work.exchange.received(work.partition)
    keys, docs, places, lengths = (rows[name].to_numpy() for name in KEY_ROWS.names)
    found = shared(keys, docs)
    at, elsewhere = found.rows, found.elsewhere
    earlier = np.flatnonzero(docs >> 32 >= work.num_own)
    if len(earlier):
        among = shared(keys[earlier], docs[earlier])
        new = docs[at] >> 32 < work.num_own
        elsewhere = np.where(new, elsewhere, np.isin(at, earlier[among.rows[among.elsewhere]]))
    columns = {"place": places[at], "length": lengths[at], "key": keys[at], "elsewhere": elsewhere}
    work.exchange.answer(work.partition, docs[at], columns, SHARED_ANSWERS, work.num_shards)
    return {"keys": len(keys), "shared": len(at)}


class Sentences(NamedTuple):
    """Some documents of a shard as the first pass described them."""

    rows: Int64s
    document: Int64s
    """Which of them each row that was asked for is."""
    units: Units
    """Of which no more is known than `runs` needs; their places are those in their documents."""
    preference: Int64s
    ids: npt.NDArray[np.uint64]
    num_bytes: Int64s

    @classmethod
    def read(cls, local: Local, rows: Int64s) -> "Sentences":
        """The documents of some rows, which may repeat."""
        documents, sentences = local.read("documents"), local.read("sentences")
        wanted, document = np.unique(rows, return_inverse=True)
        at = np.searchsorted(documents["row"].to_numpy(), wanted)
        ends = np.append(documents["first"].to_numpy(), sentences.num_rows)
        counts = np.diff(ends)[at]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        taken = np.arange(offsets[-1]) + np.repeat(ends[at] - offsets[:-1], counts)
        start, end, words, characters, heads = (column.to_numpy(zero_copy_only=False)[taken] for column in sentences.columns)
        no, nothing = np.zeros(len(taken), np.bool_), np.zeros(len(taken), np.int32)
        places = (start.astype(np.int64), end.astype(np.int64))
        units = Units(offsets, *places, nothing.astype(np.uint64), words, characters, no, no, no, heads, nothing, nothing)
        preference, ids, num_bytes = (documents[name].to_numpy()[at] for name in ("preference", "id", "num_bytes"))
        return cls(wanted, document, units, preference, ids, num_bytes)


@dataclass(frozen=True)
class OriginalsWork:
    """A shard whose documents share passages."""

    shard: Shard
    bounds: Bounds
    shared: Exchange
    copies: Exchange
    local: Local


def send_originals(work: OriginalsWork) -> dict[str, Any]:
    """Send each shared passage again, with how original its document is and what else it is preferred by."""
    answers = work.shared.answered(work.shard.index)
    row, place, length, keys = (answers[name].to_numpy() for name in ("row", "place", "length", "key"))
    order = np.lexsort((length, place, row))
    row, place, length, keys, elsewhere = row[order], place[order], length[order], keys[order], np.asarray(answers["elsewhere"])[order]
    kept = Sentences.read(work.local, row)
    first = kept.units.offsets[kept.document] + place
    held = runs(kept.units, first[elsewhere], length[elsewhere], np.zeros(int(elsewhere.sum()), np.int64), work.bounds)
    holder = np.searchsorted(kept.units.offsets, held.first, "right") - 1
    others = np.bincount(holder, kept.units.end[held.last] - kept.units.start[held.first], len(kept.rows))
    own = own_steps(1 - others / np.maximum(kept.num_bytes, 1)) + least_own(work.shard)
    work.local.keep("originals", [kept.rows.astype(np.int32), own], ORIGINALS)
    docs = work.shard.documents()[row]
    preferred = (kept.preference[kept.document], kept.ids[kept.document])
    send_rows(work.copies, work.shard.index, [keys, docs, place, length, own[kept.document], *preferred], COPY_ROWS)
    return {"documents": len(kept.rows)}


def least_own(shard: Shard) -> np.int8:
    """The steps of the least original document of a shard: of an earlier run above all new ones, since it stays as it is."""
    return np.int8(OWN_STEPS if shard.earlier else 0)


@dataclass(frozen=True)
class RepeatsWork:
    """One partition of the shared passages."""

    exchange: Exchange
    partition: int
    num_shards: int
    num_own: int


def find_repeats(work: RepeatsWork) -> dict[str, Any]:
    """Tell each occurrence but the best of its key which document owns it; documents of earlier runs are told nothing."""
    rows = work.exchange.received(work.partition)
    keys, docs, places, lengths, own, preferences, ids = (rows[name].to_numpy() for name in COPY_ROWS.names)
    found = repeats(keys, Order(own, preferences, ids, docs, places))
    new = docs[found.rows] >> 32 < work.num_own
    at, owner = found.rows[new], found.owner[new]
    columns = {"place": places[at], "length": lengths[at], "owner": docs[owner]}
    work.exchange.answer(work.partition, docs[at], columns, REPEAT_ANSWERS, work.num_shards)
    return {"repeats": len(at)}


@dataclass(frozen=True)
class EdgesWork:
    """One partition of the pieces."""

    exchange: Exchange
    partition: int
    source_of_shard: tuple[int, ...]
    documents_of_source: tuple[int, ...]
    min_documents: int
    min_share: float


def find_edges(work: EdgesWork) -> dict[str, Any]:
    """The pieces of this partition that are boilerplate."""
    rows = work.exchange.received(work.partition)
    hashes, *fields = (rows[name].to_numpy() for name in PIECE_ROWS.names)
    shard, *numbers = (field.astype(np.int64) for field in fields)
    counts = Counts(hashes, np.array(work.source_of_shard, np.int64)[shard], *numbers)
    found = boilerplate(counts, np.array(work.documents_of_source, np.int64), work.min_documents, work.min_share)
    batch = pa.RecordBatch.from_arrays([pa.array(found)], schema=EDGE_ANSWERS)
    arrow_files.write_batches(work.exchange.answers(work.partition), EDGE_ANSWERS, [batch])
    return {"pieces": len(counts.hashes), "boilerplate": len(found)}

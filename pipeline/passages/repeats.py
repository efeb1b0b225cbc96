"""Repeats and edges: which documents are original, who owns a passage, and which pieces are boilerplate."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import arrow_files
from pipeline.exchange import Exchange
from pipeline.judge import Shard
from pipeline.passages.send import DOCUMENTS, KEY_ROWS, PIECE_ROWS, Local, send_rows, texts
from stages.dedup.edges import Counts, boilerplate
from stages.dedup.passages import Bounds, Order, own_steps, repeats, runs, shared
from stages.stage import Stage

_I8, _I32, _I64, _U64 = pa.int8(), pa.int32(), pa.int64(), pa.uint64()
SHARED_ANSWERS = pa.schema({"doc": _I64, "place": _I32, "length": _I32, "key": _U64, "elsewhere": pa.bool_()})
COPY_ROWS = pa.schema({"key": _U64, "doc": _I64, "place": _I32, "length": _I32, "own": _I8, "preference": _I64, "id": _U64})
REPEAT_ANSWERS = pa.schema({"doc": _I64, "place": _I32, "length": _I32, "owner": _I64})
EDGE_ANSWERS = pa.schema({"hash": _U64})
SENTENCES = pa.schema({"row": _I32, "start": _I64, "end": _I64, "words": _I32, "characters": _I32, "heads": pa.bool_()})
"""All sentences of the documents of a shard that share a passage."""
ORIGINALS = pa.schema({"row": _I32, "own": _I8})
"""How original these documents are; all others are entirely so."""


@dataclass(frozen=True)
class SharedWork:
    """One partition of the keys."""

    exchange: Exchange
    partition: int
    num_shards: int


def find_shared(work: SharedWork) -> dict[str, Any]:
    """Tell each occurrence of a key that has several."""
    rows = work.exchange.received(work.partition)
    keys, docs, places, lengths = (rows[name].to_numpy() for name in KEY_ROWS.names)
    found = shared(keys, docs)
    at = found.rows
    columns = {"place": places[at], "length": lengths[at], "key": keys[at], "elsewhere": found.elsewhere}
    work.exchange.answer(work.partition, docs[at], columns, SHARED_ANSWERS, work.num_shards)
    return {"keys": len(keys), "shared": len(at)}


@dataclass(frozen=True)
class OriginalsWork:
    """A shard whose documents share passages."""

    shard: Shard
    stages: tuple[Stage, ...]
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
    rows, document = np.unique(row, return_inverse=True)
    found = texts(work.shard, work.stages, rows)
    units = found.units
    number = np.repeat(np.arange(len(rows)), np.diff(units.offsets))
    base = found.text.offsets[number]
    values = [rows.astype(np.int32)[number], units.start - base, units.end - base, units.words, units.characters, units.heads]
    work.local.keep("sentences", values, SENTENCES)

    first = units.offsets[document] + place
    held = runs(units, first[elsewhere], length[elsewhere], np.zeros(int(elsewhere.sum()), np.int64), work.bounds)
    holder, start, end = found.places(held.first, held.last)
    others = np.bincount(holder, end - start, len(rows))
    own = own_steps(1 - others / np.maximum(found.text.lengths(), 1))
    work.local.keep("originals", [rows.astype(np.int32), own], ORIGINALS)
    documents = work.local.read("documents")
    at = np.searchsorted(documents["row"].to_numpy(), row)
    preferred = [documents[name].to_numpy()[at] for name in DOCUMENTS.names[1:]]
    send_rows(work.copies, work.shard.index, [keys, work.shard.documents()[row], place, length, own[document], *preferred], COPY_ROWS)
    return {"documents": len(rows)}


@dataclass(frozen=True)
class RepeatsWork:
    """One partition of the shared passages."""

    exchange: Exchange
    partition: int
    num_shards: int


def find_repeats(work: RepeatsWork) -> dict[str, Any]:
    """Tell each occurrence but the best of its key which document owns it."""
    rows = work.exchange.received(work.partition)
    keys, docs, places, lengths, own, preferences, ids = (rows[name].to_numpy() for name in COPY_ROWS.names)
    found = repeats(keys, Order(own, preferences, ids, docs, places))
    columns = {"place": places[found.rows], "length": lengths[found.rows], "owner": docs[found.owner]}
    work.exchange.answer(work.partition, docs[found.rows], columns, REPEAT_ANSWERS, work.num_shards)
    return {"repeats": len(found.rows)}


@dataclass(frozen=True)
class EdgesWork:
    """One partition of the pieces."""

    exchange: Exchange
    partition: int
    documents_of_source: tuple[int, ...]
    min_documents: int
    min_share: float


def find_edges(work: EdgesWork) -> dict[str, Any]:
    """The pieces of this partition that are boilerplate."""
    rows = work.exchange.received(work.partition)
    hashes, *fields = (rows[name].to_numpy() for name in PIECE_ROWS.names)
    counts = Counts(hashes, *(field.astype(np.int64) for field in fields))
    found = boilerplate(counts, np.array(work.documents_of_source, np.int64), work.min_documents, work.min_share)
    batch = pa.RecordBatch.from_arrays([pa.array(found)], schema=EDGE_ANSWERS)
    arrow_files.write_batches(work.exchange.answers(work.partition), EDGE_ANSWERS, [batch])
    return {"pieces": len(counts.hashes), "boilerplate": len(found)}

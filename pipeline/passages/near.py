"""Near-repeats: units that share a key are compared as texts where the pair's owner is, and the better of each pair stays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import arrow_files
from pipeline.dedup.pairs import candidates_of, tell_pairs, told
from pipeline.exchange import Exchange, spread
from pipeline.judge import Shard
from pipeline.passages.repeats import least_own
from pipeline.passages.send import BAND_ROWS, Local, stretches
from stages.dedup.bands import candidate_pairs, comparable
from stages.dedup.edit_similarity import edit_similarity
from stages.dedup.grouping import places
from stages.dedup.near_passages import best_of
from stages.dedup.passages import OWN_STEPS, Order
from stages.schema import doc_reference
from stages.text.buffers import text_buffer

_I64 = pa.int64()
TEXT_ROWS = pa.schema({"unit": _I64, "others": pa.large_list(_I64), "text": pa.large_binary()})
SIMILAR_ANSWERS = pa.schema({"doc": _I64, "group": _I64, "similarity": pa.float64()})
"""Pairs of units, as edges of `pipeline.dedup.components`."""
FACT_ROWS = pa.schema(
    {
        "unit": _I64,
        "document": _I64,
        "own": pa.int8(),
        "preference": _I64,
        "id": pa.uint64(),
        "others": pa.large_list(_I64),
        "similarities": pa.large_list(pa.float64()),
    }
)
BEST_ANSWERS = pa.schema({"doc": _I64, "owner": _I64, "similarity": pa.float64()})
"""Units that go, and the document that keeps the better one; to a unit that others go for, that it must stay, with `owner` -1."""


@dataclass(frozen=True)
class BandsWork:
    """One partition of the units' keys."""

    exchange: Exchange
    partition: int
    num_shards: int
    num_own: int
    """Shards from this one on are of earlier runs, and are not compared with each other."""
    bucket_limit: int
    similarity: float


def find_candidates(work: BandsWork) -> dict[str, Any]:
    """Tell both ends of each pair of different contents; word-for-word repeats are represented by the best of them.

    Texts whose bytes differ in number by more than twice what `similarity` leaves are not compared.
    """
    rows = work.exchange.received(work.partition)
    keys, units, preferences, contents, sizes = (rows[name].to_numpy() for name in BAND_ROWS.names)
    kept = comparable(keys, contents, preferences)
    keys, units, preferences, contents, sizes = (field[kept] for field in (keys, units, preferences, contents, sizes))
    owner, other = candidate_pairs(keys, units, preferences, contents, work.bucket_limit)
    by_unit = np.argsort(units)
    size, other_size = (sizes[by_unit[np.searchsorted(units[by_unit], ends)]] for ends in (owner, other))
    close = np.minimum(size, other_size) >= (2 * work.similarity - 1) * np.maximum(size, other_size)
    close &= (owner >> 32 < work.num_own) | (other >> 32 < work.num_own)
    tell_pairs(work.exchange, work.partition, owner[close], other[close], work.num_shards)
    return {"pairs": int(close.sum())}


@dataclass(frozen=True)
class TextsWork:
    """A shard whose units in question send their texts."""

    shard: Shard
    pairs: Exchange
    local: Local
    out: Exchange


def send_texts(work: TextsWork) -> dict[str, Any]:
    """Send each unit to wherever a pair of it is compared: where the owner of the pair is."""
    pairs = candidates_of(work.pairs, work.shard.index)
    references = doc_reference(work.shard.index, 0) + pairs.row
    destination = spread(np.where(pairs.owns, references, pairs.other), work.out.partitions).astype(np.int64)
    messages, others = told(pairs, destination, work.out.partitions)

    sent, which = np.unique(messages.row, return_inverse=True)
    rows, start, end = (column.to_numpy() for column in work.local.read("units").take(pa.array(sent)).columns)
    column = arrow_files.read_table(work.shard.uri, ["text"])["text"].combine_chunks()
    text = text_buffer(column)
    base = text.offsets[rows]
    found = stretches(text, start + base, end + base)
    binary = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(found), [None, pa.py_buffer(found.offsets), pa.py_buffer(found.data)])
    values = {
        "unit": doc_reference(work.shard.index, 0) + messages.row,
        "others": others,
        "text": binary.take(pa.array(which)),
    }
    work.out.send(work.shard.index, pa.RecordBatch.from_pydict(values, schema=TEXT_ROWS), messages.destination)
    return {"texts": len(sent)}


@dataclass(frozen=True)
class CompareWork:
    """One partition of the texts."""

    exchange: Exchange
    partition: int
    num_shards: int
    similarity: float


def compare(work: CompareWork) -> dict[str, Any]:
    """Answer the pairs whose edit similarity is high enough to the owner's shard."""
    rows = work.exchange.received(work.partition)
    units = rows["unit"].to_numpy()  # in order, as shards and their units are
    others = rows["others"].combine_chunks()
    left = np.repeat(np.arange(len(units)), np.diff(others.offsets.to_numpy()))
    other = others.flatten().to_numpy()
    right = places(units, other).astype(np.int64)
    text = text_buffer(rows["text"].combine_chunks())
    similarity = edit_similarity(text, left, right, work.similarity)
    similar = similarity >= work.similarity
    columns = {"group": units[right][similar], "similarity": similarity[similar]}
    work.exchange.answer(work.partition, units[left][similar], columns, SIMILAR_ANSWERS, work.num_shards)
    return {"compared": len(left), "similar": int(similar.sum())}


@dataclass(frozen=True)
class UnitsWork:
    """A shard whose units in question say who they are."""

    shard: Shard
    similar: Exchange
    components: Exchange
    local: Local
    out: Exchange


def send_units(work: UnitsWork) -> dict[str, Any]:
    """Send each unit with a similar one, and its similar pairs, to the partition of its component."""
    asked = work.components.answered(work.shard.index)
    numbers = asked["row"].to_numpy()
    found = work.similar.answered(work.shard.index)
    offsets = np.searchsorted(found["row"].to_numpy(), np.append(numbers, np.iinfo(np.int64).max)).astype(np.int64)
    row = work.local.read("units")["row"].to_numpy()[numbers]
    documents, originals = work.local.read("documents"), work.local.read("originals")
    at = np.searchsorted(documents["row"].to_numpy(), row)
    own = np.full(work.shard.num_rows, OWN_STEPS - 1, np.int8) + least_own(work.shard)
    own[originals["row"].to_numpy()] = originals["own"].to_numpy()
    values = {
        "unit": doc_reference(work.shard.index, 0) + numbers,
        "document": doc_reference(work.shard.index, 0) + row.astype(np.int64),
        "own": own[row],
        "preference": documents["preference"].to_numpy()[at],
        "id": documents["id"].to_numpy()[at],
        "others": pa.LargeListArray.from_arrays(offsets, found["group"].to_numpy()),
        "similarities": pa.LargeListArray.from_arrays(offsets, found["similarity"].to_numpy()),
    }
    destination = spread(asked["root"].to_numpy(), work.out.partitions)
    work.out.send(work.shard.index, pa.RecordBatch.from_pydict(values, schema=FACT_ROWS), destination)
    return {"units": len(numbers)}


@dataclass(frozen=True)
class BestWork:
    """One partition of the units in question."""

    exchange: Exchange
    partition: int
    num_shards: int


def find_best(work: BestWork) -> dict[str, Any]:
    """Decide which units stay. A document is not compared with itself: its paragraphs hold its sentences."""
    rows = work.exchange.received(work.partition)
    order = Order(*(rows[name].to_numpy() for name in ("own", "preference", "id", "document", "unit")))  # a shard's units are in order
    rows = rows.take(pa.array(order.best_first(np.arange(rows.num_rows)))).combine_chunks()
    units, document = rows["unit"].to_numpy(), rows["document"].to_numpy()
    others = rows["others"].combine_chunks()
    left = np.repeat(np.arange(len(units)), np.diff(others.offsets.to_numpy()))
    by_unit = np.argsort(units)
    right = by_unit[np.searchsorted(units[by_unit], others.flatten().to_numpy())]
    apart = document[left] != document[right]
    similarity = rows["similarities"].combine_chunks().flatten().to_numpy()
    kept = best_of(len(units), left[apart], right[apart], similarity[apart])
    goes = np.flatnonzero(kept.partner >= 0)
    stays = np.unique(kept.partner[goes])
    columns = {
        "owner": np.concatenate([document[kept.partner[goes]], np.full(len(stays), -1, np.int64)]),
        "similarity": np.concatenate([kept.similarity[goes], np.full(len(stays), np.nan)]),
    }
    told = np.concatenate([units[goes], units[stays]])
    work.exchange.answer(work.partition, told, columns, BEST_ANSWERS, work.num_shards)
    return {"near_repeats": len(goes)}

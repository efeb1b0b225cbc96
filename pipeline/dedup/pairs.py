"""Pairs: documents that share a band are compared in one place, and both their true overlap and their sizes are kept."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline import arrow_files
from pipeline.dedup.send import BAND_ROWS
from pipeline.exchange import Exchange, Int64s, spread
from pipeline.judge import Shard
from stages.dedup.bands import candidate_pairs, comparable
from stages.dedup.grouping import Messages, Pairs, both_ends, by_number, messages, places, unique_pairs
from stages.dedup.survivors import LEFT_MAY_GO, RIGHT_MAY_GO
from stages.dedup.verify import jaccard, num_shared
from stages.text.buffers import text_buffer
from stages.text.shingles import shingle_sets

_I64 = pa.int64()
PAIR_ANSWERS = pa.schema({"doc": _I64, "other": _I64, "owns": pa.bool_()})
SHINGLE_ROWS = pa.schema({"doc": _I64, "others": pa.large_list(_I64), "shingles": pa.large_list(pa.uint64())})
OVERLAP_ANSWERS = pa.schema({"doc": _I64, "other": _I64, "shared": _I64, "size": _I64, "other_size": _I64})

SPREAD_FROM = 4096
"""Components of more documents are verified in many partitions: owner by owner."""
MOST_COPIES = 18
"""To so many partitions a document of such a component is sent at most, representatives excepted: 16 bands, and what it owns."""


# Candidates: every partition of band keys -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BandsWork:
    """One partition of the band round."""

    exchange: Exchange
    partition: int
    num_shards: int
    bucket_limit: int
    num_own: int
    """Shards from this one on are of earlier runs, and are not compared with each other."""


def reduce_bands(work: BandsWork) -> dict[str, Any]:
    """Tell both ends of each candidate pair of this partition's buckets; copies are represented by the first of them."""
    rows = work.exchange.received(work.partition)
    keys, docs, preferred, contents = (rows[name].to_numpy() for name in BAND_ROWS.names)
    kept = comparable(keys, contents, np.zeros(len(keys), np.int64))
    owner, other = candidate_pairs(keys[kept], docs[kept], preferred[kept], contents[kept], work.bucket_limit)
    if work.num_own < work.num_shards:
        new = (owner >> 32 < work.num_own) | (other >> 32 < work.num_own)
        owner, other = owner[new], other[new]
    tell_pairs(work.exchange, work.partition, owner, other, work.num_shards)
    return {"pairs": len(owner)}


def tell_pairs(exchange: Exchange, partition: int, owner: Int64s, other: Int64s, num_shards: int) -> None:
    """Answer the candidate pairs of a partition to the shards of both ends."""
    *columns, bounds = both_ends(owner, other, num_shards)
    rows = pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=PAIR_ANSWERS)
    arrow_files.write_batches(exchange.answers(partition), PAIR_ANSWERS, arrow_files.cut(rows, bounds))


# Gather and verify ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GatherWork:
    """A shard whose candidates send their shingles."""

    shard: Shard
    pairs: Exchange
    components: Exchange
    out: Exchange
    shingle: int


def gather(work: GatherWork) -> dict[str, Any]:
    """Send the shingle set of each candidate to wherever a pair of it is verified, with the pairs that it owns there."""
    shard, partitions = work.shard, work.out.partitions
    pairs = candidates_of(work.pairs, shard.index)
    asked = work.components.answered(shard.index)
    root, size = np.zeros(shard.num_rows, np.int64), np.zeros(shard.num_rows, np.int64)
    root[asked["row"].to_numpy()], size[asked["row"].to_numpy()] = asked["root"].to_numpy(), asked["size"].to_numpy()
    docs = shard.documents()
    owner = np.where(pairs.owns, docs[pairs.row], pairs.other)
    block = np.where(size[pairs.row] > SPREAD_FROM, owner, root[pairs.row])
    sent, others = told(pairs, spread(block, partitions).astype(np.int64), partitions)

    rows, which = np.unique(sent.row, return_inverse=True)
    text = arrow_files.read_table(shard.uri, ["text"])["text"].combine_chunks()
    offsets, shingles = shingle_sets(text_buffer(text.take(pa.array(rows))), work.shingle)
    values = {
        "doc": docs[sent.row],
        "others": others,
        "shingles": pa.LargeListArray.from_arrays(offsets, shingles).take(pa.array(which)),
    }
    work.out.send(shard.index, pa.RecordBatch.from_pydict(values, schema=SHINGLE_ROWS), sent.destination)
    return {"documents": len(rows), "messages": len(sent.row)}


def candidates_of(pairs: Exchange, shard: int) -> Pairs:
    """Each candidate pair of a shard once, although several bands found it.

    Where each end is a representative in one band and none in another, both own the pair, and it is verified twice.
    """
    answers = pairs.replies(shard)
    return unique_pairs(answers["doc"].to_numpy(), answers["other"].to_numpy(), np.asarray(answers["owns"]))


def told(pairs: Pairs, destination: Int64s, partitions: int) -> tuple[Messages, pa.LargeListArray]:
    """The messages that tell pairs to their destinations, and of each message the other ends of the pairs that its row owns."""
    sent = messages(pairs.row, destination, partitions)
    order, bounds = by_number(sent.of_pair[pairs.owns], len(sent.row))
    return sent, pa.LargeListArray.from_arrays(bounds, pairs.other[pairs.owns][order])


@dataclass(frozen=True)
class VerifyWork:
    """One partition of the shingle round."""

    exchange: Exchange
    partition: int
    num_shards: int


def verify(work: VerifyWork) -> dict[str, Any]:
    """The exact overlap of each candidate pair of this partition, answered to the owner's shard."""
    rows = work.exchange.received(work.partition)
    docs = rows["doc"].to_numpy()  # in order, as shards and their rows are
    others = rows["others"].combine_chunks()
    left = np.repeat(np.arange(len(docs)), np.diff(others.offsets.to_numpy()))
    other = others.flatten().to_numpy()
    right = places(docs, other).astype(np.int64)
    shingles = rows["shingles"].combine_chunks()
    offsets = shingles.offsets.to_numpy()
    sizes = np.diff(offsets)
    shared = num_shared(offsets, shingles.values.to_numpy(), left, right)
    columns = {"other": other, "shared": shared, "size": sizes[left], "other_size": sizes[right]}
    work.exchange.answer(work.partition, docs[left], columns, OVERLAP_ANSWERS, work.num_shards)
    return {"verified": len(left)}


# Edges: verified pairs that count -------------------------------------------------------------------------------------------------


class Ways(NamedTuple):
    """From which values on one end of a verified pair may be removed for the other."""

    similarity: float
    containment: float | None


def edge_ways(overlaps: pa.Table | pa.RecordBatch, ways: Ways) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Jaccard similarity of each verified pair, and which of its ends may go: bits of `stages.dedup.survivors`, 0 for none."""
    shared, size, other_size = (overlaps[name].to_numpy() for name in ("shared", "size", "other_size"))
    similarity = jaccard(shared, size, other_size)
    bits = np.where(similarity >= ways.similarity, LEFT_MAY_GO | RIGHT_MAY_GO, 0)
    if ways.containment is not None:
        bits |= np.where(shared >= ways.containment * size, LEFT_MAY_GO, 0)
        bits |= np.where(shared >= ways.containment * other_size, RIGHT_MAY_GO, 0)
    return similarity, bits.astype(np.int8)

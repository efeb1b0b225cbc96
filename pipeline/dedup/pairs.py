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
from stages.dedup.bands import candidate_pairs
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
    rows = rows.take(pa.array(_met(rows["key"].to_numpy())))  # most documents meet nobody
    keys, docs, preferred, contents = (rows[name].to_numpy() for name in BAND_ROWS.names)
    order = np.lexsort((docs, contents, keys))
    keys, contents = keys[order], contents[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (keys[1:] != keys[:-1]) | (contents[1:] != contents[:-1])
    order = order[first]
    owner, other = candidate_pairs(keys[first], docs[order], preferred[order], contents[first], work.bucket_limit)
    if work.num_own < work.num_shards:
        new = (owner >> 32 < work.num_own) | (other >> 32 < work.num_own)
        owner, other = owner[new], other[new]
    owns = np.repeat([True, False], len(owner))
    columns = {"other": np.concatenate((other, owner)), "owns": owns}
    work.exchange.answer(work.partition, np.concatenate((owner, other)), columns, PAIR_ANSWERS, work.num_shards)
    return {"pairs": len(owner)}


def _met(keys: npt.NDArray[np.uint64]) -> Int64s:
    """Rows whose key another row has too."""
    order = np.argsort(keys)
    ordered = keys[order]
    same = np.zeros(len(keys) + 1, np.bool_)
    same[1:-1] = ordered[1:] == ordered[:-1]
    return np.sort(order[same[1:] | same[:-1]])


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
    row, other, owns = candidates_of(work.pairs.answered(work.shard.index))
    asked = work.components.answered(work.shard.index)
    at = np.searchsorted(asked["row"].to_numpy(), row)
    docs = work.shard.documents()
    owner = np.where(owns, docs[row], other)
    block = np.where(asked["size"].to_numpy()[at] > SPREAD_FROM, owner, asked["root"].to_numpy()[at])
    destination = spread(block, work.out.partitions).astype(np.int64)
    message, number = np.unique(row * work.out.partitions + destination, return_inverse=True)  # one row of text to one partition
    number = number[owns]
    counts = np.bincount(number, minlength=len(message))
    others = other[owns][np.argsort(number, kind="stable")]

    sent, which = np.unique(message // work.out.partitions, return_inverse=True)
    text = arrow_files.read_table(work.shard.uri, ["text"])["text"].combine_chunks()
    offsets, shingles = shingle_sets(text_buffer(text.take(pa.array(sent))), work.shingle)
    values = {
        "doc": docs[sent][which],
        "others": pa.LargeListArray.from_arrays(np.concatenate([[0], np.cumsum(counts)]), others),
        "shingles": pa.LargeListArray.from_arrays(offsets, shingles).take(pa.array(which)),
    }
    work.out.send(work.shard.index, pa.RecordBatch.from_pydict(values, schema=SHINGLE_ROWS), message % work.out.partitions)
    return {"documents": len(sent), "messages": len(message)}


def candidates_of(answers: pa.Table) -> tuple[Int64s, Int64s, npt.NDArray[np.bool_]]:
    """(row, other, owns) of each candidate pair of a shard, once, although several bands found it; ordered by row and other.

    Where each end is a representative in one band and none in another, both own the pair, and it is verified twice.
    """
    row, other, owns = answers["row"].to_numpy(), answers["other"].to_numpy(), np.asarray(answers["owns"])
    order = np.lexsort((owns, other, row))
    row, other, owns = row[order], other[order], owns[order]
    first = np.ones(len(row), np.bool_)
    first[1:] = (row[1:] != row[:-1]) | (other[1:] != other[:-1]) | (owns[1:] != owns[:-1])
    return row[first], other[first], owns[first]


@dataclass(frozen=True)
class VerifyWork:
    """One partition of the shingle round."""

    exchange: Exchange
    partition: int
    num_shards: int


def verify(work: VerifyWork) -> dict[str, Any]:
    """The exact overlap of each candidate pair of this partition, answered to the owner's shard."""
    rows = work.exchange.received(work.partition).sort_by("doc").combine_chunks()
    docs = rows["doc"].to_numpy()
    others = rows["others"].combine_chunks()
    left = np.repeat(np.arange(len(docs)), np.diff(others.offsets.to_numpy()))
    other = others.flatten().to_numpy()
    right = np.searchsorted(docs, other)
    assert (docs[np.minimum(right, len(docs) - 1)] == other).all(), "the other end of a pair was sent elsewhere"
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


def edge_ways(overlaps: pa.Table, ways: Ways) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Jaccard similarity of each verified pair, and which of its ends may go: bits of `stages.dedup.survivors`, 0 for none."""
    shared, size, other_size = (overlaps[name].to_numpy() for name in ("shared", "size", "other_size"))
    similarity = jaccard(shared, size, other_size)
    bits = np.where(similarity >= ways.similarity, LEFT_MAY_GO | RIGHT_MAY_GO, 0)
    if ways.containment is not None:
        bits |= np.where(shared >= ways.containment * size, LEFT_MAY_GO, 0)
        bits |= np.where(shared >= ways.containment * other_size, RIGHT_MAY_GO, 0)
    return similarity, bits.astype(np.int8)

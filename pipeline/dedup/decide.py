"""Decide: the documents of each cluster meet in one partition, where the survivors among them are chosen."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import arrow_files, judge, storage
from pipeline.dedup.pairs import Ways, edge_ways
from pipeline.dedup.send import content_hashes, quality
from pipeline.exchange import Exchange, Int64s, spread
from pipeline.judge import Shard
from stages.dedup.survivors import CONTAINED, EXACT, NEAR, URL, Edges, survivors
from stages.mixture.stage import HELD_OUT, Mixture
from stages.stage import Stage

_I64 = pa.int64()
FACT_ROWS = pa.schema(
    {
        "doc": _I64,
        "group": _I64,
        "url_group": _I64,
        "clean": pa.bool_(),
        "drawn": pa.bool_(),
        "earlier": pa.bool_(),
        "score": pa.float64(),
        "num_chars": _I64,
        "content": pa.uint64(),
        "id": pa.string(),
        "others": pa.large_list(_I64),
        "similarities": pa.large_list(pa.float64()),
        "ways": pa.large_list(pa.int8()),
    }
)
EDGE_COLUMNS = ("others", "similarities", "ways")
SURVIVOR_ANSWERS = pa.schema(
    {
        "doc": _I64,
        "duplicate_of": pa.string(),
        "similarity": pa.float64(),
        "kind": pa.int8(),
        "cluster_size": _I64,
        "num_clean": _I64,
        "held_out": pa.bool_(),
    }
)
CLEAN = pa.schema({"clean": pa.bool_()})
"""Whether each row of a shard has no reason against it; `pipeline.passages` asks again."""
MOST_CLUSTERS = 10
"""So many of its largest clusters a partition reports."""
MEMBER_BYTES, EDGE_BYTES = 430, 12
"""What `resolve` takes for each document of a cluster, its id included, and for each verified pair of two (docs/dedup_evidence.md)."""


@dataclass(frozen=True)
class FactsWork:
    """A shard whose documents in question say who they are."""

    shard: Shard
    stages: tuple[Stage, ...]
    ids: Exchange
    contents: Exchange
    urls: Exchange | None
    overlaps: Exchange | None
    capped: Exchange | None
    clusters: Exchange
    ways: Ways
    out: Exchange


def clean_of(survivors: Exchange, shard: int) -> str:
    """File of a shard's `CLEAN`."""
    return storage.join(survivors.folder, f"clean-{shard:06d}.arrow")


def facts(work: FactsWork) -> dict[str, Any]:
    """Send each document in question, with whether it has a reason against it, to the partition of its cluster."""
    shard = work.shard
    asked = work.clusters.answered(shard.index)
    rows = asked["row"].to_numpy()
    columns = shard.columns()
    drawn = np.zeros(shard.num_rows, np.bool_)
    if shard.earlier:
        ids, clean = judge.ids_of(shard, columns), shard.taking_part()
        if any(isinstance(stage, Mixture) for stage in work.stages):
            drawn = shard.held_out()
    else:
        ids, _ = judge.final_ids(columns, work.ids.answered(shard.index))
        columns = columns.set_column(columns.schema.get_field_index("id"), "id", ids)
        capped = work.capped.answered(shard.index) if work.capped else None
        judged = judge.verdicts(work.stages, columns, capped)
        clean = ~judge.any_reason(judged, shard.num_rows)
        drawn = judged.get(Mixture.key, {}).get(HELD_OUT, drawn)
    batch = pa.RecordBatch.from_arrays([pa.array(clean)], schema=CLEAN)
    arrow_files.write_batches(clean_of(work.out, shard.index), CLEAN, [batch])
    docs = shard.documents()
    others, similarities, ways = _edges(work, rows)
    values = {
        "doc": docs[rows],
        "group": _groups(work.contents, shard, docs)[rows],
        "url_group": _groups(work.urls, shard, docs)[rows],
        "clean": clean[rows],
        "drawn": drawn[rows],
        "earlier": np.full(len(rows), bool(shard.earlier)),
        "score": quality(columns)[rows],
        "num_chars": columns["num_chars"].to_numpy()[rows],
        "content": content_hashes(columns["content_hash"])[0][rows],
        "id": ids.take(pa.array(rows)),
        "others": others,
        "similarities": similarities,
        "ways": ways,
    }
    destination = spread(asked["root"].to_numpy(), work.out.partitions)
    work.out.send(shard.index, pa.RecordBatch.from_pydict(values, schema=FACT_ROWS), destination)
    return {"documents": len(rows)}


def _groups(exchange: Exchange | None, shard: Shard, docs: Int64s) -> Int64s:
    """The first document that each row is equal to; itself if there is none."""
    group = docs.copy()
    if exchange is not None:
        found = exchange.answered(shard.index)
        group[found["row"].to_numpy()] = found["group"].to_numpy()
    return group


def _edges(work: FactsWork, rows: Int64s) -> tuple[pa.LargeListArray, pa.LargeListArray, pa.LargeListArray]:
    """For each asked row its partners in pairs that count, how similar they are, and who may go."""
    left, other = np.zeros(0, np.int64), np.zeros(0, np.int64)
    similarity, ways = np.zeros(0, np.float64), np.zeros(0, np.int8)
    if work.overlaps is not None:
        found = work.overlaps.answered(work.shard.index)
        similarity, ways = edge_ways(found, work.ways)
        counts = ways != 0
        left, other = found["row"].to_numpy()[counts], found["other"].to_numpy()[counts]
        similarity, ways = similarity[counts], ways[counts]
    offsets = pa.array(np.searchsorted(left, np.append(rows, np.iinfo(np.int64).max)).astype(np.int64))
    others, similarities, bits = (pa.LargeListArray.from_arrays(offsets, pa.array(values)) for values in (other, similarity, ways))
    return others, similarities, bits


@dataclass(frozen=True)
class ResolveWork:
    """One partition of the facts."""

    exchange: Exchange
    partition: int
    num_shards: int
    ways: Ways
    bucket_limit: int
    """Of more documents of one band not all pairs were proposed."""


def resolve(work: ResolveWork) -> dict[str, Any]:
    """Decide who survives in each cluster of this partition, and tell every document."""
    messages = work.exchange.messages(work.partition)
    rows = arrow_files.united([message.drop_columns(list(EDGE_COLUMNS)) for message in messages])
    docs = rows["doc"].to_numpy()  # in order, as shards and their rows are
    ids = rows["id"].combine_chunks()
    earlier = np.asarray(rows["earlier"])
    held_out = _held_out(rows["group"].to_numpy(), np.asarray(rows["drawn"]), messages, work.bucket_limit) & ~earlier
    decided = survivors(
        docs=docs,
        groups=rows["group"].to_numpy(),
        urls=rows["url_group"].to_numpy(),
        clean=np.asarray(rows["clean"]) & ~held_out,
        earlier=earlier,
        scores=rows["score"].to_numpy(),
        num_chars=rows["num_chars"].to_numpy(),
        contents=rows["content"].to_numpy(),
        id_ranks=_ranks(ids),
        edges=map(_edges_in, messages),
        near_similarity=work.ways.similarity,
    )
    partner = np.searchsorted(docs, np.maximum(decided.duplicate_of, 0))
    has_partner = decided.duplicate_of >= 0
    compared = has_partner & (decided.kind & (EXACT | NEAR | CONTAINED) != 0)
    columns = {
        "duplicate_of": ids.take(pa.array(partner, mask=~has_partner)),
        "similarity": pa.array(decided.similarity, mask=~compared),
        "kind": decided.kind,
        "cluster_size": decided.cluster_size,
        "num_clean": decided.num_clean,
        "held_out": held_out,
    }
    work.exchange.answer(work.partition, docs, columns, SURVIVOR_ANSWERS, work.num_shards)
    kept = np.flatnonzero(~has_partner & (decided.cluster_size > 1))
    largest = kept[np.lexsort((docs[kept], -decided.cluster_size[kept]))][:MOST_CLUSTERS]
    return {
        "exact": int((decided.kind & EXACT != 0).sum()),
        "near": int((decided.kind & NEAR != 0).sum()),
        "contained": int((decided.kind & CONTAINED != 0).sum()),
        "url": int((decided.kind & URL != 0).sum()),
        "clusters": [[int(decided.cluster_size[i]), ids[int(i)].as_py()] for i in largest],
    }


def _held_out(groups: Int64s, drawn: npt.NDArray[np.bool_], messages: list[pa.RecordBatch], bucket_limit: int) -> npt.NDArray[np.bool_]:
    """Drawn documents, their copies, and what a verified pair joins to these. No further: clusters chain, and a chain may be a domain.

    But for templates: of more than `bucket_limit` documents only a few are compared with all, so what is joined to a neighbour of so many
    pairs goes too. Of 400 pages that differ in a word, all .9 similar, one drawn document would leave 27 in the training.
    """
    apart = np.unique(groups[drawn])
    if not len(apart):
        return np.zeros(len(groups), np.bool_)
    near = np.union1d(apart, _joined(apart, messages))
    num_pairs = np.zeros(len(near), np.int64)
    for edges in map(_edges_in, messages):
        for end in (edges.left, edges.right):
            num_pairs += np.bincount(np.searchsorted(near, end[_among(end, near)]), minlength=len(near))
    return np.isin(groups, np.union1d(near, _joined(near[num_pairs > bucket_limit], messages)))


def _joined(names: Int64s, messages: list[pa.RecordBatch]) -> Int64s:
    """The other ends of all pairs of some documents, ascending."""
    told = map(_edges_in, messages)
    ends = (np.union1d(edges.left[_among(edges.right, names)], edges.right[_among(edges.left, names)]) for edges in told)
    return np.unique(np.concatenate([np.zeros(0, np.int64), *ends]))


def _among(ends: Int64s, names: Int64s) -> npt.NDArray[np.bool_]:
    """Which ends are one of `names`, ascending: these are many, and each message has few ends."""
    if not len(names):
        return np.zeros(len(ends), np.bool_)
    return np.asarray(names[np.minimum(np.searchsorted(names, ends), len(names) - 1)] == ends)


def _edges_in(message: pa.RecordBatch) -> Edges:
    """The verified pairs that a shard told; views of the message but for one end of each."""
    others, similarity, ways = (message[name] for name in EDGE_COLUMNS)
    left = np.repeat(message["doc"].to_numpy(), np.diff(others.offsets.to_numpy()))
    return Edges(left, others.flatten().to_numpy(), similarity.flatten().to_numpy(), ways.flatten().to_numpy())


def _ranks(ids: pa.Array) -> Int64s:
    """The position of each id among the sorted ids."""
    ranks = np.empty(len(ids), np.int64)
    ranks[pc.array_sort_indices(ids).to_numpy()] = np.arange(len(ids))
    return ranks

"""The passes that see all shards: repeated ids, exact copies, near-duplicates, and the survivors among them.

Rows that must meet are sent to the same partition, and the partition's answers are sent back to the shards that asked:

    send       shard -> partition     id, content hash and band keys of each document
    reduce     partition              repeated ids; groups of equal content; candidate pairs of each band bucket
    components one task               union-find over candidate pairs and copies: what may belong together gets one number
    gather     shard -> partition     shingles of each candidate, to the partition of its component
    verify     partition              exact Jaccard of each candidate pair
    facts      shard -> partition     who is clean, how good, how long; which verified pairs
    resolve    partition              survivors (stages.dedup.survivors); who duplicates whom

Only integers, hashes and the documents in question travel. The driver sees counts. All but the last two passes depend on no threshold
(every verified similarity is stored, also those below `similarity`), so retuning starts at `facts`. `components` holds 16 bytes a pair
in one task: half a billion pairs in 8 GB, the limit of this design, stated in docs/decisions.md.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pipeline import arrow_files, judge, storage
from pipeline.judge import Shard
from stages.dedup import components as union
from stages.dedup.bands import candidate_pairs, preference
from stages.dedup.stage import DocumentDedup
from stages.dedup.survivors import EXACT, NEAR, survivors
from stages.dedup.verify import exact_jaccard
from stages.stage import Stage
from stages.text.buffers import text_buffer
from stages.text.shingles import shingle_sets

Int64s = npt.NDArray[np.int64]

_I64, _U64 = pa.int64(), pa.uint64()
ID_ROWS = pa.schema({"group": _U64, "doc": _I64, "id": pa.string()})
ID_ANSWERS = pa.schema({"doc": _I64, "suffix": _I64})
CONTENT_ROWS = pa.schema({"high": _U64, "low": _U64, "doc": _I64})
CONTENT_ANSWERS = pa.schema({"doc": _I64, "group": _I64})
BAND_ROWS = pa.schema({"key": _U64, "doc": _I64, "preference": _I64, "content": _U64})
PAIRS = pa.schema({"left": _I64, "right": _I64})
COMPONENT_ANSWERS = pa.schema({"doc": _I64, "root": _I64, "near": pa.bool_(), "rights": pa.large_list(_I64)})
SHINGLE_ROWS = pa.schema({"doc": _I64, "rights": pa.large_list(_I64), "shingles": pa.large_list(_U64)})
SIMILARITY_ANSWERS = pa.schema({"doc": _I64, "right": _I64, "similarity": pa.float64()})
FACT_ROWS = pa.schema(
    {
        "doc": _I64,
        "group": _I64,
        "clean": pa.bool_(),
        "score": pa.float64(),
        "num_chars": _I64,
        "id": pa.string(),
        "rights": pa.large_list(_I64),
        "similarities": pa.large_list(pa.float64()),
    }
)
SURVIVOR_ANSWERS = pa.schema(
    {"doc": _I64, "duplicate_of": pa.string(), "similarity": pa.float64(), "kind": pa.int8(), "cluster_size": _I64}
)


@dataclass(frozen=True)
class Exchange:
    """Where the messages of one round stand: `sent/<sender>.arrow` for partitions, `answers/<partition>.arrow` for shards."""

    folder: str
    senders: int
    partitions: int

    def sent(self, sender: int) -> str:
        """File with one batch for each partition."""
        return storage.join(self.folder, f"sent-{sender:06d}.arrow")

    def answers(self, partition: int) -> str:
        """File with one batch for each shard (or one in all, where the next task reads everything)."""
        return storage.join(self.folder, f"answers-{partition:06d}.arrow")

    def received(self, partition: int) -> pa.Table:
        """What all senders sent to a partition."""
        return arrow_files.collect([self.sent(i) for i in range(self.senders)], partition)

    def answered(self, shard: int) -> pa.Table:
        """What all partitions answered to a shard, in document order; `row` says which of its rows each is about."""
        table = arrow_files.collect([self.answers(p) for p in range(self.partitions)], shard).sort_by("doc").combine_chunks()
        return table.append_column("row", pa.array(table["doc"].to_numpy() & 0xFFFFFFFF))

    def all_answers(self) -> pa.Table:
        """What all partitions answered, for the one task that reads everything."""
        return pa.concat_tables(arrow_files.read_table(self.answers(p)) for p in range(self.partitions)).combine_chunks()

    def send(self, sender: int, rows: pa.RecordBatch, destination: npt.NDArray[np.integer[Any]]) -> None:
        """Write a sender's rows, cut by partition."""
        batches = arrow_files.scatter(rows, destination, self.partitions)
        arrow_files.write_batches(self.sent(sender), rows.schema, batches)

    def answer(self, partition: int, docs: Int64s, columns: dict[str, Any], schema: pa.Schema, num_shards: int) -> None:
        """Write answers about documents, cut by their shards."""
        rows = pa.RecordBatch.from_pydict({"doc": docs, **columns}, schema=schema)
        arrow_files.write_batches(self.answers(partition), schema, arrow_files.scatter(rows, docs >> 32, num_shards))


# Send: every shard ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SendWork:
    """A shard and the rounds that it takes part in."""

    shard: Shard
    ids: Exchange
    contents: Exchange | None
    bands: Exchange | None


def send(work: SendWork) -> dict[str, Any]:
    """Send ids, content hashes and band keys to their partitions. Unreadable rows have an id only."""
    shard = work.shard
    columns = shard.columns([name for name in shard.names() if name in _SENT])
    docs = shard.documents()
    ids = judge.own_ids(columns)
    groups = _hashes(pc.replace_substring_regex(ids, _SUFFIXES, ""))
    rows = pa.RecordBatch.from_arrays([pa.array(groups), pa.array(docs), ids], schema=ID_ROWS)
    work.ids.send(shard.index, rows, groups % np.uint64(work.ids.partitions))

    readable = np.asarray(columns["fault"].is_null())
    high, low = content_hashes(columns["content_hash"])
    if work.contents is not None:
        rows = pa.RecordBatch.from_arrays([high[readable], low[readable], docs[readable]], schema=CONTENT_ROWS)
        work.contents.send(shard.index, rows, high[readable] % np.uint64(work.contents.partitions))
    if work.bands is not None:
        keys = columns["band_keys"].combine_chunks()
        valid = np.asarray(keys.is_valid()) & readable
        matrix = keys.filter(pa.array(valid)).flatten().to_numpy()
        bands = keys.type.list_size
        repeated = np.repeat(np.nonzero(valid)[0], bands)
        preferred = preference(quality(columns), columns["num_chars"].to_numpy())
        values = [matrix, docs[repeated], preferred[repeated], high[repeated]]
        rows = pa.RecordBatch.from_arrays([pa.array(v) for v in values], schema=BAND_ROWS)
        work.bands.send(shard.index, rows, matrix % np.uint64(work.bands.partitions))
    return {"documents": shard.num_rows}


_SENT = ("id", "source", "path", "record", "fault", "content_hash", "num_chars", "quality", "band_keys")
_SUFFIXES = r"(~[0-9]+)+$"


def content_hashes(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """The two halves of 16-byte hashes, (n,) each."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    words = np.frombuffer(array.buffers()[1], np.uint64)[2 * array.offset : 2 * (array.offset + len(array))]
    return np.ascontiguousarray(words[::2]), np.ascontiguousarray(words[1::2])


def quality(columns: pa.Table) -> npt.NDArray[np.float64]:
    """The score by which survivors are preferred; NaN where a run has no quality model."""
    if "quality" not in columns.column_names:
        return np.full(columns.num_rows, np.nan)
    return np.asarray(columns["quality"].to_numpy(), np.float64)


def _hashes(texts: pa.Array) -> npt.NDArray[np.uint64]:
    return np.fromiter(map(xxhash.xxh3_64_intdigest, texts.cast(pa.binary()).to_pylist()), np.uint64, len(texts))


# Reduce: every partition of the three rounds --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReduceWork:
    """One partition of one round."""

    exchange: Exchange
    partition: int
    num_shards: int
    bucket_limit: int = 0


def reduce_ids(work: ReduceWork) -> dict[str, Any]:
    """The second document of an id gets `~2`, the third `~3`, in document order; numbers that users' own ids hold are passed over."""
    rows = work.exchange.received(work.partition)
    groups = rows["group"].to_numpy()
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    rows = rows.filter(pa.array(counts[inverse] > 1)).sort_by([("group", "ascending"), ("doc", "ascending")])
    ids, docs = rows["id"].to_pylist(), rows["doc"].to_pylist()
    taken = set(ids)
    seen: dict[str, int] = {}
    repeated: list[tuple[int, int]] = []
    for own, doc in zip(ids, docs, strict=True):
        if own not in seen:
            seen[own] = 1
            continue
        suffix = seen[own] + 1
        while f"{own}~{suffix}" in taken:
            suffix += 1
        seen[own] = suffix
        taken.add(f"{own}~{suffix}")
        repeated.append((doc, suffix))
    found = np.array(repeated, np.int64).reshape(-1, 2)
    work.exchange.answer(work.partition, found[:, 0], {"suffix": found[:, 1]}, ID_ANSWERS, work.num_shards)
    return {"repeated_ids": len(repeated)}


def reduce_contents(work: ReduceWork) -> dict[str, Any]:
    """Documents of equal content, each with the first of them as its group."""
    rows = work.exchange.received(work.partition)
    high, low, docs = (rows[name].to_numpy() for name in ("high", "low", "doc"))
    order = np.lexsort((docs, low, high))
    high, low, docs = high[order], low[order], docs[order]
    starts = np.ones(len(docs), np.bool_)
    starts[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    number = np.cumsum(starts) - 1
    sizes = np.bincount(number, minlength=0)
    several = sizes[number] > 1
    first = docs[np.nonzero(starts)[0]][number]
    work.exchange.answer(work.partition, docs[several], {"group": first[several]}, CONTENT_ANSWERS, work.num_shards)
    return {"copies": int(several.sum()) - int((sizes > 1).sum())}


def reduce_bands(work: ReduceWork) -> dict[str, Any]:
    """Candidate pairs of this partition's buckets; copies are represented by the first of them."""
    rows = work.exchange.received(work.partition)
    keys, docs, preferred, contents = (rows[name].to_numpy() for name in BAND_ROWS.names)
    order = np.lexsort((docs, contents, keys))
    keys, docs, preferred, contents = keys[order], docs[order], preferred[order], contents[order]
    first = np.ones(len(docs), np.bool_)
    first[1:] = (keys[1:] != keys[:-1]) | (contents[1:] != contents[:-1])
    left, right = candidate_pairs(keys[first], docs[first], preferred[first], contents[first], work.bucket_limit)
    pairs = pa.RecordBatch.from_arrays([pa.array(left), pa.array(right)], schema=PAIRS)
    arrow_files.write_batches(work.exchange.answers(work.partition), PAIRS, [pairs])
    return {"pairs": len(left)}


# Components: one task -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ComponentsWork:
    """All candidate pairs and all groups of copies."""

    bands: Exchange | None
    contents: Exchange | None
    out: Exchange
    num_shards: int


def find_components(work: ComponentsWork) -> dict[str, Any]:
    """Number what may belong together; tell each document its component, and whom it is to be compared with."""
    left, right = _all_pairs(work.bands)
    copies, firsts = _all_copies(work.contents)
    docs, roots = union.components(np.concatenate([left, firsts]), np.concatenate([right, copies]))
    starts = np.searchsorted(left, docs)
    counts = np.searchsorted(left, docs, side="right") - starts
    offsets = np.concatenate([[0], np.cumsum(counts)])
    near = np.isin(docs, left) | np.isin(docs, right)
    columns = {"root": roots, "near": near, "rights": pa.LargeListArray.from_arrays(offsets, right)}
    work.out.answer(0, docs, columns, COMPONENT_ANSWERS, work.num_shards)
    return {"candidates": int(near.sum()), "pairs": len(left), "components": int((docs == roots).sum())}


def _all_pairs(bands: Exchange | None) -> tuple[Int64s, Int64s]:
    if bands is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    pairs = bands.all_answers()
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    order = np.lexsort((right, left))
    left, right = left[order], right[order]
    first = np.ones(len(left), np.bool_)
    first[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return left[first], right[first]


def _all_copies(contents: Exchange | None) -> tuple[Int64s, Int64s]:
    """(document, first document of the same content) of every copy."""
    if contents is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    copies = contents.all_answers()
    return copies["doc"].to_numpy(), copies["group"].to_numpy()


# Gather and verify ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GatherWork:
    """A shard whose candidates send their shingles."""

    shard: Shard
    components: Exchange
    out: Exchange
    shingle: int


def gather(work: GatherWork) -> dict[str, Any]:
    """Send the shingle set of each document that stands in a candidate pair to the partition of its component."""
    asked = work.components.answered(work.shard.index)
    asked = asked.filter(asked["near"]).combine_chunks()
    rows = asked["row"].to_numpy()
    text = arrow_files.read_table(work.shard.uri, ["text"])["text"].combine_chunks()
    offsets, shingles = shingle_sets(text_buffer(text.take(pa.array(rows))), work.shingle)
    values = {
        "doc": work.shard.documents()[rows],
        "rights": asked["rights"].combine_chunks(),
        "shingles": pa.LargeListArray.from_arrays(offsets, shingles),
    }
    work.out.send(work.shard.index, pa.RecordBatch.from_pydict(values, schema=SHINGLE_ROWS), _spread(asked["root"], work.out))
    return {"documents": len(rows)}


def _spread(roots: pa.ChunkedArray, exchange: Exchange) -> npt.NDArray[np.uint64]:
    """A partition for each component; roots are mixed first, since they come from few shards."""
    mixed: npt.NDArray[np.uint64] = roots.to_numpy().astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(32)) % np.uint64(exchange.partitions)


def verify(work: ReduceWork) -> dict[str, Any]:
    """The exact Jaccard similarity of each candidate pair of this partition, answered to the left document's shard."""
    rows = work.exchange.received(work.partition).sort_by("doc").combine_chunks()
    docs = rows["doc"].to_numpy()
    rights = rows["rights"].combine_chunks()
    lefts = np.repeat(np.arange(len(docs)), np.diff(rights.offsets.to_numpy()))
    right_docs = rights.flatten().to_numpy()
    shingles = rows["shingles"].combine_chunks()
    similarity = exact_jaccard(
        shingles.offsets.to_numpy(), shingles.values.to_numpy(), lefts.astype(np.int64), np.searchsorted(docs, right_docs)
    )
    columns = {"right": right_docs, "similarity": similarity}
    work.exchange.answer(work.partition, docs[lefts], columns, SIMILARITY_ANSWERS, work.num_shards)
    return {"verified": len(lefts)}


# Facts and resolve: what a selection decides --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FactsWork:
    """A shard whose documents in question say who they are."""

    shard: Shard
    stages: tuple[Stage, ...]
    ids: Exchange
    contents: Exchange | None
    components: Exchange
    similarities: Exchange | None
    out: Exchange


def facts(work: FactsWork) -> dict[str, Any]:
    """Send each document in question, with whether it has a reason against it, to the partition of its component."""
    shard = work.shard
    asked = work.components.answered(shard.index).combine_chunks()
    rows = asked["row"].to_numpy()
    columns = shard.columns()
    ids, _ = judge.final_ids(columns, work.ids.answered(shard.index))
    columns = columns.set_column(columns.schema.get_field_index("id"), "id", ids)
    clean = ~judge.any_reason(judge.verdicts(work.stages, columns), shard.num_rows)
    docs = shard.documents()
    group = docs.copy()
    if work.contents is not None:
        copies = work.contents.answered(shard.index)
        group[copies["row"].to_numpy()] = copies["group"].to_numpy()
    rights, similarities = _verified(work, rows)
    values = {
        "doc": docs[rows],
        "group": group[rows],
        "clean": clean[rows],
        "score": quality(columns)[rows],
        "num_chars": columns["num_chars"].to_numpy()[rows],
        "id": ids.take(pa.array(rows)),
        "rights": rights,
        "similarities": similarities,
    }
    work.out.send(shard.index, pa.RecordBatch.from_pydict(values, schema=FACT_ROWS), _spread(asked["root"], work.out))
    return {"documents": len(rows)}


def _verified(work: FactsWork, rows: Int64s) -> tuple[pa.LargeListArray, pa.LargeListArray]:
    """For each asked row its partners at `similarity` or above, and how similar they are."""
    right, similarity, left = np.zeros(0, np.int64), np.zeros(0, np.float64), np.zeros(0, np.int64)
    if work.similarities is not None:
        (stage,) = [s for s in work.stages if isinstance(s, DocumentDedup)]
        found = work.similarities.answered(work.shard.index)
        found = found.filter(pc.greater_equal(found["similarity"], stage.similarity))
        left, right, similarity = (found[name].to_numpy() for name in ("row", "right", "similarity"))
    offsets = np.searchsorted(left, np.append(rows, np.iinfo(np.int64).max)).astype(np.int64)
    return pa.LargeListArray.from_arrays(offsets, right), pa.LargeListArray.from_arrays(offsets, similarity)


def resolve(work: ReduceWork) -> dict[str, Any]:
    """Decide who survives in each component of this partition, and tell every document."""
    rows = work.exchange.received(work.partition).sort_by("doc").combine_chunks()
    docs = rows["doc"].to_numpy()
    ids = rows["id"].combine_chunks()
    rights = rows["rights"].combine_chunks()
    decided = survivors(
        docs=docs,
        groups=rows["group"].to_numpy(),
        clean=np.asarray(rows["clean"]),
        scores=rows["score"].to_numpy(),
        num_chars=rows["num_chars"].to_numpy(),
        id_ranks=_ranks(ids),
        edge_left=np.repeat(docs, np.diff(rights.offsets.to_numpy())),
        edge_right=rights.flatten().to_numpy(),
        edge_similarity=rows["similarities"].combine_chunks().flatten().to_numpy(),
    )
    partner = np.searchsorted(docs, np.maximum(decided.duplicate_of, 0))
    has_partner = decided.duplicate_of >= 0
    columns = {
        "duplicate_of": ids.take(pa.array(partner, mask=~has_partner)),
        "similarity": pa.array(decided.similarity, mask=~has_partner),
        "kind": decided.kind,
        "cluster_size": decided.cluster_size,
    }
    work.exchange.answer(work.partition, docs, columns, SURVIVOR_ANSWERS, work.num_shards)
    return {
        "exact": int((decided.kind & EXACT != 0).sum()),
        "near": int((decided.kind & NEAR != 0).sum()),
        "largest_cluster": int(decided.cluster_size.max(initial=1)),
    }


def _ranks(ids: pa.Array) -> Int64s:
    """The position of each id among the sorted ids."""
    ranks = np.empty(len(ids), np.int64)
    ranks[pc.array_sort_indices(ids).to_numpy()] = np.arange(len(ids))
    return ranks

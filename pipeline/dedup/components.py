"""Components: one task that streams edges through a union-find and tells each shard which documents belong together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline import arrow_files
from pipeline.dedup.pairs import SPREAD_FROM, Ways, edge_ways
from pipeline.exchange import Exchange, Int64s
from stages.dedup.components import Forest, forest, join, settle
from stages.schema import doc_reference

COMPONENT_ANSWERS = pa.schema({"doc": pa.int64(), "root": pa.int64(), "size": pa.int64()})
"""`root` is the number of the component's first document among all documents of the run."""


def forest_bytes(num_documents: int) -> int:
    """What the union-find holds: a parent and a size for each document, of 4 bytes, or of 8 beyond 4 billion documents."""
    return 2 * num_documents * (4 if num_documents <= 1 << 32 else 8)


@dataclass(frozen=True)
class ComponentsWork:
    """The edges of all partitions and the sizes of the shards."""

    shard_rows: tuple[int, ...]
    pairs: Exchange | None
    """Candidate pairs, or verified ones if `ways` says what an edge is."""
    groups: tuple[Exchange, ...]
    """Rounds that found equal documents."""
    ways: Ways | None
    out: Exchange


def find_components(work: ComponentsWork) -> dict[str, Any]:
    """Number what belongs together; tell each document in a component of several its component and that one's size."""
    bases = np.concatenate([[0], np.cumsum(work.shard_rows)]).astype(np.int64)
    parent = forest(int(bases[-1]))
    num_edges = 0
    for left, right in _edges(work):
        num_edges += len(left)
        join(parent, bases[left >> 32] + (left & 0xFFFFFFFF), bases[right >> 32] + (right & 0xFFFFFFFF))
    sizes = settle(parent)
    arrow_files.write_batches(work.out.answers(0), COMPONENT_ANSWERS, _answers(parent, sizes, bases))
    return {
        "pairs": num_edges,
        "candidates": int(sizes[sizes > 1].sum(dtype=np.int64)),
        "spread": int(sizes[sizes > SPREAD_FROM].sum(dtype=np.int64)),
        "components": int((sizes > 1).sum()),
        "largest_component": int(sizes.max(initial=0)),
    }


def _edges(work: ComponentsWork) -> Iterator[tuple[Int64s, Int64s]]:
    """Pairs of documents, one message after the other."""
    for groups in work.groups:
        for batch in groups.all_answers(("doc", "group")):
            yield batch["doc"].to_numpy(), batch["group"].to_numpy()
    if work.pairs is None:
        return
    if work.ways is None:
        for batch in work.pairs.all_answers(("doc", "other", "owns")):
            owned = np.asarray(batch["owns"])  # the other end was told the same pair
            yield batch["doc"].to_numpy()[owned], batch["other"].to_numpy()[owned]
        return
    for batch in work.pairs.all_answers(("doc", "other", "shared", "size", "other_size")):
        _, ways = edge_ways(batch, work.ways)
        counts = ways != 0
        yield batch["doc"].to_numpy()[counts], batch["other"].to_numpy()[counts]


def _answers(parent: Forest, sizes: Forest, bases: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    for shard in range(len(bases) - 1):
        roots = parent[bases[shard] : bases[shard + 1]]
        size = sizes[roots]
        rows = np.flatnonzero(size > 1)
        values = [doc_reference(shard, 0) + rows, roots[rows].astype(np.int64), size[rows].astype(np.int64)]
        yield pa.RecordBatch.from_arrays([pa.array(v) for v in values], schema=COMPONENT_ANSWERS)

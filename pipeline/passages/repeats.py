"""Repeats and edges: every partition of the keys finds owners, every partition of the pieces boilerplate."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import arrow_files
from pipeline.exchange import Exchange
from pipeline.passages.send import KEY_ROWS, PIECE_ROWS
from stages.dedup.edges import Counts, boilerplate
from stages.dedup.passages import repeats

REPEAT_ANSWERS = pa.schema({"doc": pa.int64(), "place": pa.int32(), "count": pa.int32(), "owner": pa.int64()})
EDGE_ANSWERS = pa.schema({"hash": pa.uint64()})


@dataclass(frozen=True)
class RepeatsWork:
    """One partition of the keys."""

    exchange: Exchange
    partition: int
    num_shards: int


def find_repeats(work: RepeatsWork) -> dict[str, Any]:
    """Tell each occurrence but the best of its key which document owns it."""
    rows = work.exchange.received(work.partition)
    keys, docs, places, counts, preferences, ids = (rows[name].to_numpy() for name in KEY_ROWS.names)
    found = repeats(keys, docs, places, preferences, ids)
    columns = {"place": places[found.rows], "count": counts[found.rows], "owner": docs[found.owner]}
    work.exchange.answer(work.partition, docs[found.rows], columns, REPEAT_ANSWERS, work.num_shards)
    return {"keys": len(keys), "repeats": len(found.rows)}


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
    counts = Counts(*(rows[name].to_numpy() for name in PIECE_ROWS.names))
    found = boilerplate(counts, np.array(work.documents_of_source, np.int64), work.min_documents, work.min_share)
    batch = pa.RecordBatch.from_arrays([pa.array(found)], schema=EDGE_ANSWERS)
    arrow_files.write_batches(work.exchange.answers(work.partition), EDGE_ANSWERS, [batch])
    return {"pieces": len(counts.hashes), "boilerplate": len(found)}

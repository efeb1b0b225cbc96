"""The local pass: one split is read once, and all local stages run over it batch by batch, fused, into one shard.

A shard is an Arrow IPC file with a row for every input document of the split, readable or not. Memory is bounded by the split.

On a local disk shards are not compressed, so that later passes map them and touch what they need. lz4 takes .18 CPU seconds more to write
115 MB of Chinese and English text than none, and .05 each time it is read, for .56 of the bytes; that pays on an object store.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from configs.errors import InputError
from pipeline import arrow_files, storage
from pipeline.readers import read
from pipeline.readers.rows import BATCH_TEXT_BYTES
from pipeline.splits import BadFile, Split
from stages.batch import Batch
from stages.schema import DOCUMENT
from stages.stage import Stage, fold_schemas


@dataclass(frozen=True)
class LocalWork:
    """One split and what is done to it."""

    split: Split
    stages: tuple[Stage, ...]
    batch_rows: int
    shard_uri: str


def annotate_split(work: LocalWork) -> dict[str, Any]:
    """Read the split, run the stages, write the shard.

    Reports `documents`, `bytes` (raw), `text_bytes`, `seconds` by stage, and for each entry of the split the `rows` it gave and the
    `records` it held. Raises `InputError` if a file breaks and its source says that bad files end the run.
    """
    seconds: dict[str, float] = defaultdict(float)
    batches: list[pa.RecordBatch] = []
    rows = [0] * len(work.split.entries)
    records = [0] * len(work.split.entries)
    waiting: list[pa.RecordBatch] = []
    num_waiting = waiting_bytes = 0
    clock = time.perf_counter()

    def annotate() -> None:
        nonlocal clock
        batch = Batch(pa.concat_batches(waiting) if len(waiting) > 1 else waiting[0])
        waiting.clear()
        seconds["read"] += time.perf_counter() - clock
        for stage in work.stages:
            clock = time.perf_counter()
            batch = stage.annotate(batch)
            seconds[stage.key] += time.perf_counter() - clock
        batches.append(batch.columns)
        clock = time.perf_counter()

    for entry, columns, seen in _read_entries(work):
        rows[entry] += columns.num_rows
        records[entry] = seen
        waiting.append(columns)  # files of one row each are annotated together
        num_waiting += columns.num_rows
        waiting_bytes += columns.nbytes
        if num_waiting >= work.batch_rows or waiting_bytes >= BATCH_TEXT_BYTES:  # the readers' limits hold for the sum too
            annotate()
            num_waiting = waiting_bytes = 0
    if waiting:
        annotate()
    schema = fold_schemas(work.stages)
    shard = pa.Table.from_batches(batches, schema=schema).combine_chunks()
    compression = None if storage.is_local(work.shard_uri) else "lz4"
    arrow_files.write_batches(work.shard_uri, schema, shard.to_batches(), compression)
    seconds["write_shard"] += time.perf_counter() - clock
    return {
        "documents": shard.num_rows,
        "bytes": work.split.size,
        "seconds": dict(seconds),
        "rows": rows,
        "records": records,
    }


def _read_entries(work: LocalWork) -> Iterator[tuple[int, pa.RecordBatch, int]]:
    """(entry, columns, records of the entry so far). A file that breaks gives its good rows and one row that says so, or `InputError`."""
    source = work.split.source
    for index, entry in enumerate(work.split.entries):
        if isinstance(entry, BadFile):
            yield index, _bad_file_row(work.split, entry), 0
            continue
        records = 0
        try:
            for columns, records in read(entry, source, work.batch_rows):
                yield index, columns, records
        except InputError as error:
            if source.bad_file == "fail":
                raise
            yield index, _bad_file_row(work.split, BadFile(entry.relative, "unreadable_file", str(error))), records


def _bad_file_row(split: Split, bad: BadFile) -> pa.RecordBatch:
    source = split.source
    row = dict.fromkeys(DOCUMENT.names) | {
        "text": "",
        "source": source.name,
        "domain": source.domain or source.name,
        "licence": source.licence,
        "path": bad.relative,
        "record": 0,
        "fault": bad.fault,
        "fault_detail": bad.message,
    }
    return pa.RecordBatch.from_pylist([row], schema=DOCUMENT)

"""One file of documents becomes ids, in the order of the stream: sorted runs of about `run_bytes` of text, one batch of an Arrow file each.

A task that makes a shard finds its part of each run by bisection, so the number of shards need not be known before all is encoded, and
another one encodes nothing again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError, RunError
from pipeline import arrow_files
from pipeline.engine import Statistics
from pipeline.storage import FileInfo
from pipeline.texts import COLUMNS, read_texts
from stages.text.buffers import text_buffer
from tokenizer.encoder import Encoder, load_encoder
from tokenizer.pack import ended, placed
from tokenizer.sampling import Sampling, hashes, times

REPEATS = "repeats"
"""A column of whole numbers that a mixture has drawn from all weights: where it is, the columns of weights say nothing more."""
NAMES = ("source", "domain", "lang")
GROUP = ("domain", "lang")
BATCH_ROWS = 1024

_ID_SEED = 29


@dataclass(frozen=True)
class EncodeWork:
    """A file and how its documents count."""

    file: FileInfo
    tokenizer: tuple[str, str]
    """Its name and sha256, see `tokenizer.encoder.Encoder`."""
    sampling: Sampling
    most: float
    """No document counts more often."""
    dtype: str
    uri: str
    """Where the runs go."""
    run_bytes: int


@dataclass
class _Run:
    """Documents that wait to be written together."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    times: list[npt.NDArray[np.int64]] = field(default_factory=list)
    num_bytes: int = 0
    """With repetitions."""


def schema(dtype: str) -> pa.Schema:
    """The columns of a run: `place` in the stream, the document, its `epoch`, bytes of text and ids with the end."""
    fields = [("place", pa.uint64()), ("id", pa.string()), *((name, pa.string()) for name in NAMES)]
    return pa.schema([*fields, ("epoch", pa.int32()), ("num_bytes", pa.int64()), ("ids", pa.large_list(pa.from_numpy_dtype(dtype)))])


def id_sum(ids: pa.Array) -> int:
    """A number that differs, but for one case in 2^64, if another set of documents is summed."""
    return int(hashes(text_buffer(ids), _ID_SEED).sum())


def warm_up(tokenizer: tuple[str, str]) -> Statistics:
    """Load a tokenizer and the kernels in a worker, so that no unit's time has it."""
    encoder = _encoder(*tokenizer)
    placed(text_buffer(pa.array([""])), np.ones(1, np.int64), 0)
    ended(encoder.tokenizer.encode_arrow(pa.array(["The text. 正文。"]), threads=1), np.zeros(1, np.int64), 0, np.dtype(np.uint16))
    return {}


def encode_file(work: EncodeWork) -> Statistics:
    """Encode a file; counts of what was read, by domain and language, and of what is to be packed."""
    encoder = _encoder(*work.tokenizer)
    statistics: Statistics = {"documents": 0, "bytes": 0, "unreadable": 0, "rows": 0, "tokens": 0, "id_sum": 0}
    groups: list[pa.Table] = []

    def runs() -> Iterator[pa.RecordBatch]:
        run = _Run()
        for batch, num_unreadable in read_texts(work.file, (*COLUMNS, *NAMES[:1], REPEATS), BATCH_ROWS):
            statistics["unreadable"] += num_unreadable
            weights = _weights(work, batch)
            found = times(np.minimum(weights, work.most), batch["id"], work.sampling.seed)
            lengths = text_buffer(batch["text"]).lengths()
            capped, empty = weights > work.most, lengths == 0
            groups.append(_grouped(batch, lengths, found == 0, empty & (found > 0), capped))
            taken = (found > 0) & ~empty
            run.batches.append(_with_names(batch).filter(pa.array(taken)))
            run.times.append(found[taken])
            run.num_bytes += int((lengths * found)[taken].sum())
            if run.num_bytes >= work.run_bytes:
                yield _sorted_run(work, encoder, run, statistics)
                run = _Run()
        if run.batches:
            yield _sorted_run(work, encoder, run, statistics)

    arrow_files.write_batches(work.uri, schema(work.dtype), runs())
    if groups:
        table = pa.concat_tables(groups).group_by(GROUP).aggregate([(name, "sum") for name in _COUNTS])
        statistics["groups"] = table.rename_columns([*GROUP, *_COUNTS]).to_pylist()
        statistics["documents"] = pc.sum(table["documents_sum"]).as_py()
        statistics["bytes"] = pc.sum(table["bytes_sum"]).as_py()
    return statistics


_COUNTS = ("documents", "bytes", "not_sampled", "empty", "capped")


@lru_cache(maxsize=1)
def _encoder(name: str, sha256: str) -> Encoder:
    """Read once in each process."""
    encoder = load_encoder(name)
    if encoder.sha256 != sha256:
        raise RunError(f"{name}: this tokenizer was changed while the corpus was packed; run again")
    return encoder


def _weights(work: EncodeWork, batch: pa.RecordBatch) -> npt.NDArray[np.float64]:
    """How often each document counts. Raises `InputError` for what is no number from 0 on."""
    if REPEATS in batch.schema.names:
        plain = batch.select([name for name in batch.schema.names if name in ("id", *GROUP)])
        repeats = pc.fill_null(batch[REPEATS].cast(pa.float64()), 1.0).to_numpy(zero_copy_only=False)
        weights = np.asarray(work.sampling.weights(plain) * repeats)
    else:
        weights = work.sampling.weights(batch)
    if not (weights >= 0).all():
        row = int(np.flatnonzero(~(weights >= 0))[0])
        raise InputError(f"{work.file.uri}: document '{batch['id'][row]}' has the weight {weights[row]:g}; wanted a number from 0 on")
    return weights


def _with_names(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The columns that every input has in the end; a name that is not known is empty."""
    found = [
        pc.fill_null(batch[name], "").cast(pa.string()) if name in batch.schema.names else pa.array([""] * batch.num_rows) for name in NAMES
    ]
    return pa.RecordBatch.from_arrays([batch["id"].cast(pa.string()), batch["text"], *found], names=["id", "text", *NAMES])


def _grouped(batch: pa.RecordBatch, lengths: npt.NDArray[np.int64], *marks: npt.NDArray[np.bool_]) -> pa.Table:
    """Counts by domain and language."""
    named = _with_names(batch)
    counts = (np.ones(len(lengths), np.int64), lengths, *(mark.astype(np.int64) for mark in marks))
    table = pa.table([named[name] for name in GROUP] + [pa.array(count) for count in counts], names=[*GROUP, *_COUNTS])
    return table.group_by(GROUP).aggregate([(name, "sum") for name in _COUNTS]).rename_columns([*GROUP, *_COUNTS])


def _sorted_run(work: EncodeWork, encoder: Encoder, run: _Run, statistics: Statistics) -> pa.RecordBatch:
    table = pa.Table.from_batches(run.batches).combine_chunks()
    documents = pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], names=table.column_names)
    encoded = encoder.tokenizer.encode_arrow(documents["text"], threads=1)
    copies = placed(text_buffer(documents["id"]), np.concatenate(run.times), work.sampling.seed)
    offsets, ids = ended(encoded, copies.rows, encoder.eos_id, np.dtype(work.dtype))
    columns: list[Any] = [copies.places, *(documents[name].take(pa.array(copies.rows)) for name in ("id", *NAMES)), copies.epochs]
    columns += [text_buffer(documents["text"]).lengths()[copies.rows], pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(ids))]
    statistics["rows"] += len(copies.rows)
    statistics["tokens"] += len(ids)
    statistics["id_sum"] = (statistics["id_sum"] + id_sum(documents["id"])) % (1 << 64)
    return pa.RecordBatch.from_arrays([pa.array(c) if isinstance(c, np.ndarray) else c for c in columns], schema=schema(work.dtype))

"""Intermediates as Arrow IPC files, one record batch for each addressee.

A sender writes one file with a batch for each partition; a partition writes one file with a batch for each shard. Reading one's own
batch is one ranged read of the file, memory-mapped where the file is local. No file is rewritten, and S x P messages cost S + P files.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import CorpusError, RunError
from pipeline import storage
from stages.dedup.grouping import by_number


def write_batches(uri: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], compression: str | None = None) -> None:
    """Write an IPC file that appears under its name only when complete."""
    options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
    with storage.committed(uri) as file, pa.ipc.new_file(file, schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _open(uri: str, columns: Sequence[str] | None = None) -> pa.ipc.RecordBatchFileReader:
    """A reader of all columns of a local file, which is mapped; of `columns` alone, if some are named, of an object."""
    try:
        if storage.is_local(uri):  # Arrow copies all columns of a mapped file when some are asked for
            return pa.ipc.open_file(pa.memory_map(storage.local_path(uri)))
        source = storage.open_input(uri)
        if columns is None:
            return pa.ipc.open_file(source)
        names = pa.ipc.open_file(source).schema.names
        included = [names.index(name) for name in columns]
        source.seek(0)
        return pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=included, use_threads=False))
    except (OSError, pa.ArrowException, CorpusError):
        raise RunError(f"{uri}: this intermediate is missing or damaged; delete the folder it is in and run `corpus run` again") from None


def column_names(uri: str) -> list[str]:
    """The columns of a file."""
    return list(_open(uri).schema.names)


def read_table(uri: str, columns: Sequence[str] | None = None) -> pa.Table:
    """All batches of a file, or some of its columns, in the order of the file's schema."""
    table = _open(uri, columns).read_all()
    return table if columns is None else table.select([name for name in table.column_names if name in columns])


def read_batch(uri: str, index: int) -> pa.RecordBatch:
    """The batch for one addressee."""
    return _open(uri).get_batch(index)


def read_batches(uri: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of each batch of a file, one after the other, without those that are empty."""
    reader = _open(uri, columns)
    for index in range(reader.num_record_batches):
        if (batch := reader.get_batch(index)).num_rows:
            yield batch.select(list(columns))


def united(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """Batches of one schema as one table of contiguous columns. There is at least one."""
    return pa.Table.from_batches([batch for batch in batches if batch.num_rows] or batches[:1]).combine_chunks()


def scatter(rows: pa.RecordBatch, addressee: npt.NDArray[np.integer], num_addressees: int) -> list[pa.RecordBatch]:
    """Sort rows into one batch for each addressee; the order of rows within a batch is kept."""
    order, bounds = by_number(addressee, num_addressees)
    return cut(rows.take(pa.array(order)), bounds)


def cut(rows: pa.RecordBatch, bounds: npt.NDArray[np.int64]) -> list[pa.RecordBatch]:
    """Rows that stand in the order of addressees as one batch for each, `rows[bounds[i]:bounds[i + 1]]`."""
    return [rows.slice(start, end - start) for start, end in pairwise(bounds.tolist())]

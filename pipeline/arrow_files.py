"""Intermediates as Arrow IPC files, one record batch for each addressee.

A sender writes one file with a batch for each partition; a partition writes one file with a batch for each shard. Reading one's own
batch is one ranged read of the file, memory-mapped where the file is local. No file is rewritten, and S x P messages cost S + P files.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import CorpusError, RunError
from pipeline import storage


def write_batches(uri: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], compression: str | None = None) -> None:
    """Write an IPC file that appears under its name only when complete."""
    options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
    with storage.committed(uri) as file, pa.ipc.new_file(file, schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _open(uri: str, columns: Sequence[str] | None = None) -> pa.ipc.RecordBatchFileReader:
    try:
        source = pa.memory_map(storage.local_path(uri)) if storage.is_local(uri) else storage.open_input(uri)
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
    return _open(uri, columns).read_all()


def read_batch(uri: str, index: int) -> pa.RecordBatch:
    """The batch for one addressee."""
    return _open(uri).get_batch(index)


def collect(uris: Iterable[str], index: int) -> pa.Table:
    """The batches for addressee `index` from all senders, in the order of `uris`, as one table of contiguous columns."""
    batches = [read_batch(uri, index) for uri in uris]
    return pa.Table.from_batches([b for b in batches if b.num_rows] or batches[:1]).combine_chunks()


def scatter(rows: pa.RecordBatch, addressee: npt.NDArray[np.integer], num_addressees: int) -> list[pa.RecordBatch]:
    """Cut rows into one batch for each addressee; the order of rows within a batch is kept."""
    order = np.argsort(addressee, kind="stable")
    ordered = rows.take(pa.array(order))
    bounds = np.searchsorted(addressee[order], np.arange(num_addressees + 1))
    return [ordered.slice(bounds[i], bounds[i + 1] - bounds[i]) for i in range(num_addressees)]

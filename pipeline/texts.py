"""The texts that a tokenizer learns from or is measured on: corpora of finished runs, or files of any format that a source may have."""

import tempfile
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import InputError
from pipeline import storage
from pipeline.config import Source
from pipeline.readers import inflate, needs_inflating, pieces, read
from pipeline.storage import FileInfo

COLUMNS = ("id", "text", "lang", "domain", "sampling_weight", "weight")
"""What a tokenizer reads of a corpus; the last four where it has them."""

_BATCH_ROWS = 8192
_PIECE_BYTES = 64 << 20


def texts(inputs: Sequence[str]) -> Callable[[], Iterator[pa.RecordBatch]]:
    """A function that gives all texts from the start each time it is called, in batches with those of `COLUMNS` that there are.

    An input is the output folder of a run (its `corpus/` is read), or a file, folder or glob as a source takes it. The domain of a text
    that is not of a corpus is its file's name up to the first dot. Records that cannot be read are left out.

    Raises `InputError` now if an input matches nothing, and later for a file that is broken or has no record that can be read.
    """
    files = [file for name in inputs for file in text_files(name)]

    def batches() -> Iterator[pa.RecordBatch]:
        for file in files:
            for batch, _ in read_texts(file):
                yield batch

    return batches


def text_files(name: str) -> list[FileInfo]:
    """The files of one input. Raises `InputError` if it matches nothing, or is a run that is not finished."""
    corpus = storage.join(name, "corpus")
    if storage.exists(storage.join(name, "summary.json")):
        return [file for file in storage.list_files(corpus) if file.relative.endswith(".parquet")]
    if storage.exists(corpus):
        raise InputError(f"{name}: this run is not finished, summary.json is missing; let `corpus run` come to its end first")
    return storage.list_files(name)


def read_texts(file: FileInfo, columns: Sequence[str] = COLUMNS, batch_rows: int = _BATCH_ROWS) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Batches of one file with those of `columns` that there are, and how many records beside them could not be read.

    `id` and `text` must be among the columns. Raises `InputError` as the function that `texts` gives.
    """
    if file.relative.endswith(".parquet"):
        with storage.open_input(file.uri) as opened, storage.input_errors(file.uri):
            table = pq.ParquetFile(opened)
            names = [name for name in columns if name in table.schema_arrow.names]
            if {"id", "text"} <= set(names):
                for batch in table.iter_batches(batch_rows, columns=names):
                    yield _large(batch), 0
                return
    name = file.relative.rpartition("/")[2]
    source = Source(name=name, path=file.uri, domain=name.partition(".")[0], lang_key="lang")
    with tempfile.TemporaryDirectory(prefix="texts-") as folder:
        if needs_inflating(file, source):
            inflated = inflate(file, source, folder, _PIECE_BYTES)
            if inflated.error:
                raise InputError(inflated.error)
            found = inflated.pieces
        else:
            found = pieces(file, source, _PIECE_BYTES)
        num_good, detail, counted = 0, None, 0
        for piece in found:
            consumed, base = 0, counted if piece.first_record is None else 0
            for rows in read(piece, source, batch_rows):
                good = rows.columns.filter(pc.is_null(rows.columns["fault"]))
                num_good, consumed = num_good + good.num_rows, rows.records
                if good.num_rows < rows.columns.num_rows and detail is None:
                    detail = next(value for value in rows.columns["fault_detail"].to_pylist() if value)
                names = [name for name in columns if name in good.schema.names]
                yield _named(good.select([*names, "path", "record"]), base).select(names), rows.columns.num_rows - good.num_rows
            counted += consumed
        if detail and not num_good:
            raise InputError(
                f"{file.uri}: no record of this file can be read, the first for: {detail}; make a corpus of it with `corpus run`"
            )


def _large(batch: pa.RecordBatch) -> pa.RecordBatch:
    place = batch.schema.get_field_index("text")
    return batch.set_column(place, "text", batch["text"].cast(pa.large_string()))


def _named(batch: pa.RecordBatch, base: int) -> pa.RecordBatch:
    """With an id for each row: `path#record` where the user gave none, as a run would name it. `base` records stand before the piece."""
    if batch["id"].null_count == 0:
        return batch
    columns = (batch[name].to_pylist() for name in ("id", "path", "record"))
    ids = [own or f"{path}#{record + base}" for own, path, record in zip(*columns, strict=True)]
    return batch.set_column(batch.schema.get_field_index("id"), "id", pa.array(ids, pa.string()))

"""Readers: files in, documents out. One module a format; a file is cut into pieces, and each piece is read alone."""

from collections.abc import Iterator

from pipeline import storage
from pipeline.config import Source
from pipeline.readers import json_columns, python_docs
from pipeline.readers.check import check_source
from pipeline.readers.formats import reader_for, reader_of
from pipeline.readers.inflate import Inflated, inflate, needs_inflating
from pipeline.readers.piece import Piece, Reader, Rows
from pipeline.storage import FileInfo

__all__ = [
    "Inflated",
    "Piece",
    "Reader",
    "Rows",
    "check_source",
    "inflate",
    "list_source",
    "load_kernels",
    "needs_inflating",
    "pieces",
    "read",
    "reader_for",
    "reader_of",
]


def list_source(source: Source) -> list[FileInfo]:
    """The files of a source, sorted by relative path. Raises `InputError` if there are none."""
    if source.format == "python_docs":
        return python_docs.list_files(source)
    return storage.list_files(source.path)


def pieces(file: FileInfo, source: Source, target_bytes: int) -> list[Piece]:
    """Cut a file into pieces of about `target_bytes`; an empty file has none. Raises `InputError`."""
    return reader_for(source, file).pieces(file, source, target_bytes)


def read(piece: Piece, source: Source, batch_rows: int) -> Iterator[Rows]:
    """The documents of a piece. Raises `InputError` where the file breaks; the rows before stand."""
    return reader_of(piece).read(piece, source, batch_rows)


def load_kernels() -> None:
    """Read a line of JSON, so that the kernels are there before anything is timed."""
    keys = json_columns.Keys.of("text", None, None, None)
    assert keys is not None
    json_columns.take(b'{"text":""}', 0, keys, json_columns.Columns.empty(1, 64), 0, 0, (1, 64, 64))

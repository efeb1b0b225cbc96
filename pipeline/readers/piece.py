"""What is read alone: a piece of a file; and what a reader gives: rows with the schema `DOCUMENT`."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from pipeline.config import Source
from pipeline.storage import FileInfo


@dataclass(frozen=True)
class Piece:
    """A part of one file. Pieces of a file are disjoint, in order, and together hold every record once."""

    uri: str
    relative: str
    """The path in the ledger; of a decompressed shard, that of the compressed file."""
    kind: str
    """The reader: jsonl, parquet, text, warc or python_docs."""
    start: int
    end: int
    """Bytes of the file, except for Parquet: rows."""
    size: int
    """Uncompressed bytes, exact or estimated: for packing pieces into splits."""
    first_record: int | None
    """Number of the first record, from 1. None: not known; `record` then counts from the piece's own first."""

    def as_json(self) -> dict[str, Any]:
        """As `from_json` takes it."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Piece":
        """The piece that `as_json` described."""
        return cls(**fields)


class Rows(NamedTuple):
    """A batch of documents, and how far the reader has come."""

    columns: pa.RecordBatch
    """Schema `DOCUMENT`; may have no rows."""
    records: int
    """Records of the piece consumed so far, with blank lines and records that are no documents."""


class Reader(Protocol):
    """A module that reads one format. Both functions raise `InputError` for a file that cannot be read (on)."""

    @property
    def KIND(self) -> str:  # noqa: N802  a constant of the module
        """The reader's name in `Source.format` and `Piece.kind`."""

    def pieces(self, file: FileInfo, source: Source, target_bytes: int) -> list[Piece]:
        """Cut a file into pieces of about `target_bytes`; an empty file has none."""

    def read(self, piece: Piece, source: Source, batch_rows: int) -> Iterator[Rows]:
        """The rows of a piece in batches of at most `batch_rows`; the last batch has the final count of records."""

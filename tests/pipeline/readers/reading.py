"""Reads a source as the engine does: list, inflate or cut, read each piece, number the records through the file."""

from pathlib import Path
from typing import Any

from configs.errors import InputError
from pipeline import readers
from pipeline.config import Source
from pipeline.readers import Piece
from stages.schema import DOCUMENT

Row = dict[str, Any]


def source_of(path: str | Path, **settings: Any) -> Source:
    return Source(name="test", path=str(path), **settings)


def pieces_of(source: Source, folder: Path | None = None, target_bytes: int = 1 << 20) -> list[Piece]:
    """The pieces of all files; raises `InputError` for a stream that could not be inflated to its end."""
    found: list[Piece] = []
    for file in readers.list_source(source):
        if readers.needs_inflating(file, source):
            assert folder is not None, "this source has to be inflated somewhere"
            inflated = readers.inflate(file, source, str(folder / file.relative), target_bytes)
            if inflated.error:
                raise InputError(inflated.error)
            found += inflated.pieces
        else:
            found += readers.pieces(file, source, target_bytes)
    return found


def read_pieces(pieces: list[Piece], source: Source, batch_rows: int = 7) -> list[Row]:
    rows: list[Row] = []
    before: dict[str, int] = {}
    for piece in pieces:
        base = before.get(piece.relative, 0)
        records = 0
        for batch in readers.read(Piece.from_json(piece.as_json()), source, batch_rows):
            columns, records = batch
            assert columns.schema == DOCUMENT
            assert columns.num_rows <= batch_rows
            columns.validate(full=True)
            rows += [row | {"record": row["record"] + (base if piece.first_record is None else 0)} for row in columns.to_pylist()]
        before[piece.relative] = base + records
    return rows


def read_all(source: Source, folder: Path | None = None, target_bytes: int = 1 << 20, batch_rows: int = 7) -> list[Row]:
    return read_pieces(pieces_of(source, folder, target_bytes), source, batch_rows)


def brief(rows: list[Row]) -> list[tuple[int, str]]:
    """Record number with the text, or the fault in angle brackets."""
    return [(row["record"], f"<{row['fault']}>" if row["fault"] else row["text"]) for row in rows]

"""Which reader takes a file: by `Source.format`, else by the file's name."""

from types import ModuleType
from typing import cast

from configs.errors import InputError
from pipeline.config import Source
from pipeline.readers import json_lines, parquet, plain_text, python_docs, warc
from pipeline.readers.piece import Piece, Reader
from pipeline.storage import FileInfo

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
"""Endings of compressed single streams, with Arrow's name of the codec."""

_MODULES: tuple[ModuleType, ...] = (json_lines, parquet, plain_text, warc, python_docs)
_READERS = {module.KIND: cast(Reader, module) for module in _MODULES}
_ENDINGS = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".txt": "text",
    ".md": "text",
    ".warc": "warc",
    ".wet": "warc",
}


def reader_for(source: Source, file: FileInfo) -> Reader:
    """The reader of a source's file. Raises `InputError` if neither the source nor the name tells the format."""
    if source.format != "auto":
        return _READERS[source.format]
    name = without_compression(file.relative.lower())
    for ending, kind in _ENDINGS.items():
        if name.endswith(ending):
            return _READERS[kind]
    raise InputError(
        f"{file.uri}: the name does not tell the format (known: {' '.join(_ENDINGS)}, each also with {' '.join(COMPRESSIONS)}); "
        f"set `format` of source '{source.name}', or name the files with a glob"
    )


def reader_of(piece: Piece) -> Reader:
    """The reader that made a piece."""
    return _READERS[piece.kind]


def compression(name: str) -> str | None:
    """Arrow's name of the codec that a file's name tells, or None."""
    return next((codec for ending, codec in COMPRESSIONS.items() if name.lower().endswith(ending)), None)


def without_compression(name: str) -> str:
    """`a.jsonl.zst` is `a.jsonl`."""
    return next((name[: -len(ending)] for ending in COMPRESSIONS if name.lower().endswith(ending)), name)

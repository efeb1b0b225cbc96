"""JSON lines, zstd: `id, text, source, domain, lang, url, licence, meta`, with fields that are null left out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import orjson
import zstandard

_FIELDS = ("id", "text", "source", "domain", "lang", "url", "licence", "cluster_size")


@contextmanager
def json_lines(file: BinaryIO) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that appends one document to `file`."""
    with zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as stream:

        def append(document: dict[str, Any]) -> None:
            row = {name: document[name] for name in _FIELDS if document[name] is not None}
            if document["meta"] is not None:
                row["meta"] = orjson.Fragment(document["meta"])
            stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

        yield append

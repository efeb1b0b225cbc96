"""What of a source can be checked before the run: the format, the encoding, and that JSON lines have the text's key."""

import difflib
from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from configs.errors import InputError
from pipeline import storage
from pipeline.config import Source
from pipeline.readers import json_lines, plain_text
from pipeline.readers.formats import compression, reader_for
from pipeline.readers.inflate import opened
from pipeline.storage import FileInfo

HEAD_BYTES = 64 << 10
"""So much of a file is read, after decompression, to see what keys its rows have."""


def check_source(source: Source, files: Sequence[FileInfo]) -> None:
    """Check some files of a source; reads the beginning of those in JSON lines.

    Raises `InputError` for an ending that tells no format, an unknown encoding, or JSON lines of which none has `text_key`. Files
    that are damaged or cannot be opened pass: the run treats them as `bad_file` says.
    """
    for file in files:
        kind = reader_for(source, file).KIND
        if kind == plain_text.KIND:
            plain_text.check_encoding(file.uri, source)
        elif kind == json_lines.KIND:
            _check_text_key(file, source)


def _check_text_key(file: FileInfo, source: Source) -> None:
    objects = _first_objects(file)
    keys = list(dict.fromkeys(key for fields in objects for key in fields))
    if not keys or source.text_key in keys:
        return
    near = difflib.get_close_matches(source.text_key, keys, n=1)
    more = ", ..." if len(keys) > 20 else ""
    raise InputError(
        f"{file.uri}: text_key '{source.text_key}': none of the first {len(objects)} rows has it; "
        f"they have: {', '.join(keys[:20])}{more}" + (f"; did you mean '{near[0]}'?" if near else f"; set text_key of '{source.name}'")
    )


def _first_objects(file: FileInfo) -> list[dict[str, Any]]:
    """The objects among the complete lines of the head."""
    head = _head(file)
    lines = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if len(head) >= HEAD_BYTES:
        lines.pop()
    objects = []
    for line in lines:
        if not line or line.isspace():
            continue
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if type(fields) is dict:
            objects.append(fields)
    return objects


def _head(file: FileInfo) -> bytes:
    """The first HEAD_BYTES of the content; what came before where it breaks."""
    codec, head = compression(file.relative), b""
    if not file.size:
        return head
    try:
        with storage.open_input(file.uri) as raw:
            stream = raw if codec is None else opened(raw, codec)
            while len(head) < HEAD_BYTES and (block := stream.read(HEAD_BYTES - len(head))):
                head += block
    except (InputError, OSError, EOFError, pa.ArrowException):
        pass
    return head

"""JSON lines: one object a line. A bad line is one row with its fault, and the line after it is read as if nothing had happened.

`record` is the line number, so `file:record` opens in an editor; blank lines count and give no row. Numbers in `meta` pass through
doubles (integers of 64 bits stay exact), and the last of repeated keys counts; all else is kept as it stood.

Most lines are taken by a kernel that writes columns from bytes (`pipeline.readers.json_columns`), the others by `orjson`.

Speed, one core of two that others use too, Arrow batches included: 107 MB of Chinese and English text of 17 kinds at 510-560 MB/s, where
`orjson` and a tuple for each line gave 230 in the same run.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from pipeline.config import Source
from pipeline.readers.json_columns import Columns, Keys, take
from pipeline.readers.lines import Block, blocks, bom_bytes, byte_ranges
from pipeline.readers.piece import Piece, Rows
from pipeline.readers.rows import BATCH_TEXT_BYTES, RowBuilder, record_limit
from pipeline.storage import FileInfo

KIND = "jsonl"
_FIRST_BYTES = 1 << 20
"""Room that a batch has for each of its columns at first; what is not written takes no memory."""


def pieces(file: FileInfo, source: Source, target_bytes: int) -> list[Piece]:
    """Byte ranges of at most `target_bytes`."""
    return byte_ranges(file, KIND, target_bytes)


def read(piece: Piece, source: Source, batch_rows: int) -> Iterator[Rows]:
    """Rows of a byte range. Faults: bad_json, not_an_object, no_text, text_not_a_string, invalid_utf8, invalid_unicode,
    record_too_large, document_too_large.

    An id is a string or a whole number, a URL and a language are strings; other values stay in `meta`. Raises `InputError`.
    """
    rows = _Objects(piece, source, batch_rows)
    for block in blocks(piece, record_limit(source)):
        at = bom_bytes(piece, block)
        while at < len(block.data):
            at = rows.take(block, at)
            if rows.full:
                yield rows.flush()
    yield rows.flush()


class _Objects:
    """Gathers the rows of a piece: those that the kernel takes as columns, the others in a `RowBuilder`."""

    def __init__(self, piece: Piece, source: Source, batch_rows: int) -> None:
        self._source, self._batch_rows, self._limit_bytes = source, batch_rows, record_limit(source)
        self._keys = Keys.of(source.text_key, source.id_key, source.url_key, source.lang_key)
        self._others = RowBuilder(piece, source, batch_rows)
        self._columns = Columns.empty(batch_rows, _FIRST_BYTES)
        self._records = 0
        self._clear()

    def _clear(self) -> None:
        self._num_rows = self._num_bytes = 0
        self._before: list[int] = []  # how many of the kernel's rows stand before each of the others

    @property
    def full(self) -> bool:
        """Whether the batch has its number of rows or bytes."""
        return self._num_rows + len(self._before) >= self._batch_rows or self._num_bytes >= BATCH_TEXT_BYTES

    def take(self, block: Block, at: int) -> int:
        """Take lines of `block.data[at:]` until the batch is full or one is left to `orjson`, and that one; where it stopped."""
        data, end = block.data, len(block.data)
        if self._keys is not None and not block.too_long:
            self._columns = self._columns.with_room(self._num_rows, end - at)
            limits = (self._batch_rows - len(self._before), BATCH_TEXT_BYTES - self._num_bytes, self._source.max_document_bytes)
            done = take(data, at, self._keys, self._columns, self._num_rows, self._records, limits)
            at, self._num_rows, self._records = done.at, done.rows, done.lines
            self._num_bytes += done.num_bytes
            if not done.left:
                return at
        if not block.too_long:
            newline = data.find(b"\n", at)
            end = newline if newline >= 0 else end
        self._take_other(data[at:end], block.too_long or end - at > self._limit_bytes)
        return end + 1

    def _take_other(self, line: bytes, too_long: bool) -> None:
        self._records += 1
        if too_long:
            detail = f"more than {self._limit_bytes} bytes, twice max_document_bytes and 1 MiB"
            self._others.fault(self._records, "record_too_large", detail, line)
        elif not line or line.isspace():
            return
        else:
            try:
                fields = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                self._others.fault(self._records, *_why_not_json(line, error), line)
            else:
                _add(self._others, self._records, fields, line, self._source)
        self._before.append(self._num_rows)
        self._num_bytes += len(line)

    def flush(self) -> Rows:
        """The rows since the last flush, and the count of records that goes with them."""
        columns = self._columns.arrays(self._num_rows)
        if self._source.lang != "auto":
            columns["lang"] = columns["lang"].fill_null(self._source.lang)
        rows = self._others.batch(columns, self._columns.lines[: self._num_rows])
        if self._before:
            others = self._others.flush(self._records).columns
            order = np.insert(np.arange(len(rows)), self._before, np.arange(len(rows), len(rows) + len(others)))
            rows = pa.concat_batches([rows, others]).take(pa.array(order))
        self._clear()
        return Rows(rows, self._records)


def _add(rows: RowBuilder, record: int, fields: Any, line: bytes, source: Source) -> None:
    if type(fields) is not dict:
        rows.fault(record, "not_an_object", f"the line is {_KINDS[type(fields)]}, wanted an object", line)
        return
    own_id, url, lang = _taken_id(fields, source.id_key), _taken(fields, source.url_key), _taken(fields, source.lang_key)
    text = fields.get(source.text_key)
    if type(text) is not str:
        rows.fault(record, *_why_no_text(fields, source.text_key), line, id=own_id, url=url)
        return
    del fields[source.text_key]
    try:
        meta = orjson.dumps(fields) if fields else None
    except orjson.JSONEncodeError as error:  # 255 levels and more
        rows.fault(record, "bad_json", f"nested too deeply: {error}", line, id=own_id, url=url)
        return
    rows.document(record, text, len(line), id=own_id, url=url, lang=lang, meta=meta)


def _why_no_text(fields: dict[str, Any], text_key: str) -> tuple[str, str]:
    value = fields.get(text_key)
    if value is not None:
        return "text_not_a_string", f"'{text_key}' is {_KINDS[type(value)]}, wanted a string"
    if text_key in fields:
        return "no_text", f"'{text_key}' is null"
    known = ", ".join(f"'{key}'" for key in list(fields)[:10]) or "none"
    return "no_text", f"no field '{text_key}'; the others are: {known}"


def _taken(fields: dict[str, Any], key: str | None) -> str | None:
    """The string under `key`, taken out; another value stays where it is."""
    return fields.pop(key) if key is not None and type(fields.get(key)) is str else None


def _taken_id(fields: dict[str, Any], key: str | None) -> str | None:
    value = fields.get(key) if key is not None else None
    if key is None or not (type(value) is int or (type(value) is str and value)):
        return None
    del fields[key]
    return str(value)


_KINDS = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def _why_not_json(line: bytes, error: orjson.JSONDecodeError) -> tuple[str, str]:
    try:
        line.decode()
    except UnicodeDecodeError as problem:
        return "invalid_utf8", f"byte {problem.start + 1} of the line: {problem.reason}"
    if "surrogate" in error.msg:
        return "invalid_unicode", f"half of a surrogate pair: {error}"
    return "bad_json", str(error)

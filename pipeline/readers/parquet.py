"""Parquet: pieces are groups of row groups; a row group larger than the target is cut by rows.

Parquet cannot be entered in the middle of a row group, so a piece decodes the rows of its group before its own and drops them: a
group cut into n pieces costs (n + 1) / 2 times its decoding. Write row groups of at most `engine.split_bytes` to avoid that.

All columns but text, id, url and lang go into `meta` as JSON. Dates and times are written as Arrow prints them, binary values as
UTF-8 where they are that, else as hexadecimal digits; so are strings that are not UTF-8. In an id, a URL or a language these are a
fault of the row, as is a value that Python cannot hold.

Speed, one core: 170 MB/s of Chinese and English text.
"""

import difflib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import InputError
from pipeline import storage
from pipeline.config import Source
from pipeline.readers.piece import Piece, Rows
from pipeline.readers.rows import BATCH_TEXT_BYTES, RowBuilder
from pipeline.storage import FileInfo

KIND = "parquet"
BUFFER_BYTES = 1 << 20
"""Column chunks are streamed through a buffer of this size each, not loaded whole."""


def pieces(file: FileInfo, source: Source, target_bytes: int) -> list[Piece]:
    """Row ranges. Raises `InputError` for a file that is no Parquet, is truncated, or has no such text column."""
    if file.size == 0:
        return []
    with storage.open_input(file.uri) as raw, storage.input_errors(file.uri):
        metadata = pq.ParquetFile(raw).metadata
        _check_text_column(file.uri, metadata.schema.to_arrow_schema(), source)
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        sizes = [(group.num_rows, max(group.total_byte_size, 1)) for group in groups if group.num_rows]
    ranges: list[tuple[int, int, int]] = []  # start, end, bytes
    row = 0
    for num_rows, num_bytes in sizes:
        cuts = min(-(-num_bytes // target_bytes), num_rows)
        if ranges and ranges[-1][2] + num_bytes <= target_bytes:
            start, _, before = ranges.pop()
            ranges.append((start, row + num_rows, before + num_bytes))
        else:
            bounds = [row + num_rows * cut // cuts for cut in range(cuts + 1)]
            ranges.extend((start, end, num_bytes // cuts) for start, end in pairwise(bounds))
        row += num_rows
    return [Piece(file.uri, file.relative, KIND, start, end, size, start + 1) for start, end, size in ranges]


def read(piece: Piece, source: Source, batch_rows: int) -> Iterator[Rows]:
    """Rows of a row range. Faults: no_text (null), invalid_utf8, bad_meta, document_too_large. Raises `InputError`."""
    rows = RowBuilder(piece, source, batch_rows)
    records = 0
    with storage.open_input(piece.uri) as raw, storage.input_errors(piece.uri):
        file = pq.ParquetFile(raw, buffer_size=BUFFER_BYTES, pre_buffer=False)
        _check_text_column(piece.uri, file.schema_arrow, source)
        groups, position = _row_groups(file.metadata, piece)
        # Not 1,024 rows at once where they are megabytes each.
        rows_at_once = min(batch_rows, max(BATCH_TEXT_BYTES * (piece.end - piece.start) // max(piece.size, 1), 1))
        for batch in file.iter_batches(rows_at_once, row_groups=groups, use_threads=False):
            first = max(piece.start - position, 0)
            wanted = batch.slice(first, max(piece.end - position - first, 0))
            position += batch.num_rows
            for fields in _as_rows(wanted, source):
                records += 1
                _add(rows, records, fields, source)
                if rows.full:
                    yield rows.flush(records)
            if position >= piece.end:
                break
    yield rows.flush(records)


def _row_groups(metadata: Any, piece: Piece) -> tuple[list[int], int]:
    """The row groups that hold a piece, and the number of the first row in them, from 0."""
    groups: list[int] = []
    row = first = 0
    for index in range(metadata.num_row_groups):
        end = row + metadata.row_group(index).num_rows
        if row < piece.end and end > piece.start:
            first = first if groups else row
            groups.append(index)
        row = end
    return groups, first


def _check_text_column(uri: str, schema: Any, source: Source) -> None:
    names = schema.names
    if source.text_key not in names:
        near = difflib.get_close_matches(source.text_key, names, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else "; set text_key"
        raise InputError(f"{uri}: no column '{source.text_key}'; the columns are {', '.join(names)}{hint}")
    for setting in ("text_key", "id_key", "url_key", "lang_key"):
        key = getattr(source, setting)
        if names.count(key) > 1:
            raise InputError(f"{uri}: {names.count(key)} columns are called '{key}'; rename all but one, or set {setting}")
    kind = schema.field(source.text_key).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (_is_text(kind) or _is_binary(kind)):
        raise InputError(f"{uri}: column '{source.text_key}' is {kind}, wanted string; set text_key to the column with the text")


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _as_rows(batch: Any, source: Source) -> Iterator[dict[str, Any]]:
    """Rows as dictionaries in the order of the columns; the text as bytes, because nobody has checked that it is UTF-8."""
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()  # noqa: PLW2901  the same column, plainer
        if name == source.text_key:
            columns[name] = column.cast(pa.large_binary()).to_pylist()
        else:
            columns[name] = _values(column, is_key=name in (source.id_key, source.url_key, source.lang_key))
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(names, values, strict=True))


class _Unreadable(NamedTuple):
    """Stands for a value that makes its row a fault."""

    fault: str
    detail: str


_CONVERSION_ERRORS = (ValueError, OverflowError, NotImplementedError, pa.ArrowException)


def _values(column: Any, *, is_key: bool) -> list[Any]:
    """A column as Python values; one by one only where the column as a whole cannot be converted."""
    kind = _with_times_as_text(column.type)
    try:
        return list((column if kind == column.type else column.cast(kind)).to_pylist())
    except _CONVERSION_ERRORS:
        if _is_text(column.type):
            return [_decoded(data, is_key=is_key) for data in column.cast(pa.large_binary()).to_pylist()]
        return [_value(scalar) for scalar in column]


def _with_times_as_text(kind: Any) -> Any:
    """The type with strings for dates, times and durations, at any depth: nanoseconds and far years are none of Python's."""
    if pa.types.is_temporal(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_with_times_as_text(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(_with_times_as_text(kind.key_type), _with_times_as_text(kind.item_type))
    for is_list, list_of in ((pa.types.is_list, pa.list_), (pa.types.is_large_list, pa.large_list)):
        if is_list(kind):
            return list_of(kind.value_field.with_type(_with_times_as_text(kind.value_type)))
    return kind


def _decoded(data: bytes | None, *, is_key: bool) -> Any:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError as error:
        return _Unreadable("invalid_utf8", f"byte {error.start + 1}: {error.reason}") if is_key else data


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except _CONVERSION_ERRORS as error:
        return _Unreadable("bad_meta", f"cannot be converted: {error}")


def _add(rows: RowBuilder, record: int, fields: dict[str, Any], source: Source) -> None:
    data = fields.pop(source.text_key)
    own_id = _taken(fields, source.id_key, (str, int))
    url = _taken(fields, source.url_key, (str,))
    lang = _taken(fields, source.lang_key, (str,))
    for name, value in fields.items():
        if type(value) is _Unreadable:
            rows.fault(record, value.fault, f"column '{name}': {value.detail}", data or b"", id=own_id, url=url)
            return
    if data is None:
        rows.fault(record, "no_text", f"column '{source.text_key}' is null", b"", id=own_id, url=url)
        return
    try:
        text = data.decode()
        meta = orjson.dumps(fields, default=_plain) if fields else None
    except UnicodeDecodeError as error:
        rows.fault(record, "invalid_utf8", f"byte {error.start + 1}: {error.reason}", data, id=own_id, url=url)
    except orjson.JSONEncodeError as error:
        rows.fault(record, "bad_meta", f"the other columns cannot be written as JSON: {error}", data, id=own_id, url=url)
    else:
        rows.document(record, text, len(data), id=own_id, url=url, lang=lang, meta=meta)


def _taken(fields: dict[str, Any], key: str | None, kinds: tuple[type, ...]) -> str | None:
    """The value under `key` as a string, taken out if it is of one of the kinds; else it stays."""
    if key is None or type(fields.get(key)) not in kinds or fields[key] == "":
        return None
    return str(fields.pop(key))


def _plain(value: Any) -> Any:
    """Values that JSON has no form for: bytes, decimals, durations."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    return str(value)

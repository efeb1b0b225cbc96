"""WARC and WET files, plain or with each record in its own gzip member: HTML responses become their main text.

A document is an HTML `response` with a 2xx status (main content by Resiliparse), or a `conversion` (WET) as it stands. All other
records (requests, metadata, images, redirects, error pages) are no documents; they take a record number and give no row.

One pass finds where records begin (`index`), so that one huge file is read in parallel. A file compressed as one single gzip
member is one piece. Damage is one row with fault `bad_warc_record`, and reading goes on with the next record: see `warc_records`.

Speed, one core: 88 MB/s of raw HTML (500 pages/s), 77 from gzip; WET 210 MB/s, 180 from gzip; the index 900 MB/s, 380 from gzip.
"""

import io
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

import orjson
from fastwarc.stream_io import BrotliReader, ChunkedReader, GzipReader, ZstdReader
from fastwarc.warc import WarcRecord, WarcRecordType

from pipeline.config import Source
from pipeline.readers.html import main_text
from pipeline.readers.piece import Piece, Rows
from pipeline.readers.rows import RowBuilder, record_limit
from pipeline.readers.warc_records import records_between
from pipeline.storage import FileInfo

KIND = "warc"

_HTML_TYPES = ("text/html", "application/xhtml+xml")
_DECODERS: dict[str, Any] = {
    "chunked": ChunkedReader,
    "gzip": GzipReader,
    "x-gzip": GzipReader,
    "deflate": lambda body: GzipReader(body, zlib=True),
    "br": BrotliReader,
    "zstd": ZstdReader,
}


class Entry(NamedTuple):
    """A place where reading can begin: a record of a plain file, or a gzip member."""

    offset: int
    size: int
    """Uncompressed bytes."""
    records: int


def pieces(file: FileInfo, source: Source, target_bytes: int) -> list[Piece]:
    """Groups of consecutive records of about `target_bytes` uncompressed. Raises `InputError` if the file cannot be read."""
    found: list[Piece] = []
    entries = index(file, record_limit(source))
    start = size = 0
    first_record = record = 1
    for number, entry in enumerate(entries):
        size += entry.size
        record += entry.records
        last = number + 1 == len(entries)
        if last or size >= target_bytes:
            end = file.size if last else entries[number + 1].offset
            found.append(Piece(file.uri, file.relative, KIND, start, end, size, first_record))
            start, size, first_record = end, 0, record
    return found


def index(file: FileInfo, limit_bytes: int) -> list[Entry]:
    """Where records begin, found by their headers alone; records above `limit_bytes` are passed over without being held.

    Raises `InputError` if the file cannot be read.
    """
    entries = []
    for offset, group in groupby(records_between(file.uri, 0, file.size, limit_bytes), key=lambda record: record.entry_offset):
        sizes = [record.size for record in group]
        entries.append(Entry(offset, sum(sizes), len(sizes)))
    return entries


def read(piece: Piece, source: Source, batch_rows: int) -> Iterator[Rows]:
    """Rows of a group of records. Faults: bad_warc_record, no_main_content, too_deep_html, no_text, invalid_utf8, record_too_large,
    document_too_large. Raises `InputError`.
    """
    rows = RowBuilder(piece, source, batch_rows)
    number = 0
    for record in records_between(piece.uri, piece.start, piece.end, record_limit(source)):
        number += 1
        if record.fault:
            rows.fault(number, record.fault, record.detail, record.data)
        else:
            _add(rows, number, record.data, source)
        if rows.full:
            yield rows.flush(number)
    yield rows.flush(number)


def _add(rows: RowBuilder, number: int, data: bytes, source: Source) -> None:
    try:
        record = WarcRecord.from_bytes(data)
        if record.record_type == WarcRecordType.response:
            _add_response(rows, number, record, data, source)
        elif record.record_type == WarcRecordType.conversion:
            _add_conversion(rows, number, record)
    except (OSError, ValueError) as error:
        rows.fault(number, "bad_warc_record", f"FastWARC: {error}", data)


def _add_response(rows: RowBuilder, number: int, record: Any, data: bytes, source: Source) -> None:
    record.parse_http()
    if record.http_headers is None:
        rows.fault(number, "bad_warc_record", "the response holds no HTTP header", data, **_identity(record))
        return
    status = record.http_headers.status_code
    content_type = (record.http_content_type or "").lower()
    if status is None or not 200 <= status < 300 or content_type not in _HTML_TYPES:
        return
    limit_bytes = record_limit(source)
    known = _identity(record)
    body = _decoded(record.reader.read(-1), record.http_headers, limit_bytes)
    if len(body) > limit_bytes:
        rows.fault(number, "record_too_large", f"the page grows to more than {limit_bytes} bytes", body, **known)
        return
    page = main_text(body, record.http_charset)
    if page.fault:
        rows.fault(number, page.fault, page.detail, body, **known)
    else:
        meta = _meta(record, content_type=content_type, encoding=page.encoding)
        rows.document(number, page.text, 4 * len(page.text), meta=meta, **known)


def _add_conversion(rows: RowBuilder, number: int, record: Any) -> None:
    body = record.reader.read(-1)
    known = _identity(record)
    if not body.strip():
        rows.fault(number, "no_text", "the conversion record is empty", body, **known)
        return
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        rows.fault(number, "invalid_utf8", f"byte {error.start + 1}: {error.reason}", body, **known)
        return
    languages = record.headers.get("WARC-Identified-Content-Language")
    meta = _meta(record, content_type=record.headers.get("Content-Type"), encoding="utf-8", languages=languages)
    rows.document(number, text, len(body), meta=meta, **known)


def _identity(record: Any) -> dict[str, str | None]:
    record_id = (record.record_id or "").strip("<>").removeprefix("urn:uuid:")
    return {"id": record_id or None, "url": record.headers.get("WARC-Target-URI")}


def _meta(record: Any, **fields: str | None) -> bytes:
    known = {"date": record.headers.get("WARC-Date"), **fields}
    return orjson.dumps({name: value for name, value in known.items() if value})


def _decoded(body: bytes, headers: Any, limit_bytes: int) -> bytes:
    """The body without transfer and content encodings, cut after `limit_bytes` + 1.

    Crawlers often store the decoded body under the headers of the encoded one; a body that cannot be decoded is taken as it is.
    """
    names = f"{headers.get('Content-Encoding') or ''},{headers.get('Transfer-Encoding') or ''}".lower().split(",")
    for name in reversed(names):
        decoder = _DECODERS.get(name.strip())
        if decoder is not None:
            try:
                body = decoder(io.BytesIO(body)).read(limit_bytes + 1)
            except (OSError, ValueError):
                continue
    return body

"""The sample's files: documents in, bytes out, with the record number that each document has for the readers.

Record numbers count from 1: lines of JSON lines, the first line of a block of plain text, rows of Parquet, all records of a WARC.
"""

import gzip
import io
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from pages import response
from texts import Document

_CRAWLED = "2024-03-02T08:00:00Z"


@dataclass(frozen=True)
class SampleFile:
    """A file of the sample, and the source that reads it."""

    file: str
    domain: str
    lang: str
    settings: dict[str, str] = field(default_factory=dict)
    """Further settings of the source, as `pipeline.config.Source` names them."""

    @property
    def name(self) -> str:
        """Of the source."""
        return self.file.split(".")[0]

    @property
    def has_ids(self) -> bool:
        """Whether rows can carry their own id."""
        return not self.file.endswith(".txt")

    def source(self) -> dict[str, str]:
        """As it stands in a run's YAML."""
        return {"name": self.name, "path": f"data/sample/{self.file}", "domain": self.domain, "lang": self.lang, **self.settings}


def encode(file: SampleFile, documents: Sequence[Document]) -> tuple[bytes, list[int]]:
    """The file's bytes, and the record number of each document."""
    kind = file.file.split(".")[1]
    if kind == "warc":
        return _warc(documents)
    if kind == "parquet":
        return _parquet(file, documents), list(range(1, len(documents) + 1))
    chunks = [_text(file, document) if kind == "txt" else _json_line(file, document) for document in documents]
    data, records = _joined(chunks, b"\n\n" if kind == "txt" else b"\n")
    return _compressed(file.file, data), records


def stable_uuid(name: str) -> str:
    """The same for the same name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def content(name: str, data: bytes) -> Any:
    """What must be the same on every machine: the decompressed bytes; of Parquet the rows."""
    if name.endswith(".gz"):
        return gzip.decompress(data)
    if name.endswith(".zst"):
        return zstandard.ZstdDecompressor().decompress(data)
    return pq.read_table(io.BytesIO(data)).to_pylist() if name.endswith(".parquet") else data


def _row(file: SampleFile, document: Document) -> dict[str, str | None]:
    row = {file.settings.get("id_key", "id"): document.id, "url": document.url, file.settings.get("text_key", "text"): document.text}
    return {key: value for key, value in row.items() if value is not None}


def _json_line(file: SampleFile, document: Document) -> bytes:
    return document.raw if document.raw is not None else json.dumps(_row(file, document), ensure_ascii=False).encode()


def _text(file: SampleFile, document: Document) -> bytes:
    return document.raw if document.raw is not None else document.text.encode(file.settings.get("encoding", "utf-8"))


def _joined(chunks: Sequence[bytes], separator: bytes) -> tuple[bytes, list[int]]:
    records, lines = [], 1
    for chunk in chunks:
        records.append(lines)
        lines += (chunk + separator).count(b"\n")
    return b"".join(chunk + separator for chunk in chunks), records


def _compressed(name: str, data: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(data, mtime=0)
    return zstandard.ZstdCompressor(level=10).compress(data) if name.endswith(".zst") else data


def _parquet(file: SampleFile, documents: Sequence[Document]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([_row(file, document) for document in documents]), buffer, compression="zstd")
    return buffer.getvalue()


def _warc(documents: Sequence[Document]) -> tuple[bytes, list[int]]:
    """A request and a response for each page, each record in its own gzip member; two responses that are no pages at the end."""
    members = [_warc_record("warcinfo", "application/warc-fields", b"software: data/make_sample.py\r\nformat: WARC File Format 1.1\r\n")]
    records = []
    for document in documents:
        assert document.url is not None
        assert document.raw is not None
        host, _, path = document.url.removeprefix("https://").partition("/")
        request = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sample\r\n\r\n".encode()
        members.append(_warc_record("request", "application/http; msgtype=request", request, document.url))
        members.append(_warc_record("response", "application/http; msgtype=response", document.raw, document.url, document.id))
        records.append(len(members))
    for url, other in (
        ("https://www.example.com/robots.txt", response("200 OK", "text/plain", b"User-agent: *\r\nDisallow: /search\r\n")),
        ("https://www.example.com/gone.html", response("404 Not Found", "text/html", b"<html><body><h1>404</h1></body></html>")),
    ):
        members.append(_warc_record("response", "application/http; msgtype=response", other, url))
    return b"".join(gzip.compress(member, mtime=0) for member in members), records


def _warc_record(kind: str, content_type: str, block: bytes, url: str | None = None, record_id: str | None = None) -> bytes:
    headers = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:{record_id or stable_uuid(f'{kind} {url}')}>",
        "WARC-Date": _CRAWLED,
        "WARC-Target-URI": url,
        "Content-Type": content_type,
        "Content-Length": str(len(block)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    return f"WARC/1.1\r\n{lines}\r\n".encode() + block + b"\r\n\r\n"

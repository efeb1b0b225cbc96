"""Plain text: a document is a file, a line, or a block between blank lines.

UTF-8 files are split by bytes; a file in another encoding is one piece. Lines are cut at the byte 0x0A before they are decoded, so
that a bad byte costs one line: right for every codec that keeps ASCII as it is (GB18030, Big5, EUC, Latin), and refused for the
others (UTF-16, UTF-32) except with whole files. `auto` looks at the first 64 KiB.

`record` is the number of the document's first line. With `documents: line`, lines are taken as they are: newlines that the corpus
has escaped (as in Baichuan-7B's training layout) stay escaped.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from resiliparse.parse.encoding import detect_encoding

from configs.errors import InputError
from pipeline import storage
from pipeline.config import Source
from pipeline.readers.lines import byte_ranges, lines
from pipeline.readers.piece import Piece, Rows
from pipeline.readers.rows import RowBuilder, record_limit
from pipeline.storage import FileInfo
from stages.schema import RAW_BYTES

KIND = "text"
DETECTION_BYTES = 65_536


def pieces(file: FileInfo, source: Source, target_bytes: int) -> list[Piece]:
    """Byte ranges of lines or blocks in UTF-8, else the whole file. Raises `InputError` for an unknown encoding."""
    check_encoding(file.uri, source)
    if source.documents != "file" and is_utf8(source):
        return byte_ranges(file, KIND, target_bytes)
    return [Piece(file.uri, file.relative, KIND, 0, file.size, file.size, first_record=1)] if file.size else []


def is_utf8(source: Source) -> bool:
    """Whether the source says that its text is UTF-8. `check_encoding` comes first."""
    return source.encoding != "auto" and codecs.lookup(source.encoding).name == "utf-8"


def read(piece: Piece, source: Source, batch_rows: int) -> Iterator[Rows]:
    """Rows of a file or byte range. Faults: invalid_utf8, invalid_encoding, invalid_unicode, record_too_large, document_too_large.

    Raises `InputError`.
    """
    encoding = _encoding(piece, source)
    documents = _Documents(RowBuilder(piece, source, batch_rows), encoding, record_limit(source))
    if source.documents == "file":
        return _read_file(piece, documents)
    _check_lines(piece.uri, encoding)
    return _read_lines(piece, documents) if source.documents == "line" else _read_blocks(piece, documents)


@dataclass(frozen=True)
class _Documents:
    """Where decoded documents go."""

    rows: RowBuilder
    encoding: str
    limit_bytes: int

    def add(self, record: int, data: bytes) -> None:
        try:
            text = data.decode(self.encoding)
            if self.encoding != "utf-8":
                text.encode()  # utf-7 and the escapes decode to halves of surrogate pairs without a word
        except UnicodeDecodeError as error:
            fault = "invalid_utf8" if self.encoding == "utf-8" else "invalid_encoding"
            self.rows.fault(record, fault, f"byte {error.start + 1} is not {self.encoding}: {error.reason}", data)
        except UnicodeEncodeError as error:
            self.rows.fault(record, "invalid_unicode", f"half of a surrogate pair: character {error.start + 1} of the text", data)
        except UnicodeError as error:  # punycode and idna tell no byte
            self.rows.fault(record, "invalid_encoding", f"not {self.encoding}: {error}", data)
        else:
            self.rows.document(record, text, len(data) if self.encoding == "utf-8" else 4 * len(text))

    def too_large(self, record: int, head: bytes) -> None:
        self.rows.fault(record, "record_too_large", f"more than {self.limit_bytes} bytes, twice max_document_bytes and 1 MiB", head)


def _read_file(piece: Piece, documents: _Documents) -> Iterator[Rows]:
    with storage.open_input(piece.uri) as file, storage.input_errors(piece.uri):
        data = bytes(file.read(documents.limit_bytes + 1))
    if len(data) > documents.limit_bytes:
        documents.too_large(1, data)
    else:
        documents.add(1, data.removeprefix(codecs.BOM_UTF8))
    yield documents.rows.flush(1)


def _read_lines(piece: Piece, documents: _Documents) -> Iterator[Rows]:
    records = 0
    for _, line, too_long, num_lines in lines(piece, documents.limit_bytes, join_blank=True):
        records += num_lines
        if too_long:
            documents.too_large(records, line)
        elif line and not line.isspace():
            documents.add(records, line.removesuffix(b"\r"))
        if documents.rows.full:
            yield documents.rows.flush(records)
    yield documents.rows.flush(records)


def _read_blocks(piece: Piece, documents: _Documents) -> Iterator[Rows]:
    """A block belongs to the range with the first byte of the blank line before it; the file's first block to the first range."""
    block = _Block()
    number = records = 0
    outside = piece.start > 0  # before the range's first blank line
    for offset, line, too_long, _ in lines(piece, documents.limit_bytes, until_bytes=1 << 62):
        in_range = offset < piece.end
        if outside and not in_range:
            break
        number += 1
        records += in_range
        if too_long or (line and not line.isspace()):
            if not outside:
                block.append(number, line, documents.limit_bytes + 1 if too_long else len(line) + 1, documents.limit_bytes)
            continue
        outside = False
        block.finish(documents)
        if not in_range:
            break
        if documents.rows.full:
            yield documents.rows.flush(records)
    block.finish(documents)
    yield documents.rows.flush(records)


class _Block:
    """The lines since the last blank line; of a block above the limit, only the beginning."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._bytes = self._first = 0

    def append(self, number: int, line: bytes, num_bytes: int, limit_bytes: int) -> None:
        self._first = self._first if self._lines else number
        self._lines.append(line)
        self._bytes += num_bytes
        if self._bytes > limit_bytes:
            self._lines = [b"\n".join(self._lines)[:RAW_BYTES]]

    def finish(self, documents: _Documents) -> None:
        if not self._lines:
            return
        data = b"\n".join(self._lines)
        if self._bytes > documents.limit_bytes:
            documents.too_large(self._first, data)
        else:
            documents.add(self._first, data.removesuffix(b"\r"))
        self._lines, self._bytes = [], 0


def check_encoding(uri: str, source: Source) -> None:
    """Raises `InputError` for an encoding that Python does not know, or whose lines cannot be found."""
    if source.encoding == "auto":
        return
    try:
        "a".encode(source.encoding)
        name = codecs.lookup(source.encoding).name
    except (LookupError, ValueError):  # 'undefined' and names with NUL
        raise InputError(f"{uri}: unknown encoding {source.encoding!r}; name a text codec of Python, as gb18030 or big5") from None
    if source.documents != "file":
        _check_lines(uri, name)


def _check_lines(uri: str, encoding: str) -> None:
    if "\na".encode(encoding) != b"\na":
        raise InputError(
            f"{uri}: lines of {encoding} text cannot be found by their bytes; convert it (iconv -f {encoding} -t utf-8), "
            "or use documents: file"
        )


def _encoding(piece: Piece, source: Source) -> str:
    if source.encoding != "auto":
        return codecs.lookup(source.encoding).name
    with storage.open_input(piece.uri) as file, storage.input_errors(piece.uri):
        head = bytes(file.read(DETECTION_BYTES))
    # A character may be cut at the end of the head, which is no error of the file.
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < DETECTION_BYTES)
    except UnicodeDecodeError:
        found = detect_encoding(head) or "utf-8"
        # GB18030 contains GBK, and files that look like GBK use it.
        return "gb18030" if found == "gbk" else str(found)
    return "utf-8"

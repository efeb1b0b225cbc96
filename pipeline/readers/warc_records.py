"""Finds the records of a WARC file, also of a damaged one.

FastWARC 2.0 ends the file at the first damage, and swallows the records that a lying Content-Length covers (tried). Here a record
must end where its length says: followed by a blank line, the next record, or the end. Else it is bad, and reading goes on at the
next lines that look like the beginning of a record: `WARC/1.x` and a field. Each gzip member is read by itself, so damage stays
inside it; after a damaged one, reading goes on at the next member that begins with `WARC/`. Members that cut records (bgzip) are
not supported: each gives bad records.

Not more than the record limit and a few blocks are held. The position after a record decides what follows, so a reader that starts
at any record of the index finds the same records as one that read from the beginning.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline import storage
from stages.schema import RAW_BYTES

HEADER_BYTES = 65_536
"""A record whose header does not end within so many bytes is bad."""

_BLOCK_BYTES = 65_536
_GZIP = b"\x1f\x8b\x08"
_BEGIN = b"WARC/"
_NEXT_RECORD = re.compile(rb"\nWARC/\d\.\d\r?\n[A-Za-z]")
_NEXT_RECORD_BYTES = 12
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_CONTENT_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


class Record(NamedTuple):
    """A record as it stands in the file. With `fault`, `data` has its first RAW_BYTES."""

    entry_offset: int
    """Where reading can begin: the record in a plain file, else its gzip member."""
    size: int
    """Bytes, uncompressed."""
    data: bytes
    fault: str | None
    detail: str


def records_between(uri: str, start: int, end: int, limit_bytes: int) -> Iterator[Record]:
    """The records that begin at `start` or later and before `end`; records above `limit_bytes` are not held.

    Raises `InputError` if the file cannot be read.
    """
    with storage.open_input(uri) as file, storage.input_errors(uri):
        compressed = file.read(len(_GZIP)) == _GZIP
        walk = _records_of_members if compressed else _records_of_plain
        yield from walk(file, start, end, limit_bytes, storage.chunk_bytes(uri))


def _records_of_plain(file: Any, start: int, end: int, limit_bytes: int, chunk_bytes: int) -> Iterator[Record]:
    file.seek(start)
    window = _Window(lambda: bytes(file.read(chunk_bytes)))
    while window.at_record() and start + window.offset < end:
        yield _next_record(window, start + window.offset, limit_bytes)


def _records_of_members(file: Any, start: int, end: int, limit_bytes: int, chunk_bytes: int) -> Iterator[Record]:
    members = _Members(file, start, chunk_bytes)
    while (offset := members.offset) < end and members.more():
        window = _Window(members.next_member())
        clean = True
        while window.at_record():
            record = _next_record(window, offset, limit_bytes)
            if members.damage and not record.fault:
                record = record._replace(fault="bad_warc_record", detail=members.damage, data=record.data[:RAW_BYTES])
            clean = clean and not record.fault
            yield record
        if members.damage:
            if clean:
                yield Record(offset, 0, members.head, "bad_warc_record", members.damage)
            members.go_on_after(offset)


class _Window:
    """The bytes that were read and not yet used up."""

    def __init__(self, fill: Callable[[], bytes]) -> None:
        self._fill = fill
        self.bytes = bytearray()
        self.offset = 0
        """Of the first byte held, in the stream."""

    def want(self, num_bytes: int) -> bool:
        """Hold so many bytes; False if the stream has fewer."""
        while len(self.bytes) < num_bytes:
            block = self._fill()
            if not block:
                return False
            self.bytes += block
        return True

    def drop(self, num_bytes: int) -> None:
        """Use up bytes from the front."""
        del self.bytes[:num_bytes]
        self.offset += num_bytes

    def at_record(self) -> bool:
        """Go past blank lines; False at the end of the stream."""
        while self.want(1):
            head = self.bytes[:_NEXT_RECORD_BYTES]
            blank = len(head) - len(head.lstrip(b"\r\n"))
            if not blank:
                return True
            self.drop(blank)
        return False


def _next_record(window: _Window, entry_offset: int, limit_bytes: int) -> Record:
    window.want(HEADER_BYTES)
    if not window.bytes.startswith(_BEGIN):
        return _pass_over(window, entry_offset, 0, "no WARC header where a record should begin")
    header = _HEADER_END.search(window.bytes, 0, HEADER_BYTES)
    if header is None:
        return _pass_over(window, entry_offset, 1, "the header does not end")
    lengths = set(_CONTENT_LENGTH.findall(window.bytes, 0, header.end()))
    if len(lengths) != 1:
        return _pass_over(window, entry_offset, header.end() - 1, "the header has no single valid Content-Length")
    content_bytes = int(lengths.pop())
    size = header.end() + content_bytes
    if size > limit_bytes:
        return _pass_over(window, entry_offset, header.end() - 1, "", size)
    if not window.want(size):
        detail = f"ends after {len(window.bytes) - header.end()} of {content_bytes} bytes"
        return _pass_over(window, entry_offset, header.end() - 1, detail)
    window.want(size + 4 + len(_BEGIN))
    after = bytes(window.bytes[size : size + 4 + len(_BEGIN)])
    following = after.lstrip(b"\r\n")
    if not (after.startswith((b"\r\n\r\n", b"\n\n")) or _BEGIN.startswith(following[: len(_BEGIN)])):
        return _pass_over(window, entry_offset, header.end() - 1, f"no record ends at its Content-Length of {content_bytes}")
    # FastWARC wants CRLF in headers.
    data = bytes(window.bytes[:size])
    if header.group() == b"\n\n":
        data = data[: header.end()].replace(b"\n", b"\r\n") + data[header.end() :]
    window.drop(size)
    return Record(entry_offset, size, data, None, "")


def _pass_over(window: _Window, entry_offset: int, search_from: int, detail: str, claimed_bytes: int = 0) -> Record:
    """Go to the next record without holding what is between. `claimed_bytes` is the size of a record above the limit, else 0."""
    start = window.offset
    head = bytes(window.bytes[:RAW_BYTES])
    window.drop(search_from)
    while (found := _NEXT_RECORD.search(window.bytes)) is None:
        window.drop(max(len(window.bytes) - _NEXT_RECORD_BYTES, 0))
        if not window.want(len(window.bytes) + 1):
            window.drop(len(window.bytes))
            break
    if found:
        window.drop(found.start() + 1)
    size = window.offset - start
    if claimed_bytes and size >= claimed_bytes:
        return Record(entry_offset, size, head, "record_too_large", f"{claimed_bytes} bytes")
    if claimed_bytes:
        detail = f"its header claims {claimed_bytes} bytes, but it ends after {size}"
    return Record(entry_offset, size, head[:size], "bad_warc_record", detail)


@dataclass
class _Members:
    """The gzip members of a file, one after the other."""

    file: Any
    offset: int
    """Of the first compressed byte that was not used up."""
    chunk_bytes: int
    damage: str = ""
    """Why the current member could not be inflated to its end."""
    head: bytes = b""
    """The beginning of the current member, compressed."""

    def __post_init__(self) -> None:
        self._seek(self.offset)

    def _seek(self, offset: int) -> None:
        self.file.seek(offset)
        self.offset = offset
        self._chunk = b""
        self._used = 0

    def _block(self) -> bytes:
        """The next compressed bytes, not yet used up; empty at the end of the file."""
        if self._used == len(self._chunk):
            self._chunk, self._used = bytes(self.file.read(self.chunk_bytes)), 0
        return self._chunk[self._used : self._used + _BLOCK_BYTES]

    def _use(self, num_bytes: int) -> None:
        self._used += num_bytes
        self.offset += num_bytes

    def more(self) -> bool:
        """Go past zero bytes, with which some writers fill up; False at the end of the file."""
        while block := self._block():
            zeros = len(block) - len(block.lstrip(b"\0"))
            if not zeros:
                return True
            self._use(zeros)
        return False

    def next_member(self) -> Callable[[], bytes]:
        """A function that gives the member's bytes block by block, then nothing."""
        inflater = zlib.decompressobj(wbits=31)
        self.damage, self.head = "", self._block()

        def fill() -> bytes:
            while not (inflater.eof or self.damage):
                block = self._block()
                if not block:
                    self.damage = "the file ends in the middle of a gzip member"
                    break
                try:
                    data = inflater.decompress(block, 16 * _BLOCK_BYTES)
                except zlib.error as error:
                    self.damage = f"damaged gzip member: {error}"
                    break
                self._use(len(block) - len(inflater.unused_data if inflater.eof else inflater.unconsumed_tail))
                if data:
                    return data
            return b""

        return fill

    def go_on_after(self, damaged: int) -> None:
        """Go to the next member that begins with a WARC record, or to the end of the file."""
        self._seek(damaged + 1)
        while block := self._block():
            found = block.find(_GZIP)
            if found < 0:
                self._use(max(len(block) - len(_GZIP) + 1, 1))
                continue
            self._use(found)
            candidate = self._block()
            try:
                if zlib.decompressobj(wbits=31).decompress(candidate, len(_BEGIN)) == _BEGIN:
                    return
            except zlib.error:
                pass
            self._use(1)

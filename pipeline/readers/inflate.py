"""Compressed single streams are decompressed once, into raw shards that are then read in parallel.

A .gz, .zst or .bz2 stream cannot be entered in the middle, so one worker decompresses it, streaming, at 490 MB/s from zstd, 260
from gzip, 36 from bzip2 (of raw text). JSON lines and UTF-8 lines are cut into shards after a newline; all else becomes one shard,
which its reader may cut further. Multi-member gzip and multi-frame zstd are one stream. zstd windows above 128 MiB (`--long=28`
and more) are refused: they would take that much memory.
"""

import bz2
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa

from pipeline import storage
from pipeline.config import Source
from pipeline.readers import json_lines, plain_text, warc
from pipeline.readers.formats import compression, reader_for, without_compression
from pipeline.readers.piece import Piece
from pipeline.storage import FileInfo

BLOCK_BYTES = 1 << 20
FREE_BYTES = 64 << 20
"""A stream may always grow by this much more than `max_expansion` times its size."""


@dataclass(frozen=True)
class Inflated:
    """The raw shards of a stream as pieces, in order; their `relative` is the compressed file's."""

    pieces: list[Piece]
    error: str | None
    """Why the stream could not be read to its end; the pieces hold the complete lines before."""
    fault: str | None
    """truncated_file or expands_without_end, with `error`."""


def needs_inflating(file: FileInfo, source: Source) -> bool:
    """Whether a file has to be decompressed before it can be cut: not Parquet, and not .warc.gz, whose records are members."""
    codec = compression(file.relative)
    if codec is None or source.format == "python_docs":
        return False
    return codec != "gzip" or reader_for(source, file).KIND != warc.KIND


def inflate(file: FileInfo, source: Source, folder: str, target_bytes: int) -> Inflated:
    """Decompress a file into raw shards of about `target_bytes` in `folder`.

    Raises `InputError` if it cannot be opened; a stream that breaks later gives what was read before, and `error`.
    """
    reader = reader_for(source, file)
    if reader.KIND == plain_text.KIND:
        plain_text.check_encoding(file.uri, source)
    by_lines = reader.KIND == json_lines.KIND or (
        reader.KIND == plain_text.KIND and source.documents == "line" and plain_text.is_utf8(source)
    )
    stream = _Stream(file, source)
    pieces: list[Piece] = []
    first_record = 1
    while stream.more():
        uri = storage.join(folder, f"{len(pieces):06d}.raw")
        with storage.committed(uri) as shard:
            size, num_lines = _fill(shard, stream, target_bytes if by_lines else None)
        if by_lines and size:
            pieces.append(Piece(uri, file.relative, reader.KIND, 0, size, size, first_record))
            first_record += num_lines
        elif size and not (stream.error and source.documents == "file" and reader.KIND == plain_text.KIND):
            whole = FileInfo(uri, without_compression(file.relative), size, file.fingerprint)
            pieces = [
                Piece(p.uri, file.relative, p.kind, p.start, p.end, p.size, p.first_record)
                for p in reader.pieces(whole, source, target_bytes)
            ]
    return Inflated(pieces, stream.error, stream.fault)


class _Stream:
    """The decompressed blocks of a file; `error` is set where it breaks."""

    def __init__(self, file: FileInfo, source: Source) -> None:
        self.error: str | None = None
        self.fault: str | None = None
        self._file = file
        self._codec = compression(file.relative)
        self._max_bytes = source.max_expansion * file.size + FREE_BYTES
        self._max_expansion = source.max_expansion
        self._next: bytes = b""
        self._blocks = self._decompressed()

    def more(self) -> bool:
        """Whether `take` has another block."""
        self._next = self._next or next(self._blocks, b"")
        return bool(self._next)

    def take(self) -> bytes:
        block, self._next = self._next, b""
        return block

    def give_back(self, rest: bytes) -> None:
        self._next = rest

    def _decompressed(self) -> Iterator[bytes]:
        if not self._file.size:
            return
        total = 0
        with storage.open_input(self._file.uri) as raw:
            stream = opened(raw, self._codec)
            try:
                while block := stream.read(BLOCK_BYTES):
                    total += len(block)
                    if total > self._max_bytes:
                        self.fault = "expands_without_end"
                        self.error = (
                            f"{self._file.uri}: grows to more than {self._max_expansion} times its {self._file.size} bytes; "
                            "raise max_expansion if that is right"
                        )
                        return
                    yield block
            except (OSError, EOFError, pa.ArrowException) as error:
                self.fault = "truncated_file"
                self.error = f"{self._file.uri}: truncated or damaged after {total} bytes of content: {error}; fetch or compress it again"
        if self.fault == "truncated_file":
            yield from self._last_bytes(total)

    def _last_bytes(self, given: int) -> Iterator[bytes]:
        """What is readable of the block that failed: a failing read drops it whole, so it is read again byte by byte."""
        last = bytearray()
        with storage.open_input(self._file.uri) as raw:
            stream = opened(raw, self._codec)
            try:
                while given:
                    given -= len(stream.read(min(given, BLOCK_BYTES)))
                while byte := stream.read(1):
                    last += byte
            except (OSError, EOFError, pa.ArrowException):
                yield bytes(last)


def opened(raw: pa.NativeFile, codec: str | None) -> Any:
    """A file that reads what is compressed in `raw`."""
    # Arrow 26 takes an empty bzip2 stream for the end of the file and drops what follows, without an error.
    return bz2.open(raw) if codec == "bz2" else pa.CompressedInputStream(raw, codec)


def _fill(shard: BinaryIO, stream: _Stream, target_bytes: int | None) -> tuple[int, int]:
    """Write one shard; returns its bytes and newlines. A broken stream ends after its last complete line."""
    size = num_lines = complete = 0
    while stream.more():
        block = stream.take()
        if target_bytes is not None and size + len(block) >= target_bytes:
            cut = block.find(b"\n", max(target_bytes - size - 1, 0)) + 1
            if cut:
                stream.give_back(block[cut:])
                shard.write(block[:cut])
                return size + cut, num_lines + block.count(b"\n", 0, cut)
        shard.write(block)
        newline = block.rfind(b"\n")
        complete = size + newline + 1 if newline >= 0 else complete
        size += len(block)
        num_lines += block.count(b"\n")
    if stream.error and target_bytes is not None:
        shard.truncate(complete)
        return complete, num_lines
    return size, num_lines

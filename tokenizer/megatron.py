r"""Token files as Megatron-LM and datatrove read them: `PREFIX.bin` holds the ids side by side, `PREFIX.idx` says where each lies.

The index, little-endian: the nine bytes `MMIDIDX\0\0`, version 1 (uint64), the code of the ids' type (uint8), the number of sequences
and that of document marks (uint64 each), then the length of each sequence in ids (int32), its first byte in `.bin` (int64), and the
marks: the number of the first sequence of each document, and at last that of all sequences (int64). Ours have one sequence a document.
Source: `_IndexWriter` in megatron/core/datasets/indexed_dataset.py of megatron-core; docs/packing.md has the comparison.
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from configs.errors import InputError

HEADER = "pack.json"
"""Beside the shards: whose ids they hold, and what else is known of them. A reader of another version refuses the folder."""
HEADER_VERSION = 1

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
CODES: dict[int, np.dtype[Any]] = {4: np.dtype("<i4"), 8: np.dtype("<u2")}
"""The types of ids that we write, as the format numbers them."""

_HEADER = struct.Struct("<9sQBQQ")
_LEAST_INT32 = 65_500
"""From so many ids on Megatron takes int32 (`DType.optimal_dtype`)."""


class Index(NamedTuple):
    """What a `.idx` says of n sequences."""

    dtype: np.dtype[Any]
    lengths: npt.NDArray[np.int32]
    """Ids of each sequence, (n,)."""
    pointers: npt.NDArray[np.int64]
    """The first byte of each sequence, (n,)."""


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """uint16 where it holds every id of the vocabulary, else int32."""
    return CODES[8] if vocab_size < _LEAST_INT32 else CODES[4]


def index_bytes(lengths: npt.NDArray[np.integer], dtype: np.dtype[Any]) -> bytes:
    """The content of `.idx` for sequences side by side, each of them a document."""
    (code,) = [code for code, known in CODES.items() if known == dtype]
    sizes = lengths.astype(np.int64) * dtype.itemsize
    pointers = np.cumsum(sizes) - sizes
    header = _HEADER.pack(MAGIC, VERSION, code, len(lengths), len(lengths) + 1)
    parts = lengths.astype("<i4"), pointers.astype("<i8"), np.arange(len(lengths) + 1, dtype="<i8")
    return header + b"".join(part.tobytes() for part in parts)


def read_index(path: Path) -> Index:
    """Map a `.idx` into memory. Raises `InputError` for a file that is missing, cut off, or of another format or type."""
    try:
        data = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'is empty'}; pack again") from None
    if len(data) < _HEADER.size or bytes(data[: len(MAGIC)]) != MAGIC:
        raise InputError(f"{path}: not the index of a token file; wanted one that begins with {MAGIC!r}")
    _, version, code, num_sequences, num_marks = _HEADER.unpack(bytes(data[: _HEADER.size]))
    if version != VERSION:
        raise InputError(f"{path}: version {version} of the format, wanted {VERSION}")
    if code not in CODES:
        known = " and ".join(f"{number} ({dtype.name})" for number, dtype in CODES.items())
        raise InputError(f"{path}: ids of the type with code {code}; known are {known}")
    size = _HEADER.size + 12 * num_sequences + 8 * num_marks
    if len(data) < size:
        raise InputError(f"{path}: cut off: {len(data):,} bytes, wanted {size:,} for {num_sequences:,} sequences; pack again")
    lengths = np.frombuffer(data, "<i4", num_sequences, _HEADER.size)
    pointers = np.frombuffer(data, "<i8", num_sequences, _HEADER.size + 4 * num_sequences)
    return Index(CODES[code], lengths, pointers)

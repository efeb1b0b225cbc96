"""Text to ids and back with a SentencePiece model: exact round trip, identical ids, all cores.

Models that we train, LLaMA's and Baichuan's are BPE over unchanged characters with byte fallback: those run in our kernels
(tokenizer.merging), 9 to 13 times as fast on English and 4 times on Chinese as SentencePiece's own batches (docs/tokenizer.md).
Any other model (unigram, NFKC, unused pieces) goes through SentencePiece itself, slower and with its losses, so that it can be compared.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sentencepiece

from configs.errors import InputError
from stages.text.buffers import TextBuffer, read_only, string_array, text_buffer
from stages.text.kernel import eight_bytes, kernel
from tokenizer.merging import Cache, encode_documents, new_cache, new_scratch
from tokenizer.model_file import BYTE, CONTROL, NORMAL, SPACE, UNKNOWN, UNUSED, USER_DEFINED, ModelFile, parse_model
from tokenizer.vocabulary import Vocabulary, vocabulary

MODEL_NAME = "tokenizer.model"
CODEC_VERSION = 1
"""Part of `identity`: raised when the same model would give other ids."""

_BLOCK_BYTES = 1 << 20
_UNKNOWN_SURFACE = " ⁇ "
"""What SentencePiece writes for an unknown piece."""


class Ids(NamedTuple):
    """Ids of n documents: document i has `ids[offsets[i]:offsets[i + 1]]`."""

    offsets: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int32]


class Tokenizer:
    """A SentencePiece model. One object may be used by several threads at a time."""

    def __init__(self, model: bytes, name: str) -> None:
        """`model` is the content of a `.model` file, `name` stands for it in messages. Raises `InputError` if it is none."""
        self.model_bytes = model
        self.model: ModelFile = parse_model(model, name)
        self._name = name
        self._vocabulary: Vocabulary | None = vocabulary(self.model) if _is_plain(self.model) else None
        self._stock: sentencepiece.SentencePieceProcessor | None = None
        self._caches: list[Cache] = []
        self._ids = {piece: number for number, piece in reversed(list(enumerate(self.model.pieces)))}
        surfaces = [_surface(piece, kind) for piece, kind in zip(self.model.pieces, self.model.types, strict=True)]
        self._surface_data = read_only(np.frombuffer(b"".join(surfaces) or b"\0", np.uint8))
        self._surface_offsets = read_only(np.cumsum([0, *map(len, surfaces)], dtype=np.int64))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Tokenizer":
        """Read a `.model` file, or `tokenizer.model` in a folder. Raises `InputError` if it is missing or not a model."""
        file = Path(path)
        file = file / MODEL_NAME if file.is_dir() else file
        try:
            return cls(file.read_bytes(), str(file))
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}; name a .model file, or a folder with {MODEL_NAME}") from None

    def __len__(self) -> int:
        """Number of ids."""
        return len(self.model.pieces)

    @property
    def is_exact(self) -> bool:
        """Whether the kernels run it, so that every text comes back as it was."""
        return self._vocabulary is not None

    @property
    def stock(self) -> sentencepiece.SentencePieceProcessor:
        """SentencePiece's own processor of this model."""
        if self._stock is None:
            self._stock = sentencepiece.SentencePieceProcessor(model_proto=self.model_bytes)
        return self._stock

    def identity(self) -> str:
        """32 hexadecimal digits that change when the ids of some text could."""
        return hashlib.sha256(b"%d " % CODEC_VERSION + self.model_bytes).hexdigest()[:32]

    def id_of(self, piece: str) -> int | None:
        """The id of a piece, written as in the model (▁ for a space); `None` if there is none."""
        return self._ids.get(piece)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without begin and end. Raises `InputError` for lone surrogates, which no UTF-8 text has."""
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"character {error.start} is U+{ord(text[error.start]):04X}, half of a surrogate pair; no text has it"
            ) from None
        ids: list[int] = self.encode_arrow(pa.array([data], pa.large_binary()), threads=1).ids.tolist()
        return ids

    def encode_arrow(self, column: pa.Array | pa.ChunkedArray, threads: int | None = None, *, dummy_prefix: bool = True) -> Ids:
        """The ids of each text, without begin and end; a null has none. The same for any number of threads; all cores if not given.

        Without `dummy_prefix` texts are encoded as they would be behind a line break: also where the model puts a space before each
        text, none is put. Takes string and binary columns. Raises `InputError` with row and byte for what is not UTF-8.
        """
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if self._vocabulary is None:
            assert dummy_prefix, "SentencePiece itself has no such choice"
            return self._encode_stock(column, threads)
        prefix = dummy_prefix and self.model.add_dummy_prefix
        text = text_buffer(column)
        blocks = _blocks(text)
        counts = np.zeros(len(text), np.int64)
        chunks = eight_bytes(text.data)

        def encode_block(block: tuple[int, int]) -> npt.NDArray[np.int32]:
            return self._encode_block(text.read_only(), chunks, *block, prefix, counts)

        workers = min(threads or available_cores(), max(1, len(blocks)))
        if workers == 1:
            parts = [encode_block(block) for block in blocks]
        else:
            with ThreadPoolExecutor(workers) as pool:
                parts = list(pool.map(encode_block, blocks))
        ids = np.concatenate(parts) if parts else np.empty(0, np.int32)
        return Ids(np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]), ids)

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> str:
        """The text of ids; control pieces are nothing, bytes that are no UTF-8 become U+FFFD. Raises `InputError` for a wrong id."""
        numbers = np.asarray(ids, np.int64)
        column = self.decode_arrow(np.array([0, len(numbers)], np.int64), numbers)
        return bytes(column[0].as_py()).decode(errors="replace")

    def decode_arrow(self, offsets: npt.NDArray[np.int64], ids: npt.NDArray[np.integer]) -> pa.Array:
        """The bytes of documents as a large_binary column: what `encode_arrow` was given. Raises `InputError` for a wrong id."""
        numbers = ids.astype(np.int64, copy=False)
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= len(self)):
            wrong = numbers[(numbers < 0) | (numbers >= len(self))][0]
            raise InputError(f"id {wrong} is not of this vocabulary; wanted 0 to {len(self) - 1}")
        sizes = np.diff(self._surface_offsets)[numbers]
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        data, starts = np.empty(int(ends[-1]), np.uint8), ends[offsets]
        _write_surfaces(read_only(numbers), self._surface_data, self._surface_offsets, data)
        if self.model.add_dummy_prefix:
            prefixed = (np.diff(starts) > 0) & (data[np.minimum(starts[:-1], len(data) - 1)] == 0x20) if len(data) else np.diff(starts) > 0
            keep = np.ones(len(data), np.bool_)
            keep[starts[:-1][prefixed]] = False
            data = data[keep]
            starts = starts - np.concatenate([np.zeros(1, np.int64), np.cumsum(prefixed)])
        return string_array(data, starts).view(pa.large_binary())

    def _encode_block(
        self, text: TextBuffer, chunks: npt.NDArray[np.uint64], first: int, behind: int, prefix: bool, counts: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int32]:
        """The ids of documents first:behind; their numbers go to `counts`."""
        lengths = text.lengths()[first:behind]
        ids = np.empty(int(lengths.sum()) + 3 * len(lengths) + 2, np.int32)
        cache = self._caches.pop() if self._caches else new_cache()
        scratch = new_scratch(int(lengths.max(initial=0)) + 1)
        found = encode_documents(text.data, chunks, text.offsets, first, behind, prefix, self._vocabulary, cache, scratch, ids, counts)
        self._caches.append(cache)
        if found < 0:
            row = -1 - found
            try:
                text.document(row).decode()
            except UnicodeDecodeError as error:
                raise InputError(f"row {row}: byte {error.start} of the text is not UTF-8; normalise the text first") from None
        return ids[:found].copy()

    def _encode_stock(self, column: pa.Array, threads: int | None) -> Ids:
        texts = [text or "" for text in column.cast(pa.large_string()).to_pylist()]
        lists = self.stock.encode(texts, out_type=int, num_threads=threads or available_cores())
        offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
        return Ids(offsets, np.fromiter((number for ids in lists for number in ids), np.int32, int(offsets[-1])))


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _is_plain(model: ModelFile) -> bool:
    """Whether the kernels give the same ids: BPE with byte fallback, characters unchanged, spaces as a prefix, nothing unused."""
    kinds = set(model.types)
    defined = [piece for piece, kind in zip(model.pieces, model.types, strict=True) if kind == USER_DEFINED]
    return (
        model.algorithm == "bpe"
        and model.byte_fallback
        and model.escape_whitespaces
        and not (model.rewrites_characters or model.remove_extra_whitespaces or model.whitespace_as_suffix or UNUSED in kinds)
        and any(piece == SPACE and kind == NORMAL for piece, kind in zip(model.pieces, model.types, strict=True))
        and not any(SPACE in piece or " " in piece for piece in defined)
    )


def _surface(piece: str, kind: int) -> bytes:
    """The bytes that a piece stands for."""
    if kind == CONTROL:
        return b""
    if kind == UNKNOWN:
        return _UNKNOWN_SURFACE.encode()
    return bytes([int(piece[1:-1], 16)]) if kind == BYTE else piece.replace(SPACE, " ").encode()


def _blocks(text: TextBuffer) -> list[tuple[int, int]]:
    """Ranges of documents of about a megabyte."""
    size = text.offsets - text.offsets[0]
    marks = np.searchsorted(size, np.arange(0, int(size[-1]), _BLOCK_BYTES)) if len(text) else np.zeros(0, np.int64)
    bounds = sorted({0, *marks.tolist(), len(text)})
    return list(pairwise(bounds))


@kernel
def _write_surfaces(ids, surface_data, surface_offsets, out):  # type: ignore[no-untyped-def]
    at = np.int64(0)
    for number in ids:
        for place in range(surface_offsets[number], surface_offsets[number + 1]):
            out[at] = surface_data[place]
            at += 1

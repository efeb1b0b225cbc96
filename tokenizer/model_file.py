"""A SentencePiece model file: its pieces and the few settings that decide how text becomes ids, read and changed as bytes.

The file is one protocol buffer, `ModelProto` of sentencepiece_model.proto. Only the fields below are understood; all others pass
through untouched, so that a file which we patch stays readable by whatever read it before. Rejected: the generated module
`sentencepiece_model_pb2`, which needs the package protobuf, and versions of the two fit or do not.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from configs.errors import InputError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Types of pieces, as the file numbers them."""

SPACE = "▁"
"""U+2581, which stands for a space in pieces."""

_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_PIECE, _SCORE, _TYPE = 1, 2, 3
_INPUT, _PREFIX, _MODEL_TYPE, _VOCAB_SIZE, _THREADS, _SUFFIX, _BYTE_FALLBACK = 1, 2, 3, 4, 16, 24, 35
_CHARS_MAP, _DUMMY_PREFIX, _EXTRA_WHITESPACES, _ESCAPE = 2, 3, 4, 5
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class ModelFile:
    """What is read of a model. `pieces`, `scores` and `types` are by id."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    types: tuple[int, ...]
    algorithm: Literal["unigram", "bpe", "word", "char"]
    byte_fallback: bool
    add_dummy_prefix: bool
    """A space is put before each text that is not empty."""
    remove_extra_whitespaces: bool
    escape_whitespaces: bool
    whitespace_as_suffix: bool
    rewrites_characters: bool
    """Characters are normalised by a table, as by NFKC."""


def parse_model(data: bytes, name: str) -> ModelFile:
    """Read the bytes of a `.model` file; `name` stands for it in messages. Raises `InputError` if they are none."""
    pieces: list[str] = []
    scores: list[float] = []
    types: list[int] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    try:
        for number, _, value in _fields(data):
            if number == _PIECES:
                piece = _message(value)
                pieces.append(_as_bytes(piece[_PIECE]).decode())
                scores.append(struct.unpack("<f", _as_bytes(piece.get(_SCORE, b"\0\0\0\0")))[0])
                types.append(_as_number(piece.get(_TYPE, NORMAL)))
            elif number == _TRAINER:
                trainer |= _message(value)
            elif number == _NORMALIZER:
                normalizer |= _message(value)
        algorithm = ("unigram", "bpe", "word", "char")[_as_number(trainer.get(_MODEL_TYPE, 1)) - 1]
    except (ValueError, LookupError, struct.error):
        raise InputError(f"{name}: not a SentencePiece model; wanted a .model file as `corpus tokenizer train` writes it") from None
    if not pieces:
        raise InputError(f"{name}: a SentencePiece model without pieces; the file is empty or cut off")
    return ModelFile(
        pieces=tuple(pieces),
        scores=tuple(scores),
        types=tuple(types),
        algorithm=algorithm,  # type: ignore[arg-type]
        byte_fallback=bool(trainer.get(_BYTE_FALLBACK, 0)),
        add_dummy_prefix=bool(normalizer.get(_DUMMY_PREFIX, 1)),
        remove_extra_whitespaces=bool(normalizer.get(_EXTRA_WHITESPACES, 1)),
        escape_whitespaces=bool(normalizer.get(_ESCAPE, 1)),
        whitespace_as_suffix=bool(trainer.get(_SUFFIX, 0)),
        rewrites_characters=bool(normalizer.get(_CHARS_MAP, b"")),
    )


def with_dummy_prefix(data: bytes) -> bytes:
    """The same model, putting a space before each text. We train without: our words carry their own spaces."""
    return _patched(data, _NORMALIZER, {_DUMMY_PREFIX}, _written(_DUMMY_PREFIX, _VARINT, 1))


def without_traces(data: bytes) -> bytes:
    """The same model without the names of the trainer's temporary files and its number of threads: equal data make equal models."""
    return _patched(data, _TRAINER, {_INPUT, _PREFIX, _THREADS}, b"")


def with_fewer_merges(data: bytes, vocab_size: int) -> bytes:
    """The model that a training on the same words with the same characters, but for fewer ids, gives: its last merges are left out.

    BPE learns one merge after the other, so the merges of a small vocabulary are the first of a large one, and the characters, which come
    behind them, are the same. Raises `InputError` if there are not so many merges to leave out.
    """
    model = parse_model(data, "a model that we trained")
    merges = [number for number, piece in enumerate(model.pieces) if model.types[number] == NORMAL and len(piece) > 1]
    dropped = len(model.pieces) - vocab_size
    if not 0 <= dropped < len(merges):
        fixed = len(model.pieces) - len(merges)
        raise InputError(
            f"{vocab_size:,} ids leave no room for merges: characters, bytes and special ids are {fixed:,}; wanted {fixed + 1:,} to "
            f"{len(model.pieces):,}"
        )
    gone = set(merges[len(merges) - dropped :])
    last = merges[len(merges) - dropped - 1]
    out, number = bytearray(), -1
    for field, kind, value in _fields(data):
        number += field == _PIECES
        if field == _PIECES and number in gone:
            continue
        if field == _PIECES and number > last:  # a character: its score goes on from the last merge
            out += _written(field, kind, _replaced(value, _SCORE, struct.pack("<f", model.scores[number] + dropped)))
        elif field == _TRAINER:
            out += _written(field, kind, _replaced(value, _VOCAB_SIZE, vocab_size))
        else:
            out += _written(field, kind, value)
    return bytes(out)


def _replaced(message: int | bytes, number: int, value: int | bytes) -> bytes:
    """The same message with another value in a field that it has."""
    return b"".join(_written(key, kind, value if key == number else content) for key, kind, content in _fields(_as_bytes(message)))


def _patched(data: bytes, part: int, dropped: set[int], added: bytes) -> bytes:
    """With fields of a part left out, and others added."""
    out = bytearray()
    for number, kind, value in _fields(data):
        if number == part:
            kept = b"".join(_written(*field) for field in _fields(_as_bytes(value)) if field[0] not in dropped)
            out += _written(number, kind, kept + added)
        else:
            out += _written(number, kind, value)
    return bytes(out)


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(number, wire type, value) of each field. Raises `ValueError` for what is no message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, kind, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(kind)
        if at + size > len(data):
            raise ValueError("cut off")
        yield number, kind, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def _written(number: int, kind: int, value: int | bytes) -> bytes:
    tag = _written_varint(number << 3 | kind)
    if isinstance(value, int):
        return tag + _written_varint(value)
    return tag + (_written_varint(len(value)) if kind == _BYTES else b"") + value


def _written_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _message(value: int | bytes) -> dict[int, int | bytes]:
    return {number: inner for number, _, inner in _fields(_as_bytes(value))}


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError(value)
    return value


def _as_number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError(value)
    return value

"""Tokenizers of any maker behind one face, so that all are measured on the same rows: SentencePiece, tokenizer.json, .tiktoken files.

SentencePiece models run in our codec where its ids are identical, in SentencePiece itself elsewhere. `tokenizer.json` needs the package
`tokenizers`, rank files `tiktoken` (extra `compare`); both give the ids of all test vectors of Falcon, GPT-2, MPT, DeepSeek and Qwen.
A rank file does not say how text is split before merging; the published splits are known by their number of ranks, others must be given.
What these packages do to a text by themselves is switched off: no special ids are added, nothing is cut to a length or padded.

A text that a tokenizer cannot take is refused with the reason: tiktoken overflows its stack on a million spaces, and a vocabulary without
an unknown piece has no ids for some texts.
"""

import base64
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import ConfigError, InputError
from tokenizer.codec import MODEL_NAME, Tokenizer
from tokenizer.model_file import BYTE, CONTROL, NORMAL, SPACE, UNKNOWN, UNUSED, USER_DEFINED

JSON_NAME = "tokenizer.json"

_QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CL100K = _QWEN.replace(r"\p{N}| ?", r"\p{N}{1,3}| ?", 1)
_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_ENDINGS}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = {"qwen": _QWEN, "cl100k": _CL100K, "gpt2": _GPT2, "o200k": _O200K}
"""How published rank files want their texts split, by name."""
_SPLIT_OF_SIZE = {50_256: "gpt2", 50_280: "gpt2", 100_256: "cl100k", 151_643: "qwen", 199_998: "o200k"}


class Encoded(NamedTuple):
    """Ids of n texts, as `tokenizer.codec.Ids`, and which texts have none because they were refused."""

    offsets: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int32]
    refused: dict[int, str]
    """Row -> why."""


class Pieces(NamedTuple):
    """What the ids of a tokenizer stand for."""

    surfaces: tuple[bytes, ...]
    """By id; nothing for ids that stand for no text."""
    kinds: npt.NDArray[np.uint8]
    """By id: the types of `tokenizer.model_file`. `BYTE` is a byte piece, and in a byte-level vocabulary a part of a character."""


class Measured(Protocol):
    """A tokenizer that can be compared."""

    format: str
    pieces: Pieces

    def encode(self, column: pa.Array) -> Encoded:
        """The ids of a large_string column without special ones, on one core."""
        ...

    def decode(self, encoded: Encoded) -> list[bytes]:
        """The texts that come back."""
        ...


def open_tokenizer(path: str, split: str | None = None) -> Measured:
    """A `.model`, `tokenizer.json` or `.tiktoken` file, or a folder with one of them, our own kind first.

    `split` is for rank files: a name of `SPLITS`, or a regular expression. Raises `InputError` for what is none of them, `ConfigError`
    where a package is missing or a split must be given.
    """
    file = _file(Path(path))
    if split is not None and file.suffix != ".tiktoken":
        raise ConfigError(f"{path}: split is for .tiktoken files; {file.name} says itself how text is split")
    if file.suffix == ".json":
        return JsonFile(file)
    return RankFile(file, split) if file.suffix == ".tiktoken" else SentencePiece(Tokenizer.load(file))


class SentencePiece:
    """A SentencePiece model."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        model = tokenizer.model
        self.format = "sentencepiece" if self._tokenizer.is_exact else "sentencepiece, by its own code"
        self.pieces = Pieces(
            tuple(_model_surface(piece, kind) for piece, kind in zip(model.pieces, model.types, strict=True)),
            np.array(model.types, np.uint8),
        )

    def encode(self, column: pa.Array) -> Encoded:
        """Every text has ids."""
        return Encoded(*self._tokenizer.encode_arrow(column, threads=1), {})

    def decode(self, encoded: Encoded) -> list[bytes]:
        """By our codec where it encodes, else by SentencePiece."""
        if self._tokenizer.is_exact:
            texts: list[bytes] = self._tokenizer.decode_arrow(encoded.offsets, encoded.ids).to_pylist()
            return texts
        ids = encoded.ids.tolist()
        return [str(self._tokenizer.stock.decode(ids[start:end])).encode() for start, end in pairwise(encoded.offsets.tolist())]


class JsonFile:
    """Hugging Face's `tokenizer.json`."""

    format = "tokenizer.json"

    def __init__(self, file: Path) -> None:
        tokenizers = _package("tokenizers", file)
        try:
            content = file.read_text(encoding="utf-8")
            self._tokenizer = tokenizers.Tokenizer.from_str(content)
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}") from None
        except Exception as error:  # the package raises no class of its own
            raise InputError(f"{file}: not a tokenizer.json that tokenizers {tokenizers.__version__} reads: {error}") from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.pieces = _json_pieces(json.loads(content), self._tokenizer.get_vocab(with_added_tokens=True))

    def encode(self, column: pa.Array) -> Encoded:
        """One text at a time: a batch would be spread over all cores."""
        return _encode_each(column, lambda text: self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids)

    def decode(self, encoded: Encoded) -> list[bytes]:
        """Special pieces that stand in a text are text."""
        ids = encoded.ids.tolist()
        return [
            self._tokenizer.decode(ids[start:end], skip_special_tokens=False).encode() for start, end in pairwise(encoded.offsets.tolist())
        ]


class RankFile:
    """A `.tiktoken` file: a line for each piece, base64 and rank."""

    def __init__(self, file: Path, split: str | None) -> None:
        tiktoken = _package("tiktoken", file)
        ranks = _read_ranks(file)
        name = split or _SPLIT_OF_SIZE.get(len(ranks))
        if name is None:
            known = ", ".join(f"{size:,} ({of_size})" for size, of_size in _SPLIT_OF_SIZE.items())
            names = ", ".join(SPLITS)
            raise ConfigError(
                f"{file}: {len(ranks):,} ranks are of no published file ({known}); give `split`: {names}, or a regular expression"
            )
        self.format = f"tiktoken, split {name if name in SPLITS else 'of your own'}"
        try:
            self._encoding = tiktoken.Encoding(file.name, pat_str=SPLITS.get(name, name), mergeable_ranks=ranks, special_tokens={})
        except ValueError as error:
            raise ConfigError(f"{file}: tiktoken takes no such split or ranks: {error}") from None
        surfaces = [b""] * (max(ranks.values()) + 1)
        for piece, rank in ranks.items():
            surfaces[rank] = piece
        self.pieces = Pieces(tuple(surfaces), np.array([_byte_level_kind(surface) for surface in surfaces], np.uint8))

    def encode(self, column: pa.Array) -> Encoded:
        """Text that reads like a special token is text."""
        return _encode_each(column, self._encoding.encode_ordinary)

    def decode(self, encoded: Encoded) -> list[bytes]:
        """The bytes of the ids."""
        ids = encoded.ids.tolist()
        return [self._encoding.decode_bytes(ids[start:end]) for start, end in pairwise(encoded.offsets.tolist())]


def _file(path: Path) -> Path:
    if not path.is_dir():
        if not path.exists():
            raise InputError(f"{path}: no such file; name a .model, tokenizer.json or .tiktoken file, or a folder with one")
        return path
    found = [*path.glob(MODEL_NAME), *path.glob(JSON_NAME), *sorted(path.glob("*.tiktoken"))]
    if not found:
        raise InputError(f"{path}: holds no {MODEL_NAME}, {JSON_NAME} or .tiktoken file")
    return found[0]


def _package(name: str, file: Path) -> Any:
    try:
        return __import__(name)
    except ImportError:
        raise ConfigError(f"{file}: needs the package '{name}'; install it with: pip install 'baichuan-corpus[compare]'") from None


def _encode_each(column: pa.Array, encode: Callable[[str], Sequence[int]]) -> Encoded:
    ids: list[npt.NDArray[np.int32]] = []
    refused: dict[int, str] = {}
    for row, text in enumerate(column.to_pylist()):
        found: Sequence[int] = ()
        try:
            found = encode(text)
        except Exception as error:  # `tokenizers` raises no class of its own
            refused[row] = str(error)
        except BaseException as error:  # a panic of Rust code is no Exception
            if type(error).__name__ != "PanicException":
                raise
            refused[row] = f"the package gave up: {error}"
        ids.append(np.asarray(found, np.int32))
    sizes = np.array([0, *map(len, ids)], np.int64)
    return Encoded(np.cumsum(sizes), np.concatenate([np.empty(0, np.int32), *ids]), refused)


def _read_ranks(file: Path) -> dict[bytes, int]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(lines, 1):
        try:
            piece, rank = line.split()
            ranks[base64.b64decode(piece, validate=True)] = int(rank)
        except ValueError:  # of base64 too
            raise InputError(f"{file}:{number}: got {line[:60]!r}, wanted a piece in base64 and its rank") from None
    if not ranks or min(ranks.values()) < 0:
        raise InputError(f"{file}: has no ranks, or negative ones; the file is empty or damaged")
    return ranks


def _model_surface(piece: str, kind: int) -> bytes:
    if kind in (UNKNOWN, CONTROL):
        return b""
    return bytes([int(piece[1:-1], 16)]) if kind == BYTE else piece.replace(SPACE, " ").encode()


def _json_pieces(content: dict[str, Any], vocabulary: dict[str, int]) -> Pieces:
    """The pieces of a tokenizer.json: in the alphabet of bytes, with byte pieces, or as they are."""
    model = content["model"]
    unknown = model.get("unk_token")
    if model.get("unk_id") is not None:
        unknown = model["vocab"][model["unk_id"]][0]
    added = {token["content"]: token["special"] for token in content.get("added_tokens") or ()}
    byte_level = '"ByteLevel"' in json.dumps([content.get("pre_tokenizer"), content.get("decoder")])
    surfaces = [b""] * (max(vocabulary.values()) + 1)
    kinds = np.full(len(surfaces), UNUSED, np.uint8)
    alphabet = _byte_alphabet()
    for piece, number in vocabulary.items():
        kind = UNKNOWN if piece == unknown else NORMAL
        if piece in added and kind == NORMAL:
            kind = CONTROL if added[piece] else USER_DEFINED
        surface = piece.replace(SPACE, " ").removeprefix("##" if model["type"] == "WordPiece" else "").encode()
        if kind in (UNKNOWN, CONTROL):
            surface = b""
        elif kind == NORMAL and byte_level and all(character in alphabet for character in piece):
            surface = bytes(alphabet[character] for character in piece)
            kind = _byte_level_kind(surface)
        elif kind == NORMAL and model.get("byte_fallback") and len(piece) == 6 and piece.startswith("<0x"):
            surface, kind = bytes([int(piece[3:5], 16)]), BYTE
        surfaces[number], kinds[number] = surface, kind
    return Pieces(tuple(surfaces), kinds)


def _byte_level_kind(surface: bytes) -> int:
    """`BYTE` for what is no text by itself."""
    try:
        surface.decode()
    except UnicodeDecodeError:
        return BYTE
    return NORMAL if surface else UNUSED


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's letters for bytes: printable ones stand for themselves, the others are U+0100 and on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(rest)}

"""A BPE vocabulary as flat arrays for kernels: characters, merges, the pairs of characters that pieces join, user-defined symbols.

SentencePiece merges two neighbours when their joined *text* is a piece, whatever was joined before; the piece with the best score
goes first, the leftmost of equals. So the table of merges holds every way to cut a piece in two parts that can themselves be symbols.

Two neighbouring characters that stand side by side in no piece can never come to lie within one: there the text may be cut, and what
lies between cuts be merged, cached and counted by itself, with the same ids. This holds for any BPE vocabulary; that pieces begin at
spaces or keep to one script is not assumed. The pairs are marked in a bit table without keys: a chance hit (about 1 in 20) only makes
what is merged at a time longer.

In these tables a space is U+0020; in the pieces of the file it is U+2581.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from configs.errors import InputError
from stages.text.buffers import read_only
from stages.text.kernel import kernel
from tokenizer.model_file import BYTE, NORMAL, SPACE, USER_DEFINED, ModelFile

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
NUM_CODES = 0x110000
NO_MERGE = np.int32(-1)
_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_PAIR_BITS_EACH = 24
"""Bits of the table for each pair: 1/24 of them are set, so 4 % of other pairs hit by chance."""


class Symbols(NamedTuple):
    """User-defined symbols as a trie over bytes; the longest that matches is taken."""

    starts: npt.NDArray[np.bool_]
    """(256,): whether a symbol begins with this byte."""
    keys: npt.NDArray[np.uint64]
    nodes: npt.NDArray[np.int32]
    """Hash table from node << 8 | byte to the next node; node 0 is the root."""
    ids: npt.NDArray[np.int32]
    """The id of the symbol that ends at a node, -1 if none does."""


class Vocabulary(NamedTuple):
    """What `tokenizer.merging` reads. Numbers from the vocabulary's size on are characters that only stand within pieces."""

    characters: npt.NDArray[np.int32]
    """(NUM_CODES,): the id of a character, -1 if it is in no piece."""
    joined: npt.NDArray[np.uint8]
    """Bits: pairs of characters that some piece joins. A power of two bytes."""
    keys: npt.NDArray[np.uint64]
    merged: npt.NDArray[np.int32]
    """Hash table from left id << 32 | right id to the id of both together."""
    ranks: npt.NDArray[np.int32]
    """By id: 0 is merged first; equal scores have equal ranks."""
    bytes_: npt.NDArray[np.int32]
    """(256,): the ids of the byte pieces."""
    symbols: Symbols
    size: int
    """Number of ids; numbers from here on never leave the kernel."""


def vocabulary(model: ModelFile) -> Vocabulary:
    """Build the tables. Raises `InputError` for a model with holes in its bytes."""
    normal = {piece.replace(SPACE, " "): i for i, (piece, kind) in enumerate(zip(model.pieces, model.types, strict=True)) if kind == NORMAL}
    defined = {piece: i for i, (piece, kind) in enumerate(zip(model.pieces, model.types, strict=True)) if kind == USER_DEFINED}
    inner = dict.fromkeys(character for piece in normal for character in piece if character not in normal)
    numbers = normal | {character: len(model.pieces) + i for i, character in enumerate(inner)}
    keys: list[int] = []
    merged: list[int] = []
    for piece, number in normal.items():
        for cut in range(1, len(piece)):
            left, right = numbers.get(piece[:cut]), numbers.get(piece[cut:])
            if left is not None and right is not None:
                keys.append(left << 32 | right)
                merged.append(number)
    characters = np.full(NUM_CODES, -1, np.int32)
    for text, number in numbers.items():
        if len(text) == 1:
            characters[ord(text)] = number
    scores = np.array(model.scores)
    ranks = np.unique(-scores, return_inverse=True)[1].astype(np.int32)
    return Vocabulary(
        read_only(characters),
        pair_table({piece[at : at + 2] for piece in normal for at in range(len(piece) - 1)}),
        *_hash_table(keys, merged),
        read_only(ranks),
        _byte_ids(model),
        symbols(defined),
        len(model.pieces),
    )


def symbols(ids: Mapping[str, int]) -> Symbols:
    """The trie of user-defined symbols."""
    edges: dict[int, int] = {}
    ends = [-1]
    for symbol, number in ids.items():
        node = 0
        for byte in symbol.encode():
            edge = node << 8 | byte
            if edge not in edges:
                edges[edge] = len(ends)
                ends.append(-1)
            node = edges[edge]
        ends[node] = number
    starts = np.zeros(256, np.bool_)
    starts[[edge for edge in edges if edge < 256]] = True
    return Symbols(read_only(starts), *_hash_table(list(edges), list(edges.values())), read_only(np.array(ends, np.int32)))


def pair_table(pairs: Iterable[str]) -> npt.NDArray[np.uint8]:
    """The bits of pairs of characters, for `is_joined`."""
    codes = np.array([(ord(pair[0]) << 21) | ord(pair[1]) for pair in pairs], np.uint64)
    bits = max(1 << 13, 1 << (max(1, len(codes) * _PAIR_BITS_EACH) - 1).bit_length())
    table = np.zeros(bits // 8, np.uint8)
    if len(codes):
        slots = (codes * MULTIPLIER >> np.uint64(20)) & np.uint64(bits - 1)
        np.bitwise_or.at(
            table, (slots >> np.uint64(3)).astype(np.int64), np.left_shift(np.uint8(1), (slots & np.uint64(7)).astype(np.uint8))
        )
    return read_only(table)


@kernel
def is_joined(first, second, joined):  # type: ignore[no-untyped-def]
    """Whether some piece may hold two characters side by side."""
    slot = (np.uint64(first << 21 | second) * MULTIPLIER >> np.uint64(20)) & np.uint64(len(joined) * 8 - 1)
    return joined[np.int64(slot >> np.uint64(3))] >> np.uint8(slot & np.uint64(7)) & 1 != 0


@kernel
def look_up(key, keys, values):  # type: ignore[no-untyped-def]
    """The value of a key, -1 if the table has it not."""
    mask = np.uint64(len(keys) - 1)
    slot = (key * MULTIPLIER >> np.uint64(24)) & mask
    while keys[np.int64(slot)] != key:
        if keys[np.int64(slot)] == _FREE:
            return NO_MERGE
        slot = (slot + np.uint64(1)) & mask
    return values[np.int64(slot)]


@kernel
def symbol_at(data, at, end, symbols):  # type: ignore[no-untyped-def]
    """The id of the longest user-defined symbol that begins at `data[at]`, and its bytes; -1 and 0 if none does."""
    found, size = np.int32(-1), np.int64(0)
    node = np.int32(0)
    for place in range(at, end):
        node = look_up(np.uint64(node) << np.uint64(8) | np.uint64(data[place]), symbols.keys, symbols.nodes)
        if node < 0:
            break
        if symbols.ids[node] >= 0:
            found, size = symbols.ids[node], np.int64(place + 1 - at)
    return found, size


@kernel
def _fill(keys, values, table_keys, table_values):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(table_keys) - 1)
    for i in range(len(keys)):
        slot = (keys[i] * MULTIPLIER >> np.uint64(24)) & mask
        while table_keys[np.int64(slot)] != _FREE:
            slot = (slot + np.uint64(1)) & mask
        table_keys[np.int64(slot)] = keys[i]
        table_values[np.int64(slot)] = values[i]


def _hash_table(keys: Sequence[int], values: Sequence[int]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Open addressing, at most half full. Keys are distinct."""
    slots = 1 << max(4, (2 * len(keys)).bit_length())
    table_keys, table_values = np.full(slots, _FREE, np.uint64), np.full(slots, -1, np.int32)
    _fill(np.array(keys, np.uint64), np.array(values, np.int32), table_keys, table_values)
    return read_only(table_keys), read_only(table_values)


def _byte_ids(model: ModelFile) -> npt.NDArray[np.int32]:
    ids = np.full(256, -1, np.int32)
    for number, (piece, kind) in enumerate(zip(model.pieces, model.types, strict=True)):
        if kind == BYTE:
            ids[int(piece[1:-1], 16)] = number
    if (ids < 0).any():
        raise InputError(f"the model has no piece for byte 0x{int(np.argmin(ids)):02X}; wanted all 256, as --byte_fallback gives")
    return read_only(ids)

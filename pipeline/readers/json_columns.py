r"""JSON lines as columns: a kernel that takes the fields of one object after the other from the bytes of a file, without Python values.

It takes what most lines are and leaves the rest, line by line, to `orjson` (`pipeline.readers.json_lines`): a line that is not valid JSON
in valid UTF-8, an escape in a key, the text's key twice or not at all, half of a surrogate pair, a document that may be too large. What
it takes it reads as `orjson` does, to the byte (tests/pipeline/readers/test_json_lines.py).

Fields that no key names become `meta`. They are copied as they stand where `orjson.dumps(orjson.loads(…))` would write just that: plain
strings, short whole numbers, true, false, null and lists of these, no white space, no key twice. Other rows are marked for `rewrite`.

Speed of the kernel, one core: 950 MB/s of Chinese and English text.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from pipeline.readers.json_values import (
    BACKSLASH,
    CANONICAL,
    CLOSE,
    COLON,
    COMMA,
    INVALID,
    LINE_END,
    MINUS,
    OPEN,
    QUOTE,
    REWRITE,
    byte_at,
    copy,
    copy_string,
    is_digit,
    number,
    skip_blanks,
    skip_string,
    skip_value,
)
from stages.schema import DOCUMENT
from stages.text.kernel import eight_bytes, kernel

_NAMES = ("text", "id", "url", "lang", "meta")
_TEXT, _ID, _URL, _LANG, _META = range(5)
_SLACK = 8
"""Strings are written eight bytes at once."""
_AT, _ROWS, _LINES, _BYTES, _LEFT, _MOST_ROWS, _MOST_BYTES, _LONGEST_LINE = range(8)
_MOST_MEMBERS = 32


class Keys(NamedTuple):
    """The keys of text, id, URL and language, in this order, side by side; an unnamed one is -1 bytes long."""

    data: npt.NDArray[np.uint8]
    begin: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]

    @classmethod
    def of(cls, text: str, *others: str | None) -> "Keys | None":
        """None where two keys are the same or one could only be written with escapes: then no line is taken."""
        named = [key.encode("utf-8", "surrogatepass") for key in (text, *others) if key is not None]
        if len(set(named)) < len(named) or any(byte < 0x20 or byte in b'"\\' for key in named for byte in key):
            return None
        length = [-1 if key is None else len(key.encode("utf-8", "surrogatepass")) for key in (text, *others)]
        begin = np.cumsum([0, *(max(size, 0) for size in length)])[:-1]
        return cls(np.frombuffer(b"".join(named) + b"\0", np.uint8), begin.astype(np.int64), np.array(length, np.int64))


class Columns(NamedTuple):
    """Columns under way, in the order of `_NAMES`; room for a batch."""

    out: npt.NDArray[np.uint8]
    """(5, bytes): the strings of each column, one behind the other."""
    offsets: npt.NDArray[np.int64]
    """(5, rows + 1)"""
    valid: npt.NDArray[np.bool_]
    """(5, rows); false is null."""
    lines: npt.NDArray[np.int64]
    """Number of each row's line, from 1 in the piece."""
    rewrite: npt.NDArray[np.bool_]
    """Whether `meta` stands as in the file and not as it should."""

    @classmethod
    def empty(cls, most_rows: int, num_bytes: int) -> "Columns":
        """Room for so many rows, and bytes of each column; what is never written takes no memory."""
        shape = (len(_NAMES), most_rows)
        offsets = np.zeros((len(_NAMES), most_rows + 1), np.int64)
        return cls(
            np.empty((len(_NAMES), num_bytes), np.uint8),
            offsets,
            np.empty(shape, np.bool_),
            np.empty(most_rows, np.int64),
            np.empty(most_rows, np.bool_),
        )

    def with_room(self, rows: int, num_bytes: int) -> "Columns":
        """The same rows, with room for so many bytes of lines behind them."""
        used = self.offsets[:, rows].tolist()
        wanted = max(used) + num_bytes + _SLACK
        if wanted <= self.out.shape[1]:
            return self
        out = np.empty((len(_NAMES), 2 * wanted), np.uint8)
        for column, size in enumerate(used):
            out[column, :size] = self.out[column, :size]
        return self._replace(out=out)

    def arrays(self, rows: int) -> dict[str, pa.Array]:
        """Copies of the first rows as Arrow arrays."""
        return {name: self._array(column, rows, DOCUMENT.field(name).type) for column, name in enumerate(_NAMES)}

    def _array(self, column: int, rows: int, kind: pa.DataType) -> pa.Array:
        valid, offsets = self.valid[column, :rows], self.offsets[column, : rows + 1]
        if not valid.any():
            return pa.nulls(rows, kind)
        offsets = offsets.copy() if kind == pa.large_string() else offsets.astype(np.int32)
        bitmap = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
        strings = pa.py_buffer(self.out[column, : offsets[-1]].tobytes())
        array = pa.Array.from_buffers(kind, rows, [bitmap, pa.py_buffer(offsets), strings])
        if column == _META and (marked := np.flatnonzero(self.rewrite[:rows])).size:
            values = array.cast(pa.binary()).to_pylist()
            for row in marked.tolist():
                values[row] = orjson.dumps(orjson.loads(values[row]))
            array = pa.array(values, kind)
        return array


class Taken(NamedTuple):
    """How far the kernel came."""

    at: int
    rows: int
    lines: int
    num_bytes: int
    """Of the lines that became rows."""
    left: bool
    """Whether it stopped at a line that it does not take."""


def take(block: bytes, at: int, keys: Keys, into: Columns, rows: int, lines: int, limits: tuple[int, int, int]) -> Taken:
    """Take objects from `block[at:]`, whole lines, as rows from `rows` on; `lines` were read before.

    `limits`: most rows of the batch, bytes of lines from which on it is full, and bytes of the longest line that is taken. `into` has
    room for what is left of the block.
    """
    data = np.frombuffer(block, np.uint8)
    state = np.array([at, rows, lines, 0, False, *limits], np.int64)
    members = np.empty((_MOST_MEMBERS, 2), np.int64)
    _take(data, eight_bytes(data), *keys, into.out, _eight_bytes_each(into.out), *into[1:], members, state)
    at, rows, lines, num_bytes, left, *_ = state.tolist()
    return Taken(at, rows, lines, num_bytes, bool(left))


def _eight_bytes_each(out: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """As `eight_bytes`, of each row, to be written."""
    return np.ndarray((out.shape[0], out.shape[1] - 7), np.dtype("<u8"), out, strides=(out.shape[1], 1))


@kernel
def _take(data, chunks, keys, begin, length, out, out8, offsets, valid, lines, rewrite, members, state):  # type: ignore[no-untyped-def]
    at, end = state[_AT], len(data)
    while at < end and state[_ROWS] < state[_MOST_ROWS] and state[_BYTES] < state[_MOST_BYTES]:
        start, row = at, state[_ROWS]
        at = skip_blanks(data, at, end)
        if at < end and data[at] != LINE_END:
            at = _object(data, chunks, at, end, keys, begin, length, out, out8, offsets, valid, rewrite, members, row)
            at = skip_blanks(data, at, end) if at >= 0 else at
            if at < 0 or at - start > state[_LONGEST_LINE] or (at < end and data[at] != LINE_END):
                state[_AT], state[_LEFT] = start, True
                return
            lines[row] = state[_LINES] + 1
            state[_ROWS] += 1
            state[_BYTES] += at - start
        state[_LINES] += 1
        at += 1
        state[_AT] = at


@kernel
def _object(data, chunks, at, end, keys, begin, length, out, out8, offsets, valid, rewrite, members, row):  # type: ignore[no-untyped-def]
    """Write an object that begins at `at` as a row; where it ends, or -1."""
    if data[at] != OPEN:
        return -1
    seen, num_members, marked = 0, 0, False
    meta = offsets[_META, row]
    for column in range(5):
        valid[column, row] = False
        offsets[column, row + 1] = offsets[column, row]
    at = skip_blanks(data, at + 1, end)
    while True:
        if byte_at(data, at, end) != QUOTE:
            return -1
        key = at + 1
        at, kind = skip_string(data, chunks, key, end)
        if kind != CANONICAL:
            return -1
        key_end = at - 1
        for place in range(key, key_end):
            if data[place] == BACKSLASH:
                return -1
        at = skip_blanks(data, at, end)
        if byte_at(data, at, end) != COLON:
            return -1
        at = skip_blanks(data, at + 1, end)
        value = at
        column = _named(data, key, key_end, keys, begin, length)
        if column >= 0:
            if seen >> column & 1:
                return -1
            seen |= 1 << column
            position = offsets[column, row]
            if byte_at(data, at, end) == QUOTE:
                at, position = copy_string(data, chunks, at + 1, end, out, out8, column, position)
                if at < 0:
                    return -1
                if column == _ID and position == offsets[column, row]:
                    column = _META
                else:
                    valid[column, row] = column != _LANG or position > offsets[column, row]
            elif column == _TEXT:
                return -1
            elif column == _ID and (is_digit(byte_at(data, at, end)) or byte_at(data, at, end) == MINUS):
                at, kind = number(data, at, end)
                if kind != CANONICAL:
                    return -1
                copy(data, value, at, out, column, position)
                position += at - value
                valid[column, row] = True
            else:
                column = _META
            if column != _META:
                offsets[column, row + 1] = position
        if column < 0 or column == _META:
            at, kind = skip_value(data, chunks, value, end)
            if kind == INVALID:
                return -1
            marked |= kind == REWRITE or num_members >= _MOST_MEMBERS
            for other in range(min(num_members, _MOST_MEMBERS)):
                marked |= _same(data, key, key_end, members[other, 0], members[other, 1])
            if num_members < _MOST_MEMBERS:
                members[num_members, 0], members[num_members, 1] = key, key_end
            out[_META, meta] = COMMA if num_members else OPEN
            out[_META, meta + 1] = QUOTE
            copy(data, key, key_end + 1, out, _META, meta + 2)
            meta += 2 + key_end + 1 - key
            out[_META, meta] = COLON
            copy(data, value, at, out, _META, meta + 1)
            meta += 1 + at - value
            num_members += 1
        at = skip_blanks(data, at, end)
        behind = byte_at(data, at, end)
        if behind == CLOSE:
            break
        if behind != COMMA:
            return -1
        at = skip_blanks(data, at + 1, end)
    if num_members:
        out[_META, meta] = CLOSE
        offsets[_META, row + 1] = meta + 1
        valid[_META, row] = True
    rewrite[row] = marked
    return at + 1 if seen >> _TEXT & 1 else -1


@kernel
def _same(data, key, key_end, other, other_end):  # type: ignore[no-untyped-def]
    equal = key_end - key == other_end - other
    for place in range(key_end - key if equal else 0):
        equal &= data[key + place] == data[other + place]
    return equal


@kernel
def _named(data, key, key_end, keys, begin, length):  # type: ignore[no-untyped-def]
    """The column of a key, -1 for none."""
    for column in range(len(length)):
        if length[column] == key_end - key:
            equal = True
            for place in range(length[column]):
                equal &= keys[begin[column] + place] == data[key + place]
            if equal:
                return column
    return -1

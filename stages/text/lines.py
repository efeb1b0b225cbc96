r"""Lines of a text as arrays: where each stands, what it is made of, how it begins and ends. For rules that judge lines.

A line ends at `\n` or at the end of its document; blank lines are lines too, so that paragraphs can be told. What a line is made of is
counted for short lines only: no rule asks it of a paragraph, and a text of paragraphs is then scanned at the speed of finding its
newlines. One core of a 2-core machine: 400 MB/s where all lines are short (poems), 510 wrapped novels, 530 Chinese laws.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer
from stages.text.characters import (
    ASCII_PUNCTUATION,
    DIGIT,
    EMOJI,
    HAN,
    HAN_END,
    HAN_FIRST,
    SPACE,
    character_classes,
    class_of,
    decode,
    decode_last,
)
from stages.text.kernel import (
    HIGHS,
    alphanumeric,
    count_marks,
    digits_of,
    eight_bytes,
    equal_bytes,
    kernel,
    last_bytes,
    leading,
    line_ends,
    three_bytes,
)

SHORT_BYTES = 600
"""Longer lines have no counts: 200 Chinese characters, 600 English letters."""

HAS_URL, HAS_MARKUP = 1, 2
"""Flags: the line holds `://` or `www.`; it holds `<`, `&` or two curly brackets in a row."""


class Lines(NamedTuple):
    """Every array has one entry for each line; offsets are into the buffer's data, codes are code points, 0 where there is none."""

    document: npt.NDArray[np.int64]
    begin: npt.NDArray[np.int64]
    """First byte of the line, white space included."""
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    """What stands in the line, stripped of white space; equal for a blank line."""
    chars: npt.NDArray[np.int32]
    """Characters that are not white space; like all counts below 0 for a line of more than `SHORT_BYTES`."""
    han: npt.NDArray[np.int32]
    letters: npt.NDArray[np.int32]
    """Letters of any script, Han characters included."""
    digits: npt.NDArray[np.int32]
    symbols: npt.NDArray[np.int32]
    """Punctuation, symbols and emoji."""
    pipes: npt.NDArray[np.int32]
    tabs: npt.NDArray[np.int32]
    """Inside the line, not before it."""
    signs: npt.NDArray[np.int32]
    """The signs { } ( ) ; = < > of program code."""
    indent: npt.NDArray[np.int32]
    """Spaces before the line; a tab counts four, an ideographic space none: it begins Chinese paragraphs."""
    first: npt.NDArray[np.int32]
    last: npt.NDArray[np.int32]
    second_last: npt.NDArray[np.int32]
    flags: npt.NDArray[np.int32]

    @property
    def blank(self) -> npt.NDArray[np.bool_]:
        """Lines of white space only."""
        return np.equal(self.start, self.end)

    @property
    def short(self) -> npt.NDArray[np.bool_]:
        """Lines that have counts and are not blank."""
        return np.greater(self.chars, 0)

    def take(self, rows: npt.NDArray[np.int64]) -> "Lines":
        """Some of the lines."""
        return Lines(*(field[rows] for field in self))  # type: ignore[arg-type]


_CHARS, _HAN, _LETTERS, _DIGITS, _SYMBOLS, _PIPES, _TABS, _SIGNS, _INDENT, _FIRST, _LAST, _SECOND_LAST, _FLAGS = range(13)


def lines(text: TextBuffer) -> Lines:
    """All lines of all documents, in order; an empty document has one blank line."""
    text = text.read_only()
    inside = text.data[text.offsets[0] : text.offsets[-1]]
    num_lines = int(np.count_nonzero(inside == 10)) + len(text)
    offsets = np.empty((4, num_lines), np.int64)
    features = np.zeros((13, num_lines), np.int32)
    _scan(text.data, eight_bytes(text.data), text.offsets, character_classes(), _ROLES, offsets, features)
    return Lines(*offsets, *features)


def one_of(codes: npt.NDArray[np.int32], characters: str) -> npt.NDArray[np.bool_]:
    """Which of some code points are among a few characters below U+10000."""
    found: npt.NDArray[np.bool_] = _table_of(characters)[np.clip(codes, 0, 0xFFFF)]
    return found


@lru_cache(maxsize=16)
def _table_of(characters: str) -> npt.NDArray[np.bool_]:
    table = np.zeros(0x10000, np.bool_)
    table[[ord(character) for character in characters]] = True
    return table


_0, _1 = np.uint64(0), np.uint64(1)
_BLANKS = np.uint64(0x2020202020202020)
_PIPE, _SIGN, _OTHER = 1, 2, 3
_ROLES = np.array(
    [_PIPE if c == "|" else _SIGN if c in "{}();=<>" else _OTHER if c in "&/." else 0 for c in map(chr, range(128))], np.uint8
)  # of ASCII punctuation


@kernel
def _scan(data, chunks, offsets, classes, roles, places, features):  # type: ignore[no-untyped-def]
    line = 0
    for document in range(len(offsets) - 1):
        begin = offsets[document]
        end = offsets[document + 1]
        at = begin
        while True:
            while at + 8 <= end:
                marks = line_ends(chunks[at])
                if marks != _0:
                    at += leading(marks)
                    break
                at += 8
            while at < end and data[at] != 10:
                at += 1
            start, stop = _describe(data, chunks, begin, at, end, classes, roles, features, line)
            places[0, line] = document
            places[1, line] = begin
            places[2, line] = start
            places[3, line] = stop
            line += 1
            begin = at + 1
            if at == end:
                break
            at = begin


@kernel
def _describe(data, chunks, begin, newline, limit, classes, roles, features, line):  # type: ignore[no-untyped-def]
    """What stands in a line: from where to where. `limit`: the end of the document."""
    start = begin
    indent = 0
    while start < newline:
        code, width = decode(data, start, newline)
        if class_of(code, classes) != SPACE:
            break
        indent += 4 if code == 9 else 1 if code == 32 else 0
        start += width
    end = newline
    while end > start:
        code, width = decode_last(data, start, end)
        if class_of(code, classes) != SPACE:
            break
        end -= width
    if start == end:
        return start, end
    features[_INDENT, line] = indent
    features[_FIRST, line], _ = decode(data, start, end)
    last, width = decode_last(data, start, end)
    features[_LAST, line] = last
    if end - width > start:
        features[_SECOND_LAST, line], _ = decode_last(data, start, end - width)
    if end - start > SHORT_BYTES:
        return start, end
    spaces, chars, han, letters, digits, symbols, pipes, tabs, signs, flags = 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    at = start
    while at < end:
        chunk = chunks[at] if at + 8 <= limit else last_bytes(data, at, limit)
        code = three_bytes(chunk)
        if HAN_FIRST <= code < HAN_END:
            run_from = at
            while HAN_FIRST <= code < HAN_END:
                at += 3
                code = three_bytes(chunks[at]) if at + 8 <= limit else np.int64(-1)
            run = (at - run_from) // 3
            han += run
            letters += run
            chars += run
            continue
        if code >= 0x800 and ASCII_PUNCTUATION < classes[code] <= EMOJI:
            symbols += 1
            chars += 1
            at += 3
            continue
        num_ascii = min(leading(chunk & HIGHS), end - at)
        if num_ascii > 0:
            inside = HIGHS if num_ascii == 8 else HIGHS & (_1 << np.uint64(8 * num_ascii)) - _1
            digit = digits_of(chunk) & inside
            letter = alphanumeric(chunk) & inside & ~digit
            space = equal_bytes(chunk, _BLANKS) & inside
            num_digits, num_letters, num_spaces = count_marks(digit), count_marks(letter), count_marks(space)
            digits += num_digits
            letters += num_letters
            spaces += num_spaces
            others = inside & ~digit & ~letter & ~space
            while others != _0:
                place = at + leading(others)
                others &= others - _1
                byte = data[place]
                kind = classes[byte]
                if kind == SPACE:
                    spaces += 1
                    tabs += byte == 9
                elif kind == ASCII_PUNCTUATION:
                    symbols += 1
                    role = roles[byte]
                    pipes += role == _PIPE
                    signs += role == _SIGN
                    if role >= _SIGN:
                        before = data[place - 1] if place > start else 0
                        if byte in (0x3C, 0x26) or (byte == before and byte in (0x7B, 0x7D)):
                            flags |= HAS_MARKUP
                        elif (byte == 0x2F and before == 0x3A) or (byte == 0x2E and before == 0x77):
                            flags |= HAS_URL
            chars += num_ascii
            at += num_ascii
            continue
        code, width = decode(data, at, end)
        kind = class_of(code, classes)
        chars += 1
        if kind < DIGIT:
            letters += 1
            han += kind == HAN
        elif kind == DIGIT:
            digits += 1
        elif kind == SPACE:
            spaces += 1
        elif kind <= EMOJI:
            symbols += 1
        at += width
    features[_CHARS, line] = chars - spaces
    features[_HAN, line] = han
    features[_LETTERS, line] = letters
    features[_DIGITS, line] = digits
    features[_SYMBOLS, line] = symbols
    features[_PIPES, line] = pipes
    features[_TABS, line] = tabs
    features[_SIGNS, line] = signs
    features[_FLAGS, line] = flags
    return start, end

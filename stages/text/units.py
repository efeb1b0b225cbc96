"""Sentences as units of comparison: where each stands, what it is folded to, how long it is, and whether it may be touched at all.

Two sentences are equal if their tokens are (`stages.text.shingles`: case, width and forms folded, punctuation and white space dropped,
but 1.5 is not 15). Free is what stands in no protected block (`stages.text.blocks`): code, tables, lists, verse, statutes, quotes. A
document with `STATUTE_LINES` lines that begin an article, or that are nothing but (a) or 12., is a statute as a whole: most paragraphs of
one begin with nothing that tells, and laws repeat each other with good reason.

Length is counted in words and in characters of scripts without spaces; `Floor` adds them up: of 50 words or 100 characters, a sentence of
25 words and 50 characters is as long as either. One core, real text: 70-160 MB/s; lines and blocks take half of it.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.blocks import NONE, STATUTE, block_kinds
from stages.text.buffers import TextBuffer
from stages.text.fold import token_classes
from stages.text.kernel import kernel
from stages.text.lines import lines
from stages.text.sentences import sentences
from stages.text.shingles import hash_document, most_shingles

STATUTE_LINES = 3
STATUTE_SHARE = 0.1
"""A statute has so many such lines, and at least one in ten of its lines is."""
HEADING_BYTES = 90
"""Longer lines are no headings."""

_BASE = np.uint64(0x9FB21C651E98DF25)
_32 = np.uint64(32)


class Units(NamedTuple):
    """m sentences of n documents; document i has offsets[i]:offsets[i + 1]. All other arrays are (m,)."""

    offsets: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    """Bytes in the buffer's data, without the white space around."""
    hashes: npt.NDArray[np.uint64]
    """Of the tokens; 0 where the sentence is not free."""
    words: npt.NDArray[np.int32]
    characters: npt.NDArray[np.int32]
    """Tokens: of letters and digits, and of scripts without spaces (Han, kana, hangul); 0 where the sentence is not free."""
    free: npt.NDArray[np.bool_]
    """Has a token and touches no protected block."""
    opens: npt.NDArray[np.bool_]
    closes: npt.NDArray[np.bool_]
    """Begins a line; ends a line."""
    heads: npt.NDArray[np.bool_]
    """Belongs to what follows: a short line that does not end like a sentence, or what ends in a colon."""
    from_top: npt.NDArray[np.int32]
    from_bottom: npt.NDArray[np.int32]
    """Lines that are not blank before the sentence's first, behind its last, in its document."""

    @property
    def document(self) -> npt.NDArray[np.int64]:
        """The document of each sentence."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def units(text: TextBuffer) -> Units:
    """The sentences of each document."""
    text = text.read_only()
    found, line = sentences(text), lines(text)
    written = np.flatnonzero(~line.blank)
    kinds = block_kinds(text, line)[written]
    document = line.document[written]
    marks = np.zeros(len(written), np.bool_)
    _mark_enumerators(text.data, line.start[written], line.end[written], marks)
    protected = (kinds != NONE) | _in_statutes(marks | (kinds == STATUTE), document, len(text))
    num_lines = np.bincount(document, minlength=len(text))
    first_line = np.cumsum(num_lines) - num_lines
    size = len(found.lines)
    places = np.empty((2, size), np.int64)
    hashes, tokens = np.zeros(size, np.uint64), np.zeros((2, size), np.int32)
    flags, edges = np.zeros((4, size), np.bool_), np.zeros((2, size), np.int32)
    longest = int(np.diff(found.bounds).max(initial=0))
    scratch = np.empty(most_shingles(longest), np.uint64)
    line_arrays = (line.start[written], line.end[written], protected, first_line, num_lines)
    _describe(text.data, found.bounds, found.offsets, *line_arrays, token_classes(), scratch, places, hashes, tokens, flags, edges)
    arrays = (*places, hashes, *tokens, *flags, *edges)
    return Units(found.offsets, *arrays)


class Floor(NamedTuple):
    """The least length of a text, where words and characters add up: half the words and half the characters reach it too."""

    words: int
    characters: int

    def reached(self, words: npt.NDArray[np.integer], characters: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
        """Which texts of so many tokens of either kind are long enough."""
        total = words.astype(np.int64) * self.characters + characters.astype(np.int64) * self.words
        return np.asarray(total >= self.words * self.characters)


def _in_statutes(marks: npt.NDArray[np.bool_], document: npt.NDArray[np.int64], num_documents: int) -> npt.NDArray[np.bool_]:
    """All lines of documents of which many lines are marked."""
    marked = np.bincount(document[marks], minlength=num_documents)
    statute = (marked >= STATUTE_LINES) & (marked >= STATUTE_SHARE * np.bincount(document, minlength=num_documents))
    return np.asarray(statute[document])


@kernel
def _describe(  # type: ignore[no-untyped-def]
    data, bounds, offsets, starts, ends, protected, first_line, num_lines, classes, scratch, places, hashes, tokens, flags, edges
):
    for document in range(len(offsets) - 1):
        line = first_line[document]
        behind = line + num_lines[document]
        for unit in range(offsets[document], offsets[document + 1]):
            low, high = bounds[unit], bounds[unit + 1]
            while line < behind and ends[line] <= low:
                line += 1
            if line == behind or starts[line] >= high:  # white space alone
                places[0, unit] = places[1, unit] = low
                continue
            last = line
            free = not protected[line]
            while last + 1 < behind and starts[last + 1] < high:
                last += 1
                free &= not protected[last]
            low = max(low, starts[line])
            high = _stripped(data, low, min(high, ends[last]))
            places[0, unit] = low
            places[1, unit] = high
            flags[1, unit] = low == starts[line]
            flags[2, unit] = high == ends[last]
            flags[3, unit] = flags[2, unit] and _heads(data, low, high, flags[1, unit])
            edges[0, unit] = line - first_line[document]
            edges[1, unit] = behind - 1 - last
            line = last
            if not free:
                continue
            hashes[unit], count = folded(data, low, high, classes, scratch)
            characters = num_characters(data, low, high)
            tokens[0, unit] = max(0, count - characters)
            tokens[1, unit] = characters
            flags[0, unit] = count > 0


@kernel
def _mark_enumerators(data, starts, ends, marks):  # type: ignore[no-untyped-def]
    """Lines of at most five letters or digits in brackets, or digits before a full stop: (a), (iv), 12."""
    for line in range(len(starts)):
        at, end = starts[line], ends[line]
        if end - at > 7:
            continue
        bracketed = data[at] == 0x28
        at += bracketed
        inside = at
        while at < end and (0x30 <= data[at] <= 0x39 or (bracketed and 0x41 <= data[at] & 0xDF <= 0x5A)):
            at += 1
        marks[line] = inside < at == end - 1 and data[at] == (0x29 if bracketed else 0x2E)


@kernel
def _heads(data, low, high, opens):  # type: ignore[no-untyped-def]
    last, second, third = data[high - 1], data[max(low, high - 2)], data[max(low, high - 3)]
    if last == 0x3A or (third == 0xEF and second == 0xBC and last == 0x9A):  # : ：
        return True
    if not opens or high - low > HEADING_BYTES:
        return False
    if data[low] == 0x23 or (data[low] == 0x28 and last == 0x29):  # "# Title", (a)
        return True
    if last in (0x2E, 0x21, 0x3F, 0x3B, 0x22, 0x27, 0x29):  # . ! ? ; " ' )
        return False
    full = third == 0xE3 and second == 0x80 and last in (0x82, 0x8D, 0x8F)  # 。」』
    wide = third == 0xEF and second == 0xBC and last in (0x81, 0x9F, 0x9B, 0x89)  # ！？；）
    quote = third == 0xE2 and second == 0x80 and last in (0xA6, 0x9D, 0x99)  # … ” ’
    return not (full or wide or quote)


@kernel
def folded(data, low, high, classes, scratch):  # type: ignore[no-untyped-def]
    """The hash and the number of the tokens of `data[low:high]`. `scratch` has room for `most_shingles`."""
    count = hash_document(data, low, high, 1, classes, scratch, 0)
    value = np.uint64(count)
    for token in range(count):
        value = (value ^ scratch[token]) * _BASE
        value ^= value >> _32
    return value, count


@kernel
def _stripped(data, low, high):  # type: ignore[no-untyped-def]
    """Where `data[low:high]` ends without ASCII white space, U+00A0 and U+3000."""
    while high > low:
        byte = data[high - 1]
        if byte <= 0x20:
            high -= 1
        elif byte == 0xA0 and high - low >= 2 and data[high - 2] == 0xC2:
            high -= 2
        elif byte == 0x80 and high - low >= 3 and data[high - 2] == 0x80 and data[high - 3] == 0xE3:
            high -= 3
        else:
            break
    return high


@kernel
def num_characters(data, low, high):  # type: ignore[no-untyped-def]
    """Han, kana and hangul characters, told by their first bytes."""
    count = 0
    at = low
    while at < high:
        byte = data[at]
        if byte < 0xE3:
            at += 1
        elif byte < 0xF0:
            count += byte < 0xEE and (byte > 0xE3 or (at + 1 < high and data[at + 1] >= 0x81))
            at += 3
        else:
            count += at + 1 < high and byte == 0xF0 and data[at + 1] >= 0xA0
            at += 4
    return count

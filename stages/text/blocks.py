"""Protected blocks: lines whose form says that they are no running text, so that no sentence rule may remove anything inside.

| block | a line, or a run of lines that are not blank, that |
|---|---|
| code | stand between two fences (``` or ~~~); 2 are indented by four columns; 3 end in { } ; or hold three signs of code; 3 are tags |
| table | 2 begin or end with a pipe and hold two, or hold a tab; 3 consist mostly of digits; or one is a ruler such as `|---|---|` |
| list | 2 begin with a bullet, a number or （一）, and one has more than 30 bytes: a list of single words may be a menu |
| verse | 4 of 5 or 7 Han characters, 4 short punctuated Chinese lines, or 4 English lines of 15 to 60 characters, a quarter of them ending in a comma or the like |
| statute | begin with 第…条 (章, 节, 款, 编), Section 1, Sec. 1, Article 1, § |
| quote | begin with an opening quotation mark, a dash of dialogue, or > |

A form is a guess. Errors are cheap on one side only: what is protected by mistake stays as it was. Bounds are ours, looked at on 17 files
of real text (docs/sentence_rules.md). Blank lines do not end a run.
"""  # noqa: E501 - a table

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer
from stages.text.characters import decode
from stages.text.kernel import kernel
from stages.text.lines import Lines, one_of

Mask = npt.NDArray[np.bool_]

NONE, CODE, TABLE, LIST, VERSE, STATUTE, QUOTE = range(7)
MENU_ITEM_BYTES = 30
"""What one item of a menu has at most: 30 English letters, 10 Chinese characters."""
KINDS = ("", "code", "table", "list", "verse", "statute", "quote")


class Blocks(NamedTuple):
    """Spans of bytes in the buffer's data, in order: from the first byte of the first line to the end of the last."""

    document: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    kind: npt.NDArray[np.uint8]


def blocks(found: Lines, kinds: npt.NDArray[np.uint8]) -> Blocks:
    """Runs of lines of one kind as spans; `kinds` is `block_kinds(text, found)`."""
    at = np.flatnonzero(~found.blank)
    kind, document = kinds[at], found.document[at]
    first, length = _run_bounds(kind.astype(np.int64), document)
    keep = kind[first] != NONE
    first, last = first[keep], (first + length - 1)[keep]
    return Blocks(document[first], found.begin[at[first]], found.end[at[last]], kind[first])


def block_kinds(text: TextBuffer, found: Lines) -> npt.NDArray[np.uint8]:
    """The block that each line belongs to, (num_lines,), `NONE` outside; the first of the table above where several fit."""
    kinds = np.zeros(len(found.start), np.uint8)
    at = np.flatnonzero(~found.blank)
    line = found.take(at)
    data = text.read_only().data
    marks = np.zeros(len(at), np.uint8)
    _marks(data, line.start, line.end, _role_table(), marks)
    none = np.zeros(len(at), np.uint8)
    for kind, inside in (
        (QUOTE, marks & _MARK_QUOTE > 0),
        (STATUTE, marks & _MARK_STATUTE > 0),
        (VERSE, _verse(line)),
        (LIST, _lists(line, marks & _MARK_LIST > 0)),
        (TABLE, _table(line)),
        (CODE, _code(line, marks & _MARK_FENCE > 0)),
    ):
        none[inside] = kind
    kinds[at] = none
    return kinds


def _code(line: Lines, fence: Mask) -> Mask:
    inside = fence
    if fence.any():
        num_fences = np.cumsum(fence)
        before: npt.NDArray[np.int64] = (num_fences - fence)[_first_of_document(line.document)]
        inside = fence | ((num_fences - before) % 2 == 1)
    ends = one_of(line.last, "{};") & (line.han * 2 <= line.chars)
    tags = (line.first == ord("<")) & (line.last == ord(">"))
    signs = line.short & ((line.signs >= 3) & (line.han * 4 <= line.chars) | ends)
    tags_or_signs = _in_run(signs | tags, line.document, 3)  # a tag alone is stray markup
    code: Mask = inside | _in_run(line.indent >= 4, line.document, 2) | tags_or_signs
    return code


def _table(line: Lines) -> Mask:
    pipe = ord("|")
    framed = (line.pipes >= 2) & ((line.first == pipe) | (line.last == pipe))
    ruler = (line.pipes >= 1) & (line.letters == 0) & (line.digits == 0) & (line.chars >= 4)
    numbers = line.short & (2 * line.digits >= line.chars)
    doc = line.document
    found: Mask = _in_run(framed, doc, 2) | ruler | _in_run(line.tabs > 0, doc, 2) | _in_run(numbers, doc, 3)
    return found


def _lists(line: Lines, marked: Mask) -> Mask:
    if not marked.any():
        return marked
    first, length = _run_bounds(marked.astype(np.int64), line.document)
    longest = np.maximum.reduceat(line.end - line.start, first)
    return np.repeat(marked[first] & (length >= 2) & (longest > MENU_ITEM_BYTES), length)


def _verse(line: Lines) -> Mask:
    pure = line.short & (line.han + line.symbols == line.chars)
    regular = pure & ((line.han == 5) | (line.han == 7)) & (line.symbols <= 1)
    stopped = one_of(line.last, "，。！？；、,")
    chinese = pure & stopped & (line.han >= 4) & (line.han <= 24)
    english = line.short & (line.han == 0) & (line.chars >= 12) & (line.end - line.start >= 15) & (line.end - line.start <= 60)
    english &= 10 * line.letters >= 8 * line.chars
    english = _in_run(english, line.document, 4, one_of(line.last, ",;:—–"))
    return _in_run(regular, line.document, 4) | _in_run(chinese, line.document, 4) | english


def _in_run(mask: Mask, document: npt.NDArray[np.int64], at_least: int, quarter: Mask | None = None) -> Mask:
    """Lines of runs of `at_least` in one document; with `quarter`, of those runs where it holds for a quarter of the lines."""
    inside = np.zeros(len(mask), np.bool_)
    _mark_runs(mask, document, at_least, mask if quarter is None else quarter, inside)
    return inside


@kernel
def _mark_runs(mask, document, at_least, quarter, inside):  # type: ignore[no-untyped-def]
    first = 0
    while first < len(mask):
        if not mask[first]:
            first += 1
            continue
        stop = first
        count = 0
        while stop < len(mask) and mask[stop] and document[stop] == document[first]:
            count += quarter[stop]
            stop += 1
        if stop - first >= at_least and 4 * count >= stop - first:
            inside[first:stop] = True
        first = stop


def _run_bounds(key: npt.NDArray[np.int64], document: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First index and length of each run of equal keys in one document."""
    changes = np.flatnonzero((np.diff(key) != 0) | (np.diff(document) != 0)) + 1
    first = np.concatenate([np.zeros(min(1, len(key)), np.int64), changes])
    return first, np.diff(np.append(first, len(key)))


def _first_of_document(document: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each line the index of the first line of its document."""
    first, length = _run_bounds(document, document)
    return np.repeat(first, length)


_MARK_LIST, _MARK_STATUTE, _MARK_QUOTE, _MARK_FENCE = 1, 2, 4, 8
_BULLET, _DASH, _QUOTE, _NUMERAL, _UNIT, _NUMBER_END, _BRACKET, _ORDINAL = (1 << bit for bit in range(8))
_ROLES = {
    _BULLET: "•‣▪●○■□◆◇★☆·◦⁃➢✓▲△►▶・∙①②③④⑤⑥⑦⑧⑨⑩",
    _DASH: "-*+–",
    _QUOTE: "“「『\"'‘«‹>＞＂〝",
    _NUMERAL: "0123456789〇零一二三四五六七八九十百千两０１２３４５６７８９",
    _UNIT: "条條章节節款项項编編",
    _NUMBER_END: ".)、．）:：",
    _BRACKET: "(（[",
    _ORDINAL: "第",
}


@lru_cache(maxsize=1)
def _role_table() -> npt.NDArray[np.uint8]:
    """What a character may be at the beginning of a line, bits, (65536,)."""
    table = np.zeros(0x10000, np.uint8)
    for role, characters in _ROLES.items():
        table[[ord(character) for character in characters]] |= role
    return table


_ARTICLE = tuple(word.encode() for word in ("section ", "sec. ", "sec ", "article ", "art. ", "clause ", "§"))


@kernel
def _marks(data, starts, ends, table, marks):  # type: ignore[no-untyped-def]
    for line in range(len(starts)):
        marks[line] = _mark(data, starts[line], ends[line], table)


@kernel
def _role(code, table):  # type: ignore[no-untyped-def]
    return table[code] if 0 <= code < len(table) else np.uint8(0)


@kernel
def _mark(data, start, end, table):  # type: ignore[no-untyped-def]
    code, width = decode(data, start, end)
    after = start + width
    role = _role(code, table)
    if role & _QUOTE:
        return _MARK_QUOTE
    if role & _BULLET:
        return _MARK_LIST
    if role & _DASH:
        return _MARK_LIST if after < end and data[after] in (0x20, 0x09) else 0
    if role & _BRACKET:
        return _MARK_LIST if _number(data, after, end, table) > after else 0
    if role & _ORDINAL:
        number = _number(data, after, end, table)
        unit, _ = decode(data, number, end) if number < end else (np.int64(0), 0)
        return _MARK_STATUTE if number > after and _role(unit, table) & _UNIT else 0
    if role & _NUMERAL:
        number = _number(data, start, end, table)
        stop, _ = decode(data, number, end) if number < end else (np.int64(0), 0)
        return _MARK_LIST if _role(stop, table) & _NUMBER_END else 0
    if code == 0x2014 and after < end and decode(data, after, end)[0] == 0x2014:  # ——, dialogue
        return _MARK_QUOTE
    if code in (0x60, 0x7E):
        return _MARK_FENCE if end - start >= 3 and data[start + 1] == code and data[start + 2] == code else 0
    if code in (0x41, 0x43, 0x53, 0x61, 0x63, 0x73, 0xA7):  # A C S a c s §
        for word in _ARTICLE:
            if _begins_with(data, start, end, word):
                byte = data[start + len(word)]
                return _MARK_STATUTE if 0x30 <= byte <= 0x39 or byte in (0x20, 0x49, 0x56, 0x58) else 0
    return 0


@kernel
def _begins_with(data, start, end, word):  # type: ignore[no-untyped-def]
    """Whether a stretch begins with a word, in any case, and goes on."""
    if end - start <= len(word):
        return False
    for offset in range(len(word)):
        byte = data[start + offset]
        if (byte | 0x20 if 0x41 <= byte <= 0x5A else byte) != word[offset]:
            return False
    return True


@kernel
def _number(data, at, end, table):  # type: ignore[no-untyped-def]
    """Behind the numeral of at most six characters that begins at `at`; `at` itself if there is none."""
    for _ in range(6):
        if at >= end:
            break
        code, width = decode(data, at, end)
        if not _role(code, table) & _NUMERAL:
            break
        at += width
    return at

r"""The profile of a text: every count that heuristics, language identification and the ledger share, in one pass over the bytes.

Units. A *word* is a Han character, a kana character, or a run of other letters and digits, which may be joined by single inner
apostrophes or hyphens (`don't`, `well-known`). So one unit serves both languages without a word segmenter on the hot path: an
English text of 500 words and a Chinese text of 500 characters both have `num_words` 500. A *line* ends at `\n` and is stripped of
white space; lines left empty are not counted, they separate *paragraphs*. Counts of characters are counts of code points.

Lines and paragraphs are compared by a 64-bit hash (among 10^6 lines of a document a false repeat has probability 3e-8).
One core of a busy 2-core machine: law 220 MB/s English, 380 Chinese; mixed technical news 220; poems of 250 bytes 270.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer
from stages.text.characters import (
    ASCII_PUNCTUATION,
    DIGIT,
    GOPHER_WORDS,
    HAN,
    HAN_END,
    HAN_FIRST,
    HAN_SIMPLIFIED,
    HAN_STOP_BITS,
    HAN_TRADITIONAL,
    HANGUL,
    JOINERS,
    KANA,
    LATIN,
    LONGEST_ENGLISH_WORD,
    PUNCTUATION,
    SPACE,
    character_classes,
    class_of,
    decode,
    decode_last,
    english_word,
    english_words,
    han_marks,
)
from stages.text.kernel import HIGHS, alphanumeric, count_marks, digits_of, eight_bytes, kernel, last_bytes, leading, three_bytes

SHORT_LINE_BYTES = 30
"""A line of at most so many UTF-8 bytes is short: 30 English letters (FineWeb's bound), 10 Chinese characters."""


class Profile(NamedTuple):
    """Counts of each document, every field int64 of shape (n,). The first fourteen are the character classes, in class order."""

    han: npt.NDArray[np.int64]
    kana: npt.NDArray[np.int64]
    hangul: npt.NDArray[np.int64]
    latin: npt.NDArray[np.int64]
    other_letters: npt.NDArray[np.int64]
    digits: npt.NDArray[np.int64]
    spaces: npt.NDArray[np.int64]
    ascii_punctuation: npt.NDArray[np.int64]
    punctuation: npt.NDArray[np.int64]
    symbols: npt.NDArray[np.int64]
    emoji: npt.NDArray[np.int64]
    private_use: npt.NDArray[np.int64]
    replacements: npt.NDArray[np.int64]
    controls: npt.NDArray[np.int64]
    num_chars: npt.NDArray[np.int64]
    """All characters: the sum of the fields above."""
    num_words: npt.NDArray[np.int64]
    word_chars: npt.NDArray[np.int64]
    """Characters in words, joiners included."""
    words_with_letter: npt.NDArray[np.int64]
    longest_word: npt.NDArray[np.int64]
    """Characters of the longest word."""
    newlines: npt.NDArray[np.int64]
    num_lines: npt.NDArray[np.int64]
    """Lines that are not empty after stripping; the fields below count such lines."""
    line_chars: npt.NDArray[np.int64]
    """Characters in stripped lines."""
    bullet_lines: npt.NDArray[np.int64]
    """Lines that start with • ‣ ▪ ● ○ ■ □ ◆ ◇ ★ ☆ · or another bullet, or with - * + – followed by white space."""
    ellipsis_lines: npt.NDArray[np.int64]
    """Lines that end in … ... 。。。 or in 展开 更多 全文 (also 展開), which cut pages short."""
    terminal_lines: npt.NDArray[np.int64]
    """Lines that end in . ! ? ; … 。 ！ ？ ； or a closing quote or bracket."""
    short_lines: npt.NDArray[np.int64]
    duplicate_lines: npt.NDArray[np.int64]
    """Lines equal to an earlier line of the document (Gopher's count: of n equal lines, n - 1)."""
    duplicate_line_chars: npt.NDArray[np.int64]
    num_paragraphs: npt.NDArray[np.int64]
    duplicate_paragraphs: npt.NDArray[np.int64]
    duplicate_paragraph_chars: npt.NDArray[np.int64]
    """Characters of the stripped lines of repeated paragraphs."""
    gopher_words: npt.NDArray[np.int64]
    """How many different words of `GOPHER_WORDS` occur, in any case."""
    english_words: npt.NDArray[np.int64]
    """Occurrences of `ENGLISH_WORDS`."""
    chinese_stop_characters: npt.NDArray[np.int64]
    """How many different entries of `CHINESE_STOP_CHARACTERS` occur."""
    simplified_only: npt.NDArray[np.int64]
    traditional_only: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.int64]
    """Signs #."""
    ellipses: npt.NDArray[np.int64]
    """Runs of …, of three or more full stops, or of three or more 。; spaces in between do not count."""
    curly_brackets: npt.NDArray[np.int64]


def profile(text: TextBuffer) -> Profile:
    """Count everything. An empty document has all counts 0; invalid bytes count as `replacements`."""
    text = text.read_only()
    counts = np.empty((len(Profile._fields), len(text)), np.int64)
    newlines = int(np.count_nonzero(text.data[text.offsets[0] : text.offsets[-1]] == 10))
    slots = _slots(int(text.lengths().max(initial=0)), newlines)
    scratch = np.zeros((slots, 2), np.uint64), np.empty(len(Profile._fields), np.int64)
    tables = character_classes(), han_marks(), *english_words()
    _profile(text.data, eight_bytes(text.data), text.offsets, newlines, *tables, *scratch, counts)
    return Profile(*counts)


(
    _NUM_CHARS, _NUM_WORDS, _WORD_CHARS, _WORDS_WITH_LETTER, _LONGEST_WORD, _NEWLINES, _NUM_LINES, _LINE_CHARS, _BULLET_LINES,
    _ELLIPSIS_LINES, _TERMINAL_LINES, _SHORT_LINES, _DUPLICATE_LINES, _DUPLICATE_LINE_CHARS, _NUM_PARAGRAPHS, _DUPLICATE_PARAGRAPHS,
    _DUPLICATE_PARAGRAPH_CHARS, _GOPHER_WORDS, _ENGLISH_WORDS, _CHINESE_STOP, _SIMPLIFIED, _TRADITIONAL, _HASHES, _ELLIPSES, _CURLY,
) = range(14, len(Profile._fields))  # fmt: skip

_NUM_GOPHER_WORDS = len(GOPHER_WORDS)
_ASCII_JOINERS = (0x27, 0x2D)
_SIMPLIFIED_BIT, _TRADITIONAL_BIT = HAN_SIMPLIFIED.bit_length() - 1, HAN_TRADITIONAL.bit_length() - 1
_LOWER = np.uint64(0x2020202020202020)
_0, _1, _80, _FF = np.uint64(0), np.uint64(1), np.uint64(0x80), np.uint64(0xFF)
_LINE_STEP = np.uint64(0x9E3779B97F4A7C15)
_PARAGRAPH_STEP = np.uint64(0xD6E8FEB86659FD93)
_29 = np.uint64(29)
_32 = np.uint64(32)


def _points(characters: str) -> tuple[int, ...]:
    return tuple(ord(character) for character in characters)


_DOT, _IDEOGRAPHIC_STOP, _ELLIPSIS = _points(".。…")
_TERMINALS = _points(".!?;…。！？；｡．\"')”’」』）》〉】]")
_BULLETS = _points("•‣▪●○■□◆◇★☆·◦⁃➢✓※▲△►▶・∙")
_DASH_BULLETS = _points("-*+–")
_CUTS = tuple(_points(word) for word in ("展开", "展開", "更多", "全文"))
_CUT_ENDS = tuple({second for _, second in _CUTS})


@kernel
def _slots(num_bytes, newlines):  # type: ignore[no-untyped-def]
    """A power of two, at least twice as many as there can be lines and paragraphs: `a` and two line ends make one of each."""
    slots = 16
    while slots < min(4 * (newlines + 1), 4 * num_bytes // 3 + 8):
        slots *= 2
    return slots


@kernel
def _profile(data, chunks, offsets, newlines, classes, han_marks, words, word_numbers, seen, c, counts):  # type: ignore[no-untyped-def]
    """`seen`: a hash table of lines and paragraphs, each with the number of its document from 1, so that it is never cleared."""
    for document in range(len(offsets) - 1):
        c[:] = 0
        start, end, number = offsets[document], offsets[document + 1], np.uint64(document + 1)
        own = seen[: _slots(end - start, newlines)]
        _count_document(data, chunks, start, end, classes, han_marks, words, word_numbers, own, number, c)
        for field in range(len(c)):
            counts[field, document] = c[field]


@kernel
def _count_document(data, chunks, start, end, classes, han_marks, words, word_numbers, seen, document, c):  # type: ignore[no-untyped-def]
    """Most text in three steps that read eight bytes at once: runs of Han characters, words that are all ASCII, single signs and spaces.

    Other characters, line ends, and words that a joiner or a letter beyond ASCII may continue, go by the last step, one by one.
    """
    chars, han, latin, digits, spaces, ascii_signs, signs = 0, 0, 0, 0, 0, 0, 0
    num_words, word_chars, lettered, longest, english = 0, 0, 0, 0, 0
    gopher_seen, chinese_seen, simplified, traditional = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    newlines, hashes, ellipses, brackets = 0, 0, 0, 0
    open_chars, open_letters, open_packed = 0, 0, np.uint64(0)  # of a word under way; 0 characters: none
    joiner = 0  # 1: the last character may join two halves of a word
    in_line, is_valid = False, True  # after the first character of a line that is not white space; all of it is UTF-8
    line_from, line_to, chars_from, chars_to = start, start, 0, 0  # the line stripped: its place, and the characters before either end
    stop, num_stops, stops_to = np.int64(0), 0, 0  # the last of . 。 … in the line, how many in a row, visible characters up to there
    paragraph_hash, paragraph_chars = np.uint64(0), 0
    at = start
    while at < end or open_chars > 0:
        width = 1
        if open_chars == 0:
            chunk = chunks[at] if at + 8 <= end else last_bytes(data, at, end)
            code = three_bytes(chunk)
            if HAN_FIRST <= code < HAN_END:
                if not in_line:
                    in_line, line_from, chars_from = True, at, chars
                run_from = at
                while HAN_FIRST <= code < HAN_END:
                    mark = np.int64(han_marks[code - HAN_FIRST])
                    chinese_seen |= 1 << (mark & HAN_STOP_BITS)
                    simplified += mark >> _SIMPLIFIED_BIT & 1
                    traditional += mark >> _TRADITIONAL_BIT & 1
                    at += 3
                    code = three_bytes(chunks[at]) if at + 8 <= end else np.int64(-1)
                run = (at - run_from) // 3
                han += run
                chars += run
                line_to, chars_to = at, chars
                continue
            kind = np.int64(-1)
            length = leading(~alphanumeric(chunk) & HIGHS)
            if length > 0:
                behind = at
                word_digits = 0
                first = chunk
                while length == 8:
                    word_digits += count_marks(digits_of(chunk))
                    behind += 8
                    chunk = chunks[behind] if behind + 8 <= end else last_bytes(data, behind, end)
                    length = leading(~alphanumeric(chunk) & HIGHS)
                word_digits += count_marks(digits_of(chunk) & (_1 << np.uint64(8 * length)) - _1)
                behind += length
                following = np.int64(chunk >> np.uint64(8 * length) & _FF)
                if not ((following >= 0x80 or following in _ASCII_JOINERS) and _may_go_on(data, behind, end, classes)):
                    length = behind - at
                    if not in_line:
                        in_line, line_from, chars_from = True, at, chars
                    num_words += 1
                    word_chars += length
                    lettered += word_digits < length
                    longest = max(longest, length)
                    digits += word_digits
                    latin += length - word_digits
                    if length <= LONGEST_ENGLISH_WORD:
                        packed = (first | _LOWER) & (_1 << np.uint64(8 * length)) - _1
                        number = english_word(packed, words, word_numbers)
                        english += number > 0
                        gopher_seen |= np.int64(number <= _NUM_GOPHER_WORDS) << number
                    chars += length
                    line_to, chars_to = behind, chars
                    followed = following == 0x20  # as most are: taken along, a step less
                    spaces += followed
                    chars += followed
                    at = behind + followed
                    continue
            elif chunk & _80 == _0:
                code = np.int64(chunk & _FF)
                kind = np.int64(classes[code])
            elif code >= 0x800:
                kind = np.int64(classes[code])
                width = 3
            if kind == SPACE and code != 10:
                spaces += 1
                chars += 1
                at += width
                continue
            if kind in (ASCII_PUNCTUATION, PUNCTUATION):
                if not in_line:
                    in_line, line_from, chars_from = True, at, chars
                    c[_BULLET_LINES] += _starts_list_item(data, at + width, end, code)
                if code in (_DOT, _IDEOGRAPHIC_STOP, _ELLIPSIS):
                    num_stops = num_stops + 1 if stop == code and stops_to == chars - spaces else 1
                    stop, stops_to = code, chars - spaces + 1
                    ellipses += num_stops == (1 if code == _ELLIPSIS else 3)
                hashes += code == 0x23
                brackets += code in (0x7B, 0x7D)
                ascii_signs += width == 1
                signs += width == 3
                chars += 1
                at += width
                line_to, chars_to = at, chars
                continue
        if at >= end:
            code, width, kind = np.int64(10), 1, np.int64(SPACE)  # as if a line ended here
        else:
            code, width = decode(data, at, end)
            kind = class_of(code, classes)
        if HANGUL <= kind <= DIGIT:
            if joiner > 0:
                open_chars += 1
                joiner = 0
            if open_chars < 8:
                open_packed |= np.uint64(code | 0x20 if code < 0x80 else 1) << np.uint64(8 * open_chars)
            open_chars += 1
            open_letters += kind != DIGIT
        elif open_chars > 0:
            if joiner == 0 and code in JOINERS:
                joiner = 1
            else:
                num_words += 1
                word_chars += open_chars
                lettered += open_letters > 0
                longest = max(longest, open_chars)
                if open_chars <= LONGEST_ENGLISH_WORD:
                    number = english_word(open_packed, words, word_numbers)
                    english += number > 0
                    gopher_seen |= np.int64(number <= _NUM_GOPHER_WORDS) << number
                open_chars, open_letters, open_packed = 0, 0, np.uint64(0)
                joiner = 0
        if at >= end:
            break
        if code == 10:
            newlines += 1
            if in_line:
                dots = num_stops if stop > 0 and stops_to == chars - spaces else 0
                key = _end_line(data, chunks, line_from, line_to, end, is_valid, chars_to - chars_from, dots, classes, seen, document, c)
                paragraph_hash = paragraph_hash * _PARAGRAPH_STEP + key
                paragraph_chars += chars_to - chars_from
            else:
                _end_paragraph(paragraph_hash, paragraph_chars, seen, document, c)
                paragraph_hash, paragraph_chars = np.uint64(0), 0
            in_line, is_valid, stop = False, True, np.int64(0)
        at += width
        chars += 1
        if kind == SPACE:
            spaces += 1
            continue
        c[kind] += 1
        if not in_line:
            in_line, line_from, chars_from = True, at - width, chars - 1
            c[_BULLET_LINES] += _starts_list_item(data, at, end, code)
        line_to, chars_to = at, chars
        is_valid &= code >= 0
        if kind <= KANA:
            num_words += 1
            word_chars += 1
            lettered += 1
            if HAN_FIRST <= code < HAN_END:
                mark = np.int64(han_marks[code - HAN_FIRST])
                chinese_seen |= 1 << (mark & HAN_STOP_BITS)
                simplified += (mark & HAN_SIMPLIFIED) > 0
                traditional += (mark & HAN_TRADITIONAL) > 0
        elif code in (_DOT, _IDEOGRAPHIC_STOP, _ELLIPSIS):
            num_stops = num_stops + 1 if stop == code and stops_to == chars - spaces - 1 else 1
            stop, stops_to = code, chars - spaces
            ellipses += num_stops == (1 if code == _ELLIPSIS else 3)
        else:
            hashes += code == 0x23
            brackets += code in (0x7B, 0x7D)
    if in_line:
        dots = num_stops if stop > 0 and stops_to == chars - spaces else 0
        key = _end_line(data, chunks, line_from, line_to, end, is_valid, chars_to - chars_from, dots, classes, seen, document, c)
        paragraph_hash = paragraph_hash * _PARAGRAPH_STEP + key
        paragraph_chars += chars_to - chars_from
    _end_paragraph(paragraph_hash, paragraph_chars, seen, document, c)
    c[HAN] += han
    c[LATIN] += latin
    c[DIGIT] += digits
    c[SPACE] += spaces
    c[ASCII_PUNCTUATION] += ascii_signs
    c[PUNCTUATION] += signs
    c[_NUM_CHARS] = chars
    c[_NUM_WORDS] = num_words + han
    c[_WORD_CHARS] = word_chars + han
    c[_WORDS_WITH_LETTER] = lettered + han
    c[_LONGEST_WORD] = max(longest, np.int64(c[HAN] + c[KANA] > 0))
    c[_NEWLINES] = newlines
    c[_ENGLISH_WORDS] = english
    c[_SIMPLIFIED] = simplified
    c[_TRADITIONAL] = traditional
    c[_HASHES] = hashes
    c[_ELLIPSES] = ellipses
    c[_CURLY] = brackets
    for bit in range(1, 32):
        c[_GOPHER_WORDS] += gopher_seen >> bit & 1
        c[_CHINESE_STOP] += chinese_seen >> bit & 1


@kernel
def _may_go_on(data, at, end, classes):  # type: ignore[no-untyped-def]
    """Whether a word may go on with the character at `at`, which is no ASCII letter or digit."""
    code, _ = decode(data, at, end)
    return code in JOINERS or HANGUL <= class_of(code, classes) <= DIGIT


@kernel
def _end_line(data, chunks, line_from, line_to, end, is_valid, chars, dots, classes, seen, document, c):  # type: ignore[no-untyped-def]
    """Count a line that stands at `data[line_from:line_to]`, stripped. `dots`: equal stops at its end. Returns its hash."""
    c[_NUM_LINES] += 1
    c[_LINE_CHARS] += chars
    c[_SHORT_LINES] += line_to - line_from <= SHORT_LINE_BYTES
    last, width = decode_last(data, line_from, line_to)
    for terminal in _TERMINALS:
        if last == terminal:
            c[_TERMINAL_LINES] += 1
            break
    cut = last == _ELLIPSIS or dots >= 3
    if last in _CUT_ENDS:
        before, at = np.int64(0), line_to - width
        while at > line_from:
            before, width = decode_last(data, line_from, at)
            if class_of(before, classes) != SPACE:
                break
            at -= width
        for first, second in _CUTS:
            cut |= before == first and last == second
    c[_ELLIPSIS_LINES] += cut
    key = _hash_line(data, chunks, line_from, line_to, end, is_valid)
    if _seen_before(key, seen, document):
        c[_DUPLICATE_LINES] += 1
        c[_DUPLICATE_LINE_CHARS] += chars
    return key


@kernel
def _hash_line(data, chunks, line_from, line_to, end, is_valid):  # type: ignore[no-untyped-def]
    """Of its bytes; of its characters where some bytes are not UTF-8, since these are all the same character."""
    key = np.uint64(line_to - line_from)
    if is_valid:
        for at in range(line_from, line_to, 8):
            chunk = chunks[at] if at + 8 <= end else last_bytes(data, at, end)
            if at + 8 > line_to:
                chunk &= (_1 << np.uint64(8 * (line_to - at))) - _1
            key = (key ^ chunk) * _LINE_STEP
            key ^= key >> _29
        return key
    key = np.uint64(0)
    at = line_from
    while at < line_to:
        code, width = decode(data, at, line_to)
        key = (key ^ np.uint64(code)) * _LINE_STEP
        key ^= key >> _29
        at += width
    return key


@kernel
def _end_paragraph(key, chars, seen, document, c):  # type: ignore[no-untyped-def]
    if chars == 0:  # several blank lines in a row
        return
    c[_NUM_PARAGRAPHS] += 1
    if _seen_before(~(key * _PARAGRAPH_STEP), seen, document):
        c[_DUPLICATE_PARAGRAPHS] += 1
        c[_DUPLICATE_PARAGRAPH_CHARS] += chars


@kernel
def _seen_before(key, seen, document):  # type: ignore[no-untyped-def]
    mask = len(seen) - 1
    slot = np.int64(key * _LINE_STEP >> _32) & mask
    while seen[slot, 1] == document:
        if seen[slot, 0] == key:
            return True
        slot = slot + 1 & mask
    seen[slot, 0] = key
    seen[slot, 1] = document
    return False


@kernel
def _starts_list_item(data, after, end, code):  # type: ignore[no-untyped-def]
    """Whether a line that starts with `code` is a list item; `after` is the position behind it."""
    for bullet in _BULLETS:
        if code == bullet:
            return True
    for bullet in _DASH_BULLETS:
        if code == bullet:
            return after < end and (data[after] == 0x20 or data[after] == 0x09)
    return False

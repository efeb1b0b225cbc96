"""Tokens of a quality model, written as fastText reads them: separated by spaces and folded, in one pass over the bytes.

- A run of letters and digits is a token, in lower case and folded in width where one character folds to one other. Every digit is written
  as 0, so that a date is a shape and not a year.
- A character of a script written without spaces (Han, kana, hangul) is a token, Han in its simplified form; the model's n-grams make
  words of them.
- A punctuation mark or symbol is a token, a run of the same mark one token: they tell menus and listings from prose.
- White space and format characters only separate. Line ends are no tokens: they tell wrapped books from web pages, not good from bad.
- A sentence that ends in none of `ENDS` is followed by `UNENDED`: entries of menus and lists, headings, stuffed keywords. So a model
  knows menus of sites that it has never seen: Chinese ones took .22 of them for good, .53 before (mean of ten pseudo-tests).
- In a sentence of `REPEAT_TOKENS` or more that stood in its document before, each token is written as `REPEAT`. N-grams of what a
  crawler took 26 times are those of good prose; so they count once, and the loop counts as what it is.
"""

import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.text.buffers import TextBuffer
from stages.text.characters import CONTROL, DIGIT, HAN, HANGUL, KANA, LATIN, LETTER, PRIVATE, SPACE, character_classes, decode
from stages.text.fold import simplified
from stages.text.sentences import Sentences

REPEAT = "␞"
"""U+241E, the picture of a record separator; a text's own are left out."""
REPEAT_TOKENS = 8
"""Shorter sentences may stand in a text twice: in talk, in tables, under pictures."""
UNENDED = "␄"
"""U+2404, the picture of an end of transmission; a text's own are left out. It is no part of a text's length."""
ENDS = frozenset(""".!?。…:;,)"'”’」』""")
"""After folding. Lines of verse and of a wrapped list end in a comma, what leads to a quotation or table in a colon."""

_SEPARATOR, _IGNORED, _LETTER, _ALONE, _MARK, _END = range(6)
_CLASS_OF = dict.fromkeys((HAN, KANA, HANGUL, PRIVATE), _ALONE) | dict.fromkeys((LATIN, LETTER, DIGIT), _LETTER)
_CLASS_OF |= {SPACE: _SEPARATOR, CONTROL: _IGNORED}
_SPACE_BYTE = np.uint8(0x20)
_REPLACEMENT = 0xFFFD
_REPEAT_BYTES, _UNENDED_BYTES = (np.frombuffer(f"{mark} ".encode(), np.uint8) for mark in (REPEAT, UNENDED))
_STEP = np.uint64(0x9E3779B97F4A7C15)
_29, _32 = np.uint64(29), np.uint64(32)

_kernel = njit(cache=True, nogil=True, _nrt=False)  # see `stages.text.sentences`


@lru_cache(maxsize=1)
def quality_classes() -> npt.NDArray[np.int32]:
    """For each code point below 65,536: its class (separator 0, ignored 1, letter 2, alone 3, mark 4, end 5) << 16 | what it folds to."""
    classes = np.zeros(1 << 16, np.int32)
    kinds = character_classes()
    simple = {character: form for character, form in simplified().items() if form < "\U00010000"}
    for code in range(1 << 16):
        folded = _folded(chr(code))
        folded = simple.get(folded, folded)
        classes[code] = _CLASS_OF.get(int(kinds[ord(folded)]), _MARK) << 16 | ord(folded)
        if unicodedata.category(folded) == "Nd":
            classes[code] = _LETTER << 16 | ord("0")
        elif unicodedata.category(folded) == "Cc":
            classes[code] = _SEPARATOR
        elif folded in ENDS:
            classes[code] = _END << 16 | ord(folded)
    classes[[ord(REPEAT), ord(UNENDED)]] = _IGNORED << 16
    return classes


def _folded(character: str) -> str:
    for folded in (unicodedata.normalize("NFKC", character).casefold(), character.casefold()):
        if len(folded) == 1 and folded < "\U00010000":
            return folded
    return character


def spaced(text: TextBuffer, found: Sentences) -> tuple[TextBuffer, npt.NDArray[np.int64]]:
    """The tokens of each sentence, each followed by a space, and how many there are but for `UNENDED`, (m,).

    >>> from stages.text.sentences import sentences
    >>> data = np.frombuffer("Don't！！ 2024年臺灣".encode(), np.uint8)
    >>> text = TextBuffer(data, np.array([0, len(data)]))
    >>> spaced(text, sentences(text))[0].data.tobytes().decode()
    "don ' t ! 0000 年 台 湾 ␄ "
    """
    text = text.read_only()
    num_bytes, num_sentences = int(text.lengths().sum()), len(found.lines)
    out, ends = np.empty(4 * (num_bytes + num_sentences), np.uint8), np.empty(num_bytes + 1, np.int64)
    offsets, counts = np.zeros(num_sentences + 1, np.int64), np.zeros(num_sentences, np.int64)
    _space_all(text.data, found.bounds, found.offsets, quality_classes(), *seen_table(found), out, ends, offsets, counts)
    return TextBuffer(out[: offsets[-1]].copy(), offsets), counts


def seen_table(found: Sentences) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Scratch for `stood_before`: room for twice the sentences of the longest document, and whose each slot is."""
    most = int(np.diff(found.offsets).max(initial=1))
    slots = 1 << (2 * most).bit_length()
    return np.empty(slots, np.uint64), np.full(slots, -1, np.int64)


@_kernel
def _space_all(data, bounds, firsts, classes, seen, owner, out, ends, offsets, counts):  # type: ignore[no-untyped-def]
    at = 0
    for document in range(len(firsts) - 1):
        for sentence in range(firsts[document], firsts[document + 1]):
            begin = at
            at, count, written = write_tokens(data, bounds[sentence], bounds[sentence + 1], classes, out, at, ends)
            if count >= REPEAT_TOKENS and stood_before(out, begin, at, document, seen, owner):
                at = begin
                for _ in range(written):
                    for byte in _REPEAT_BYTES:
                        out[at] = byte
                        at += 1
            offsets[sentence + 1] = at
            counts[sentence] = count


@_kernel
def stood_before(out, begin, end, document, seen, owner):  # type: ignore[no-untyped-def]
    """Whether the tokens `out[begin:end]` stood in this document before; from now on they did."""
    key = np.uint64(end - begin)
    for at in range(begin, end):
        key = (key ^ np.uint64(out[at])) * _STEP
        key ^= key >> _29
    mask = len(seen) - 1
    slot = np.int64(key >> _32) & mask
    while owner[slot] == document:
        if seen[slot] == key:
            return True
        slot = slot + 1 & mask
    owner[slot] = document
    seen[slot] = key
    return False


@_kernel
def write_tokens(data, start, end, classes, out, at, ends):  # type: ignore[no-untyped-def]
    """Write the tokens of `data[start:end]` to `out[at:]`; return where they end, how many there are, and how many with `UNENDED`.

    Token i ends at `ends[i]`, the next one begins one byte later. There are at most `end - start` tokens with twice as many bytes, and
    `UNENDED` with four.
    """
    count = 0
    in_run, has_end = False, False
    place = start
    while place < end:
        byte = data[place]
        width = 1
        if byte < 0x80:
            entry = classes[byte]
            kind = entry >> 16
            if kind == _LETTER:
                out[at] = entry & 0x7F
                at += 1
                in_run, has_end = True, False
                place += 1
                continue
            code = np.int64(entry & 0x7F)
        else:
            code, width = decode(data, place, end)
            if code < 0:
                kind, code = np.int64(_MARK), np.int64(_REPLACEMENT)
            elif code < 0x10000:
                entry = classes[code]
                kind = np.int64(entry >> 16)
                code = np.int64(entry & 0xFFFF)
            else:
                kind = np.int64(_IGNORED if 0xE0000 <= code < 0xF0000 else _ALONE)
        place += width
        if kind == _IGNORED:
            continue
        if kind == _LETTER:
            at = _encode(code, out, at)
            in_run, has_end = True, False
            continue
        if in_run:
            ends[count] = at
            count += 1
            out[at] = _SPACE_BYTE
            at += 1
            in_run = False
        if kind == _SEPARATOR:
            continue
        has_end = kind == _END
        if kind == _MARK or has_end:
            place = _behind_repeats(data, place, end, width)
        at = _encode(code, out, at)
        ends[count] = at
        count += 1
        out[at] = _SPACE_BYTE
        at += 1
    if in_run:
        ends[count] = at
        count += 1
        out[at] = _SPACE_BYTE
        at += 1
    if count == 0 or has_end:
        return at, count, count
    for byte in _UNENDED_BYTES:
        out[at] = byte
        at += 1
    ends[count] = at - 1
    return at, count, count + 1


@_kernel
def _behind_repeats(data, place, end, width):  # type: ignore[no-untyped-def]
    """The place behind all further copies of the character of `width` bytes that ends at `place`."""
    while place + width <= end:
        for offset in range(width):
            if data[place + offset] != data[place + offset - width]:
                return place
        place += width
    return place


@_kernel
def _encode(code, out, at):  # type: ignore[no-untyped-def]
    """Write a code point as UTF-8; return the place behind it."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | code >> 6
        out[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | code >> 12
        out[at + 1] = 0x80 | code >> 6 & 0x3F
        out[at + 2] = 0x80 | code & 0x3F
        return at + 3
    out[at] = 0xF0 | code >> 18
    out[at + 1] = 0x80 | code >> 12 & 0x3F
    out[at + 2] = 0x80 | code >> 6 & 0x3F
    out[at + 3] = 0x80 | code & 0x3F
    return at + 4

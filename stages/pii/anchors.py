"""Anchors: the places of a text where personal data could stand, in one pass over the bytes.

Most bytes are dismissed by a table of 256 entries. What is left is a group of digits (with single separators) long enough for a number,
dotted like an address, or before a colon and the 35 signs of a bot's key; an @, hexadecimal digits between colons, a known beginning of a
key at the begin of a word, and a word such as `password` before a colon or an equals sign. An anchor is only a place to look: on real text
there is one in 2-20 kB.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.text.buffers import TextBuffer

AT, NUMBER, DOTTED, COLONS, KEY, ASSIGNED, BLOCK = range(7)

MIN_DIGITS = 7
"""The shortest number that counts: a local phone number."""

_KEYS = (
    *(b"AKIA", b"ASIA", b"AIza", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"glpat-", b"sk-", b"sk_live_", b"rk_live_"),
    *(b"xoxb-", b"xoxp-", b"xoxa-", b"xoxr-", b"xoxs-", b"hf_", b"npm_", b"eyJ", b"SG.", b"pypi-"),
)
_WORDS = (
    b"api",
    b"secret",
    b"token",
    b"passwd",
    b"password",
    b"access_key",
    b"accesskey",
    "密码".encode(),
    "密钥".encode(),
    "口令".encode(),
    "令牌".encode(),
)
_BLOCK = b"-----BEGIN"
_BOT_KEY = 35

_BORING, _DIGIT, _SIGN_AT, _COLON, _BEGIN, _WIDE, _DASH = range(7)


class Anchors(NamedTuple):
    """Places in the order of the text; `start` and `end` are bytes in the buffer's data."""

    document: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    kind: npt.NDArray[np.uint8]


def anchors(text: TextBuffer) -> Anchors:
    """Find all anchors. Invalid UTF-8 gives some, never a read outside a document."""
    text = text.read_only()
    capacity = 64 + int(text.lengths().sum()) // 256
    while True:
        places = np.empty((3, capacity), np.int64)
        kinds = np.empty(capacity, np.uint8)
        count = _scan(text.data, text.offsets, *_tables(), places, kinds)
        if count <= capacity:
            break
        capacity = count
    return Anchors(places[0, :count], places[1, :count], places[2, :count], kinds[:count])


@lru_cache(maxsize=1)
def _tables() -> tuple[
    npt.NDArray[np.uint8], npt.NDArray[np.bool_], npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int64]
]:
    """Class of each byte; the first two bytes of all patterns; patterns as rows by their first byte, their lengths and kinds; where the
    rows of each first byte begin. First bytes such as those of 密 and 令 are frequent in Chinese: asking for two is 1.6x faster.
    """
    rows = [(key[0], key, KEY) for key in _KEYS] + [(_BLOCK[0], _BLOCK, BLOCK)]
    rows += [(first, word, ASSIGNED) for word in _WORDS for first in {word[0], word[:1].upper()[0]}]
    rows.sort()
    matrix = np.zeros((len(rows), max(len(pattern) for _, pattern, _ in rows)), np.uint8)
    classes = np.zeros(256, np.uint8)
    pairs = np.zeros((256, 256), np.bool_)
    for row, (first, pattern, kind) in enumerate(rows):
        matrix[row, : len(pattern)] = np.frombuffer(pattern, np.uint8)
        classes[first] = _BEGIN
        pairs[first, [pattern[1], *(pattern[1:2].upper() if kind == ASSIGNED else b"")]] = True
    classes[ord("0") : ord("9") + 1] = _DIGIT
    classes[ord("@")], classes[ord(":")], classes[ord("-")] = _SIGN_AT, _COLON, _DASH
    classes[0xEF] = _WIDE
    bounds = np.searchsorted([first for first, _, _ in rows], np.arange(257))
    return classes, pairs, matrix, np.array([len(p) for _, p, _ in rows]), np.array([k for _, _, k in rows], np.uint8), bounds


@njit(cache=True, nogil=True, _nrt=False)
def _scan(data, offsets, classes, pairs, patterns, lengths, pattern_kinds, bounds, places, kinds):  # type: ignore[no-untyped-def]
    count = 0
    for document in range(len(offsets) - 1):
        begin, stop = offsets[document], offsets[document + 1]
        at = begin
        while at < stop:
            class_ = classes[data[at]]
            if class_ == _BORING:
                at += 1
                continue
            start, end, kind = at, at, 255
            if class_ == _DIGIT or (class_ == _WIDE and _is_wide_digit(data, at, stop)):
                end, kind = _number(data, at, stop)
                start = _with_sign(data, begin, at)
                digits = _digits_of_bot(data, at, end, stop)
                if digits:
                    start, kind = end - digits, KEY
            elif class_ == _SIGN_AT or (class_ == _WIDE and at + 2 < stop and data[at + 1] == 0xBC and data[at + 2] == 0xA0):
                end, kind = at + 1, AT
            elif class_ == _COLON:
                start, end = _hexadecimal(data, begin, at, stop)
                if end > at:
                    kind = COLONS
            elif class_ == _DASH or (
                at + 1 < stop
                and pairs[data[at], data[at + 1]]
                and (at == begin or data[at] >= 0x80 or _begins_word(data[at - 1], data[at]))
            ):
                end, kind = _pattern(data, at, stop, patterns, lengths, pattern_kinds, bounds)
            if kind != 255:
                if count < len(kinds):
                    places[0, count] = document
                    places[1, count] = start
                    places[2, count] = end
                    kinds[count] = kind
                count += 1
            at = max(end, at + 1)
    return count


@njit(cache=True, nogil=True, _nrt=False)
def _is_word(byte):  # type: ignore[no-untyped-def]
    return 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 95


@njit(cache=True, nogil=True, _nrt=False)
def _begins_word(previous, byte):  # type: ignore[no-untyped-def]
    """Names are cut at underscores and at capitals: client_secret, appSecret."""
    return previous == 95 or not _is_word(previous) or (97 <= previous <= 122 and 65 <= byte <= 90)


@njit(cache=True, nogil=True, _nrt=False)
def _is_wide_digit(data, at, stop):  # type: ignore[no-untyped-def]
    return at + 2 < stop and data[at] == 0xEF and data[at + 1] == 0xBC and 0x90 <= data[at + 2] <= 0x99


@njit(cache=True, nogil=True, _nrt=False)
def _digit_width(data, at, stop):  # type: ignore[no-untyped-def]
    if at < stop and 48 <= data[at] <= 57:
        return 1
    return 3 if _is_wide_digit(data, at, stop) else 0


@njit(cache=True, nogil=True, _nrt=False)
def _number(data, at, stop):  # type: ignore[no-untyped-def]
    """End of a group of digits with single separators, and its kind; an address ends it before a blank."""
    digits = 0
    dots = 0  # since the last separator of another kind
    run = 0
    short_runs = True
    while True:
        width = _digit_width(data, at, stop)
        if width:
            digits += 1
            run += 1
            at += width
            continue
        short_runs = short_runs and run <= 3
        run = 0
        if dots == 3 and short_runs and at < stop and data[at] == 32:
            break
        following = at + 1
        closes = at < stop and data[at] in (40, 41) and following < stop and data[following] == 32  # ") " before the number proper
        if closes or (at < stop and data[at] == 32 and following < stop and data[following] == 40):
            following += 1
        if at < stop and data[at] in (32, 45, 46, 40, 41) and _digit_width(data, following, stop):
            if data[at] == 46:
                dots += 1
            else:
                dots, short_runs = 0, True
            at = following
            continue
        if (
            at + 2 < stop
            and data[at] == 0xEF
            and data[at + 1] == 0xBC
            and data[at + 2] in (0x8D, 0x8E)
            and _digit_width(data, at + 3, stop)
        ):
            if data[at + 2] == 0x8E:  # ．
                dots += 1
            else:  # －
                dots, short_runs = 0, True
            at += 3
            continue
        break
    if dots == 3 and short_runs:
        return at, DOTTED
    return at, NUMBER if digits >= MIN_DIGITS else 255


@njit(cache=True, nogil=True, _nrt=False)
def _digits_of_bot(data, at, end, stop):  # type: ignore[no-untyped-def]
    """How many digits end at `end`, if 8 to 10 do and a colon and `_BOT_KEY` signs follow, as in a Telegram bot's key; else 0."""
    behind = end + 1 + _BOT_KEY
    if behind > stop or data[end] != 58 or (behind < stop and _is_key_sign(data[behind])):
        return 0
    for place in range(end + 1, behind):
        if not _is_key_sign(data[place]):
            return 0
    digits = 0
    while end - digits > at and 48 <= data[end - digits - 1] <= 57:
        digits += 1
    return digits if 8 <= digits <= 10 else 0


@njit(cache=True, nogil=True, _nrt=False)
def _is_key_sign(byte):  # type: ignore[no-untyped-def]
    return _is_word(byte) or byte == 45


@njit(cache=True, nogil=True, _nrt=False)
def _with_sign(data, begin, at):  # type: ignore[no-untyped-def]
    """Before a number, + and an opening bracket belong to it."""
    if at > begin and data[at - 1] in (40, 43):
        at -= 1
    if at > begin and data[at - 1] == 43:
        at -= 1
    return at


@njit(cache=True, nogil=True, _nrt=False)
def _hexadecimal(data, begin, at, stop):  # type: ignore[no-untyped-def]
    """The run of hexadecimal digits, colons and dots around a colon; empty unless two colons touch or there are five."""
    start, end = at, at
    while start > begin and at - start < 5 and _is_hexadecimal(data[start - 1]):
        start -= 1
    colons = 0
    double = False
    while end < stop and end - start < 48 and (_is_hexadecimal(data[end]) or data[end] in (46, 58)):
        if data[end] == 58:
            colons += 1
            double = double or (end > start and data[end - 1] == 58)
        end += 1
    if colons >= 5 or (double and end - start > 4):
        return start, end
    return at, at


@njit(cache=True, nogil=True, _nrt=False)
def _is_hexadecimal(byte):  # type: ignore[no-untyped-def]
    return 48 <= byte <= 57 or 65 <= byte <= 70 or 97 <= byte <= 102


@njit(cache=True, nogil=True, _nrt=False)
def _pattern(data, at, stop, patterns, lengths, kinds, bounds):  # type: ignore[no-untyped-def]
    for row in range(bounds[data[at]], bounds[data[at] + 1]):
        length = lengths[row]
        if at + length > stop:
            continue
        fold = 32 if kinds[row] == ASSIGNED else 0
        same = True
        for i in range(1, length):
            byte = data[at + i]
            if fold and 65 <= byte <= 90:
                byte += 32
            if byte != patterns[row, i]:
                same = False
                break
        if not same:
            continue
        end = at + length
        if kinds[row] != ASSIGNED:
            return end, kinds[row]
        while end < stop and end - at < 40 and (_is_word(data[end]) or data[end] in (32, 34, 39, 45)):
            end += 1
        wide = end + 2 < stop and data[end] == 0xEF and data[end + 1] == 0xBC and data[end + 2] == 0x9A
        if wide or (end < stop and data[end] in (58, 61)):
            return end + (3 if wide else 1), ASSIGNED
    return at, 255

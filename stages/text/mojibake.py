"""Mojibake: bytes that were read with the wrong codec, found by undoing the mistake.

Five signs, tried in this order at each character; the first that fits takes its characters:
- *half*: at least four characters in a row from the upper half of Latin-1 or Windows-1252, two of them letters. So GBK looks
  (ÄãºÃÊÀ½ç), and UTF-8 whose C1 control characters were removed (éå°å·é¡»).
- *Windows*: characters that are the bytes of one UTF-8 sequence in Windows-1252: Ã©, â€™, ä¸–.
- *Mac*: the same in Mac Roman, sequences of three bytes only, since √π and ’é are sound: ‚Äô, ‰∏≠.
- *GBK*: six or more characters whose GBK bytes are UTF-8 sequences, two for each three characters (鍦ㄧ嚎鍦ㄧ嚎); three may be so by
  accident (婵娟。); 锟斤拷, the same of two U+FFFD; or 鈥, GBK's reading of the first two bytes of ’ ” — …, with the character after
  it if that may hold a third byte: 鈥檚.
- *filled*: three or more 烫 or 屯 in a row, memory that was never written.

Sound text has none of these but by accident. Big5 misreadings have no such shape: they show as rare characters. A Han character is
*rare* if it is neither in GB 2312 (6,763) nor in the first level of Big5 (5,401 frequent traditional characters).
One core of a 2-core machine, real text in both languages: 880 MB/s.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer
from stages.text.characters import HAN_END, HAN_FIRST, decode
from stages.text.kernel import kernel

_TABLE_END = 0x10000
_UPPER, _MAC, _LEAD_GBK, _FILL, _RARE = 1, 2, 4, 8, 16  # why a character is looked at
_LEAD_TAIL, _TAIL_LEAD, _TAIL_TAIL, _TAIL = 1, 2, 4, 8  # which halves of UTF-8 the two GBK bytes of a character can be
_E280 = ord("鈥")
_LOST = tuple(map(ord, "锟斤拷"))
MIN_HALF_RUN = 4
MIN_GBK_RUN = 6


class MojibakeCounts(NamedTuple):
    """Characters of each document, int64 of shape (n,)."""

    misread: npt.NDArray[np.int64]
    """In one of the five signs."""
    rare_han: npt.NDArray[np.int64]
    """Rare Han characters of U+4E00..U+9FFF."""


def mojibake_counts(text: TextBuffer) -> MojibakeCounts:
    """Count in every document.

    >>> data = np.frombuffer("the customerâ€™s".encode(), np.uint8)
    >>> mojibake_counts(TextBuffer(data, np.array([0, len(data)]))).misread
    array([3])
    """
    text = text.read_only()
    counts = np.zeros((2, len(text)), np.int64)
    _count(text.data, text.offsets, *_tables(), counts)
    return MojibakeCounts(*counts)


@lru_cache(maxsize=1)
def _tables() -> tuple[npt.NDArray[np.uint8], ...]:
    """Of each code point below U+10000: why it is looked at, its byte in Windows-1252 and in Mac Roman (0: none), its GBK halves."""
    why, windows, mac, gbk = np.zeros((4, _TABLE_END), np.uint8)
    for byte in range(0x80, 0x100):
        windows[ord(_read(bytes([byte]), "cp1252") or chr(byte))] = byte
        mac[ord(_read(bytes([byte]), "mac-roman"))] = byte
    windows[0xA0:0x100] = np.arange(0xA0, 0x100)
    windows[ord("×")] = windows[ord("÷")] = 0  # 2×½ is no sequence
    why[windows > 0] |= _UPPER
    why[(mac >= 0xE2) & (mac <= 0xEF)] |= _MAC
    for code in range(0x80, _TABLE_END):
        pair = b"" if 0xD800 <= code < 0xE000 else chr(code).encode("gbk", "ignore")
        if len(pair) != 2:
            continue
        lead, tail = ([0xE2 <= byte <= 0xEF for byte in pair], [0x80 <= byte < 0xC0 for byte in pair])
        gbk[code] = (lead[0] & tail[1]) * _LEAD_TAIL | (tail[0] & lead[1]) * _TAIL_LEAD | (tail[0] & tail[1]) * _TAIL_TAIL | tail[0] * _TAIL
    why[gbk & _LEAD_TAIL > 0] |= _LEAD_GBK
    why[[ord("烫"), ord("屯")]] |= _FILL
    common = {character for row in range(0xB0, 0xF8) for character in _row(row, "gb2312")}
    common |= {character for row in range(0xA4, 0xC7) for character in _row(row, "big5")}
    why[[code for code in range(HAN_FIRST, HAN_END) if chr(code) not in common]] |= _RARE
    for table in (why, windows, mac, gbk):
        table.flags.writeable = False
    return why, windows, mac, gbk


def _row(lead: int, codec: str) -> str:
    return "".join(_read(bytes([lead, trail]), codec) for trail in range(0x40, 0xFF))


def _read(data: bytes, codec: str) -> str:
    return data.decode(codec, "ignore")


@kernel
def _count(data, offsets, why, windows, mac, gbk, counts):  # type: ignore[no-untyped-def]
    for document in range(len(offsets) - 1):
        end = offsets[document + 1]
        misread = 0
        rare = 0
        at = offsets[document]
        misread_to = at
        while at < end:
            first = np.int64(data[at])
            if first < 0x80:
                at += 1
                while at < end and data[at] < 0x80:
                    at += 1
                continue
            if 0xE3 <= first < 0xED and at + 2 < end and data[at + 1] & data[at + 2] & 0xC0 == 0x80:  # most Chinese: a faster decode
                code, width = (first & 0x0F) << 12 | (np.int64(data[at + 1]) & 0x3F) << 6 | np.int64(data[at + 2]) & 0x3F, 3
                if why[code] == 0:
                    at += 3
                    continue
            else:
                code, width = decode(data, at, end)
            reason = np.int64(why[code]) if 0 <= code < _TABLE_END else 0
            if reason > 0:
                rare += 1 if reason & _RARE else 0
                if reason != _RARE and at >= misread_to:
                    chars, behind = _sign(data, at, end, reason, windows, mac, gbk)
                    if chars > 0:
                        misread += chars
                        misread_to = behind
            at += width
        counts[0, document] = misread
        counts[1, document] = rare


@kernel
def _sign(data, at, end, reason, windows, mac, gbk):  # type: ignore[no-untyped-def]
    """Characters of the sign that starts at `at`, 0 if none does, and the place behind it."""
    if reason & _UPPER:
        chars, behind = _half(data, at, end, windows)
        if chars > 0:
            return chars, behind
        chars, behind = _sequence(data, at, end, windows, 0xC2)
        if chars > 0:
            return chars, behind
    if reason & _MAC:
        chars, behind = _sequence(data, at, end, mac, 0xE2)
        if chars > 0:
            return chars, behind
    code, width = decode(data, at, end)
    if reason & _LEAD_GBK:
        chars, behind = _gbk_run(data, at, end, gbk)
        if chars >= MIN_GBK_RUN or (chars == 3 and _is_lost(data, at, end)):
            return chars, behind
        if code == _E280:
            second, second_width = _next(data, at + width, end)
            return (2, at + width + second_width) if gbk[second] & _TAIL else (1, at + width)
    if reason & _FILL:
        chars = 0
        other, behind = code, at
        while other == code:
            chars += 1
            behind += width
            other, _ = _next(data, behind, end)
        if chars >= 3:
            return chars, behind
    return 0, at


@kernel
def _half(data, at, end, windows):  # type: ignore[no-untyped-def]
    """A run from the upper half, long enough and with letters."""
    chars = 0
    letters = 0
    code, width = _next(data, at, end)
    while windows[code] > 0:
        chars += 1
        letters += code >= 0xC0 and windows[code] >= 0xC0
        at += width
        code, width = _next(data, at, end)
    return (chars, at) if chars >= MIN_HALF_RUN and letters >= 2 else (0, at)


@kernel
def _sequence(data, at, end, table, first):  # type: ignore[no-untyped-def]
    """Characters that are the bytes of one UTF-8 sequence whose first byte is at least `first`."""
    code, width = _next(data, at, end)
    lead = np.int64(table[code])
    if lead < first or lead > 0xF4:
        return 0, at
    needed = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    at += width
    for _ in range(1, needed):
        code, width = _next(data, at, end)
        if table[code] < 0x80 or table[code] >= 0xC0:
            return 0, at
        at += width
    return needed, at


@kernel
def _gbk_run(data, at, end, gbk):  # type: ignore[no-untyped-def]
    """Characters in threes whose six GBK bytes are two UTF-8 sequences of three, and the place behind them."""
    chars = 0
    while True:
        first, first_width = _next(data, at, end)
        second, second_width = _next(data, at + first_width, end)
        third, third_width = _next(data, at + first_width + second_width, end)
        if not (gbk[first] & _LEAD_TAIL and gbk[second] & _TAIL_LEAD and gbk[third] & _TAIL_TAIL):
            return chars, at
        chars += 3
        at += first_width + second_width + third_width


@kernel
def _is_lost(data, at, end):  # type: ignore[no-untyped-def]
    """Whether 锟斤拷 starts at `at`."""
    for wanted in _LOST:
        code, width = _next(data, at, end)
        if code != wanted:
            return False
        at += width
    return True


@kernel
def _next(data, at, end):  # type: ignore[no-untyped-def]
    """The character at `at`, 0 at the end, for invalid bytes and beyond the tables."""
    if at >= end:
        return np.int64(0), 0
    code, width = decode(data, at, end)
    return (code, width) if 0 <= code < _TABLE_END else (np.int64(0), width)

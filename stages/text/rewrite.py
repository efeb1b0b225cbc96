r"""Byte work of normalisation: line ends, control and zero-width characters, white space at line ends, broken UTF-8.

Removed: control characters but tab and newline; zero-width and direction marks (zero-width space, byte order mark, soft hyphen,
word joiner, U+200E..U+206F and the like); code points that Unicode bars from interchange; white space before a line end and at
the end of the text. Leading white space stays: it is the shape of code and verse. Replaced by a newline: `\r\n`, `\r`,
vertical tab, form feed, U+0085, U+2028, U+2029; a byte that is not valid UTF-8: by U+FFFD.

A zero-width joiner stays between two emoji, and both joiners stay behind a letter of a script that spells with them (Arabic, the
Indic scripts, Khmer, Mongolian and their neighbours, U+0590..U+1AFF and U+A800..U+ABFF). Rewriting twice gives the same as once.
One core of a 2-core machine, `Normalize` as a whole: 540 MB/s on clean text, 160 to 430 where a part must be rewritten.
"""

import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.text.buffers import TextBuffer
from stages.text.characters import EMOJI, HAN_END, HAN_FIRST, SPACE, character_classes, decode

CHECK = 0x10
"""Added to an entry of the table: a document with this character is reported in `Rewritten.to_check`."""

_KEEP, _REMOVE, _NEWLINE, _CARRIAGE_RETURN, _JOINER = range(5)
_ACTION = 0x0F
_TABLE_END = 0x20000
_NEEDS_REWRITING, _NEEDS_CHECK, _HAS_BAD_BYTES = 1, 2, 4


class Rewritten(NamedTuple):
    """Clean texts and what it took."""

    text: TextBuffer
    """The very buffer that went in, if nothing changed; else valid UTF-8."""
    changed: npt.NDArray[np.int32]
    """Characters removed or replaced, (n,); `\\r\\n` counts one, a bad byte one."""
    to_check: npt.NDArray[np.bool_]
    """Documents with a character marked `CHECK` or beyond U+1FFFF, (n,)."""


def rewrite(text: TextBuffer, table: npt.NDArray[np.uint8]) -> Rewritten:
    """Clean every document. `table` is `actions()`, perhaps with `CHECK` added to some entries."""
    source = text.read_only()
    flags = np.zeros(len(source), np.uint8)
    _scan(source.data, source.offsets, table, character_classes(), flags)
    changed = np.zeros(len(source), np.int32)
    to_check = flags & _NEEDS_CHECK > 0
    if not (flags & _NEEDS_REWRITING).any():
        return Rewritten(text, changed, to_check)
    lengths = source.lengths()
    out = np.empty(int((lengths * np.where(flags & _HAS_BAD_BYTES, 3, 1)).sum()), np.uint8)
    out_offsets = np.zeros(len(source) + 1, np.int64)
    _rewrite(source.data, source.offsets, flags, table, character_classes(), out, out_offsets, changed)
    if not changed.any():
        return Rewritten(text, changed, to_check)
    return Rewritten(TextBuffer(out[: out_offsets[-1]], out_offsets), changed, to_check)


@lru_cache(maxsize=1)
def actions() -> npt.NDArray[np.uint8]:
    """What happens to each code point below U+20000, (131072,). Copy before changing it."""
    table = np.zeros(_TABLE_END, np.uint8)
    for low, high in _REMOVED:
        table[low : high + 1] = _REMOVE
    table[[ord(character) for character in "\t\n"]] = _KEEP
    table[[ord(character) for character in "\v\f\x85\u2028\u2029"]] = _NEWLINE
    table[ord("\r")] = _CARRIAGE_RETURN
    table[[ord(character) for character in "\u200c\u200d"]] = _JOINER
    table.flags.writeable = False
    return table


_REMOVED = (
    (0x00, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x061C, 0x061C), (0x180E, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0xFDD0, 0xFDEF), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0xFFFE, 0xFFFF), (0x1FFFE, 0x1FFFF),
)  # fmt: skip


@lru_cache(maxsize=2)
def unlike_normal_form(form: str) -> npt.NDArray[np.bool_]:
    """Characters below U+20000 whose presence means that a text may not be in `form` (NFC or NFKC), (131072,).

    Those are the ones that are not in the form by themselves, combining marks, and what may compose with the character before it.
    """
    composing = {chr(code) for start, end in ((0x1161, 0x1176), (0x11A8, 0x11C3)) for code in range(start, end)}  # hangul jamo
    for code in range(_TABLE_END):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            composing.add(chr(int(parts[1], 16)))
    suspect = (
        unicodedata.combining(character) > 0 or character in composing or not unicodedata.is_normalized(form, character)  # type: ignore[arg-type]
        for character in map(chr, range(_TABLE_END))
    )
    return np.fromiter(suspect, np.bool_, _TABLE_END)


@njit(cache=True, nogil=True)
def _scan(data, offsets, table, classes, flags):  # type: ignore[no-untyped-def]
    for document in range(len(offsets) - 1):
        at = offsets[document]
        end = offsets[document + 1]
        flag = 0
        after_space = False
        while at < end:
            code = np.int64(data[at])
            if 0x20 < code < 0x7F:
                after_space = False
                at += 1
                continue
            width = 1
            if code == 10:
                if after_space:
                    flag |= _NEEDS_REWRITING
                after_space = False
                at += 1
                continue
            if code >= 0x80:
                code, width = decode(data, at, end)
                if HAN_FIRST <= code < HAN_END and table[code] == _KEEP:
                    after_space = False
                    at += 3
                    continue
            if code < 0:
                flag |= _NEEDS_REWRITING | _HAS_BAD_BYTES
                after_space = False
            elif code >= _TABLE_END:
                flag |= _NEEDS_CHECK
                after_space = False
            else:
                entry = table[code]
                if entry & _ACTION != _KEEP:
                    flag |= _NEEDS_REWRITING
                if entry & CHECK:
                    flag |= _NEEDS_CHECK
                after_space = classes[code] == SPACE
            at += width
        if after_space:
            flag |= _NEEDS_REWRITING
        flags[document] = flag


@njit(cache=True, nogil=True)
def _rewrite(data, offsets, flags, table, classes, out, out_offsets, changed):  # type: ignore[no-untyped-def]
    position = 0
    for document in range(len(offsets) - 1):
        start = offsets[document]
        end = offsets[document + 1]
        if flags[document] & _NEEDS_REWRITING:
            position, changed[document] = _rewrite_document(data, start, end, table, classes, out, position)
        else:
            out[position : position + end - start] = data[start:end]
            position += end - start
        out_offsets[document + 1] = position


@njit(cache=True, nogil=True)
def _rewrite_document(data, start, end, table, classes, out, position):  # type: ignore[no-untyped-def]
    num_changed = 0
    line_end = position  # behind the last character of the line that is not white space
    pending_spaces = 0
    previous = np.int64(0)  # last character that was kept
    at = start
    while at < end:
        code, width = decode(data, at, end)
        if code < 0:
            out[position], out[position + 1], out[position + 2] = 0xEF, 0xBF, 0xBD
            position += 3
            at += 1
            line_end = position
            pending_spaces = 0
            previous = np.int64(0xFFFD)
            num_changed += 1
            continue
        action = table[code] & _ACTION if code < _TABLE_END else _KEEP
        if action == _CARRIAGE_RETURN:
            action = _REMOVE if at + 1 < end and data[at + 1] == 10 else _NEWLINE
        elif action == _JOINER:
            following, _ = decode(data, at + width, end) if at + width < end else (np.int64(-1), 1)
            action = _KEEP if _joins(previous, code, following, classes) else _REMOVE
        if action == _REMOVE:
            num_changed += 1
        elif action == _NEWLINE or code == 10:
            num_changed += pending_spaces + (code != 10)
            out[line_end] = 10
            position = line_end + 1
            line_end = position
            pending_spaces = 0
            previous = np.int64(10)
        else:
            for byte in range(width):
                out[position + byte] = data[at + byte]
            position += width
            previous = code
            if code < _TABLE_END and classes[code] == SPACE:
                pending_spaces += 1
            else:
                pending_spaces = 0
                line_end = position
        at += width
    return line_end, num_changed + pending_spaces


@njit(cache=True, nogil=True)
def _joins(previous, joiner, following, classes):  # type: ignore[no-untyped-def]
    if 0x590 <= previous < 0x1B00 or 0xA800 <= previous < 0xAC00:
        return True
    between_emoji = previous == 0xFE0F or (previous < _TABLE_END and classes[previous] == EMOJI)
    return joiner == 0x200D and between_emoji and 0 <= following < _TABLE_END and classes[following] == EMOJI

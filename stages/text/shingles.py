"""Shingles: hashes of `size` consecutive tokens, the sets over which two documents are called similar.

A run of letters and digits is one token; a character of a script written without spaces (Han, kana, hangul, Thai, Lao, Khmer,
Burmese, Tibetan) is one token; everything else only separates. So one `size` serves both languages, words in English and
characters in Chinese (SCIENCE.md §4), and a Chinese clause is never taken for one word. Characters are folded (case, width)
where one character folds to one other; folding that changes their number (ligatures, ß) is left to `normalize`.

A document of fewer than `size` tokens has no shingle. It is compared by exact match alone: hashing all short texts alike once
made peers collapse them into one.

Hashes are 64 bits: among 10^9 distinct shingles a given one collides with probability 5e-11. Tokens are hashed as they are read,
shingles by a rolling polynomial, so the cost does not grow with `size`. One core, real documents (`benchmarks/dedup_kernels.py`):
260-380 MB/s en, 600-690 zh; as sorted sets 150-230 en, 190-310 zh.
"""

import unicodedata
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.text.buffers import TextBuffer, read_only

_SEPARATOR, _IGNORED, _LETTER, _ALONE = 0, 1, 2, 3

_LETTER_ENTRY = _LETTER << 16

_UNSPACED = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1100, 0x11FF),  # hangul jamo
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # Han radicals
    (0x3005, 0x3007),  # 々〆〇
    (0x3040, 0x318F),  # kana, bopomofo, hangul jamo
    (0x31A0, 0x31FF),  # bopomofo, strokes, kana
    (0x3400, 0x4DBF),  # Han extension A
    (0x4E00, 0x9FFF),  # Han
    (0xA960, 0xA97F),  # hangul jamo
    (0xAC00, 0xD7FF),  # hangul
    (0xF900, 0xFAFF),  # Han compatibility
)

_BASE = np.uint64(0xD6E8FEB86659FD93)  # ≡ 3 mod 4, so that swapping two tokens loses at most a few low bits before the final mix
_LETTER_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)  # of MurmurHash3's 64-bit finalizer
_32 = np.uint64(32)


def shingle_hashes(text: TextBuffer, size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Shingles of each document in their order, with repeats: document i has `hashes[offsets[i]:offsets[i + 1]]`.

    `offsets` is (n + 1,). A document of t tokens has max(0, t - size + 1) shingles. `size` is at least 1.

    >>> data = np.frombuffer("New law 2020 law 新法".encode(), np.uint8)
    >>> offsets, hashes = shingle_hashes(TextBuffer(data, np.array([0, len(data)])), size=2)
    >>> len(hashes)  # new law, law 2020, 2020 law, law 新, 新法
    5
    """
    most = int(((text.lengths() + 1) // 2).sum())
    offsets = np.empty(len(text) + 1, np.int64)
    hashes = np.empty(most, np.uint64)
    _hash_all(read_only(text.data), read_only(text.offsets), size, token_classes(), offsets, hashes)
    return offsets, hashes[: offsets[-1]]


def shingle_sets(text: TextBuffer, size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """As `shingle_hashes`, but each document's hashes sorted and unique: the form that `stages.dedup.verify` compares."""
    offsets, hashes = shingle_hashes(text, size)
    for start, end in pairwise(offsets.tolist()):
        hashes[start:end].sort()
    _drop_repeats(offsets, hashes)
    return offsets, hashes[: offsets[-1]].copy()


@lru_cache(maxsize=1)
def token_classes() -> npt.NDArray[np.int32]:
    """For each code point below 65,536: its class (separator 0, ignored 1, letter 2, alone 3) << 16 | the folded character."""
    classes = np.zeros(1 << 16, np.int32)
    for code in range(1 << 16):
        folded = _folded(chr(code))
        classes[code] = _class(folded) << 16 | ord(folded)
    return classes


def _folded(character: str) -> str:
    for form in (unicodedata.normalize("NFKC", character), character):
        for folded in (form.casefold(), form):
            if len(folded) == 1 and folded < "\U00010000":
                return folded
    return character


def _class(character: str) -> int:
    category = unicodedata.category(character)
    if category == "Cf" or "\ufe00" <= character <= "\ufe0f":  # joiners, soft hyphens, variation selectors
        return _IGNORED
    if category == "Co":  # private use: mostly rare Han characters in old fonts
        return _ALONE
    if category[0] not in "LMN":
        return _SEPARATOR
    return _ALONE if any(low <= ord(character) <= high for low, high in _UNSPACED) else _LETTER


@njit(cache=True, nogil=True)
def _hash_all(data, offsets, size, classes, out_offsets, out):  # type: ignore[no-untyped-def]
    recent = np.empty(size, np.uint64)
    position = 0
    out_offsets[0] = 0
    for document in range(len(offsets) - 1):
        position = hash_document(data, offsets[document], offsets[document + 1], size, classes, recent, out, position)
        out_offsets[document + 1] = position


@njit(cache=True, nogil=True)
def hash_document(data, start, end, size, classes, recent, out, position):  # type: ignore[no-untyped-def]
    """Write the shingles of `data[start:end]` to `out[position:]`; return where they end. `recent` is scratch of length `size`.

    There are at most (end - start + 1) // 2 of them. Invalid UTF-8 gives some shingles, never a read outside `start:end`.
    """
    outgoing = np.uint64(1)  # what the token that leaves the window was multiplied with
    for _ in range(size):
        outgoing *= _BASE
    for slot in range(size):
        recent[slot] = np.uint64(0)
    rolling = np.uint64(0)
    run = _LETTER_STEP
    in_run = False
    num_tokens = 0
    slot = 0
    at = start
    while at < end or in_run:
        kind = _SEPARATOR
        width = 1
        if at < end:
            code = np.int64(data[at])
            if code < 0x80:
                entry = classes[code]
                kind = entry >> 16
                code = np.int64(entry & 0xFFFF)
            elif 0xE0 <= code < 0xF0 and at + 2 < end:
                code = (code & 0x0F) << 12 | (np.int64(data[at + 1]) & 0x3F) << 6 | (np.int64(data[at + 2]) & 0x3F)
                width = 3
                if 0x4E00 <= code < 0xA000:
                    kind = _ALONE
                else:
                    entry = classes[code]
                    kind = entry >> 16
                    code = np.int64(entry & 0xFFFF)
            elif 0xC0 <= code < 0xE0 and at + 1 < end:
                entry = classes[(code & 0x1F) << 6 | (np.int64(data[at + 1]) & 0x3F)]
                kind = entry >> 16
                code = np.int64(entry & 0xFFFF)
                width = 2
            elif 0xF0 <= code < 0xF8 and at + 3 < end:
                code = (code & 0x07) << 18 | (np.int64(data[at + 1]) & 0x3F) << 12
                code |= (np.int64(data[at + 2]) & 0x3F) << 6 | (np.int64(data[at + 3]) & 0x3F)
                kind = _class_beyond(code)
                width = 4
        if kind == _LETTER:
            run = (run ^ np.uint64(code)) * _LETTER_STEP
            in_run = True
            at += width
            # not needed for the result: English is 6 % faster with this loop
            while at < end and data[at] < 0x80 and classes[data[at]] >= _LETTER_ENTRY:
                run = (run ^ np.uint64(classes[data[at]] & 0xFFFF)) * _LETTER_STEP
                at += 1
            continue
        if in_run and kind != _IGNORED:
            token = _mixed(run)  # and look at the character that ended the run once more
            run = _LETTER_STEP
            in_run = False
        elif kind == _ALONE:
            token = _mixed(np.uint64(code) * _LETTER_STEP)
            at += width
        else:
            at += width
            continue
        rolling = rolling * _BASE + token - recent[slot] * outgoing
        recent[slot] = token
        slot = slot + 1 if slot + 1 < size else 0
        num_tokens += 1
        if num_tokens >= size:
            out[position] = _mixed(rolling)
            position += 1
    return position


@njit(cache=True, nogil=True)
def _class_beyond(code):  # type: ignore[no-untyped-def]
    """The class of a character from U+10000 on."""
    if 0x20000 <= code < 0x40000 or code >= 0xF0000:  # Han extensions; private use
        return _ALONE
    if code >= 0xE0000:  # tags and variation selectors
        return _IGNORED
    return _SEPARATOR if 0x1F000 <= code < 0x1FB00 else _LETTER  # emoji and other pictures separate


@njit(cache=True, nogil=True)
def _mixed(value):  # type: ignore[no-untyped-def]
    value ^= value >> _32
    value *= _MIX
    return value ^ (value >> _32)


@njit(cache=True, nogil=True)
def _drop_repeats(offsets, hashes):  # type: ignore[no-untyped-def]
    """Compact the sorted runs in place: `hashes` and `offsets` hold only distinct values afterwards."""
    position = 0
    start = offsets[0]
    for document in range(len(offsets) - 1):
        end = offsets[document + 1]
        first = position
        for at in range(start, end):
            if position == first or hashes[at] != hashes[position - 1]:
                hashes[position] = hashes[at]
                position += 1
        start = end
        offsets[document + 1] = position

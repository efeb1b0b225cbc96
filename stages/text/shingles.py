"""Shingles: hashes of `size` consecutive tokens, the sets over which two documents are called similar.

A run of letters and digits is one token; a character of a script written without spaces (Han, kana, hangul, Thai, Lao, Khmer,
Burmese, Tibetan) is one token; everything else only separates. So one `size` serves both languages, words in English and
characters in Chinese (SCIENCE.md §4), and a Chinese clause is never taken for one word. Texts are read in the view of
`stages.text.fold`: compatibility forms, case and traditional Han do not count. A Chinese text and its conversion to traditional
characters have a similarity of .997 on average; without the view it was .127 (`docs/dedup_kernels.md`).

A document of fewer than `size` tokens has no shingle. It is compared by exact match alone: hashing all short texts alike once
made peers collapse them into one.

Hashes are 64 bits: among 10^9 distinct shingles a given one collides with probability 5e-11. A first pass writes a hash for each
token, a second turns them into shingles by a rolling polynomial, so the cost does not grow with `size`. One core, real documents
(`benchmarks/dedup_kernels.py`): 290-370 MB/s en, 610-740 zh; as sorted sets 190-250 en, 230-310 zh.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.text.buffers import TextBuffer
from stages.text.fold import ALONE, CLASS_SHIFT, CODE, EXPANDED, IGNORED, LETTER, SEPARATOR, entry_at, three_byte_code, token_classes

_kernel = njit(cache=True, nogil=True, _nrt=False)  # see `stages.text.sentences`
_LETTER_ENTRY = LETTER << CLASS_SHIFT
_BASE = np.uint64(0xD6E8FEB86659FD93)  # ≡ 3 mod 4, so that swapping two tokens loses at most a few low bits before the final mix
_LETTER_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)  # of MurmurHash3's 64-bit finalizer
_1, _2, _3, _32 = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(32)
_SHORT = 32
"""Up to so many hashes are sorted by insertion: to call NumPy for each of millions of sentences takes 1.2-1.6 times as long."""


def shingle_hashes(text: TextBuffer, size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Shingles of each document in their order, with repeats: document i has `hashes[offsets[i]:offsets[i + 1]]`.

    `offsets` is (n + 1,). A document of t tokens has max(0, t - size + 1) shingles. `size` is at least 1.

    >>> data = np.frombuffer("New law 2020 law 新法".encode(), np.uint8)
    >>> offsets, hashes = shingle_hashes(TextBuffer(data, np.array([0, len(data)])), size=2)
    >>> len(hashes)  # new law, law 2020, 2020 law, law 新, 新法
    5
    """
    text = text.read_only()
    lengths = text.lengths()
    usual = int(((lengths + 1) // 2).sum())  # a token and what separates it, or a character of three bytes; exceeded by expansions
    hashes = np.empty(usual + most_shingles(int(lengths.max(initial=0))), np.uint64)
    offsets = np.zeros(len(text) + 1, np.int64)
    done = 0
    while (done := _hash_all(text.data, text.offsets, size, token_classes(), done, offsets, hashes)) < len(text):
        hashes = np.concatenate([hashes[: offsets[done]], np.empty(len(hashes), np.uint64)])
    return offsets, hashes[: offsets[-1]]


def shingle_sets(text: TextBuffer, size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """As `shingle_hashes`, but each document's hashes sorted and unique: the form that `stages.dedup.verify` compares."""
    offsets, hashes = shingle_hashes(text, size)
    _sort_short(offsets, hashes)
    for document in np.flatnonzero(np.diff(offsets) > _SHORT).tolist():
        hashes[offsets[document] : offsets[document + 1]].sort()
    _drop_repeats(offsets, hashes)
    return offsets, hashes[: offsets[-1]].copy()


@_kernel
def most_shingles(num_bytes):  # type: ignore[no-untyped-def]
    """Room that a text of so many bytes needs in `hash_document`: the three bytes of ㌖ are folded to the six tokens キロメートル."""
    return 2 * num_bytes


@_kernel
def _hash_all(data, offsets, size, classes, first, out_offsets, out):  # type: ignore[no-untyped-def]
    """Hash documents from `first` on while `out` certainly has room for the next; returns how many are done."""
    position = out_offsets[first]
    for document in range(first, len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        if position + most_shingles(end - start) > len(out):
            return document
        position = hash_document(data, start, end, size, classes, out, position)
        out_offsets[document + 1] = position
    return len(offsets) - 1


@_kernel
def hash_document(data, start, end, size, classes, out, position):  # type: ignore[no-untyped-def]
    """Write the shingles of `data[start:end]` to `out[position:]`; return where they end.

    `out` has room for `most_shingles(end - start)`. Invalid UTF-8 gives some shingles, never a read outside `start:end`.
    """
    tokens_end = _hash_tokens(data, start, end, classes, out, position)
    if tokens_end - position < size:
        return position
    outgoing = np.uint64(1)  # what the token that leaves the window was multiplied with
    rolling = np.uint64(0)
    for at in range(position, position + size):
        outgoing *= _BASE
        rolling = rolling * _BASE + out[at]
    for at in range(position + size, tokens_end):
        first = out[position]
        out[position] = _mixed(rolling)
        position += 1
        rolling = rolling * _BASE + (out[at] - first * outgoing)
    out[position] = _mixed(rolling)
    return position + 1


@_kernel
def _hash_tokens(data, start, end, classes, out, position):  # type: ignore[no-untyped-def]
    """Write the hash of each token to `out[position:]`; return where they end.

    Places are unsigned, as numba takes a negative one to count from the end and looks at each: that costs 20 %.
    """
    run = _LETTER_STEP
    in_run = False
    at, end = np.uint64(start), np.uint64(end)
    while at < end or in_run:
        entry, width = np.int64(SEPARATOR), _1
        if at < end:
            entry, width = entry_at(data, at, end, classes)
        kind = entry >> CLASS_SHIFT
        if kind == LETTER:
            run = (run ^ np.uint64(entry & CODE)) * _LETTER_STEP
            in_run = True
            at += width
            while at < end and data[at] < 0x80 and classes[data[at]] >= _LETTER_ENTRY:  # not needed: English is 6 % faster with it
                run = (run ^ np.uint64(classes[data[at]] & CODE)) * _LETTER_STEP
                at += _1
        elif kind == EXPANDED:
            run, in_run, position = _hash_expansion(entry & CODE, classes, run, in_run, out, position)
            at += width
        elif in_run and kind != IGNORED:
            out[position] = _mixed(run)  # and look at the character that ended the run once more
            position += 1
            run = _LETTER_STEP
            in_run = False
        else:
            at += width
            if kind == ALONE:
                out[position] = _mixed(np.uint64(entry & CODE) * _LETTER_STEP)
                position += 1
                while at + _2 < end and 0xE0 <= data[at] < 0xF0:  # not needed: Chinese is 60 % faster with it
                    entry = np.int64(classes[three_byte_code(data, at)])
                    kind = entry >> CLASS_SHIFT
                    if kind == ALONE:
                        out[position] = _mixed(np.uint64(entry & CODE) * _LETTER_STEP)
                        position += 1
                    elif kind != SEPARATOR:
                        break
                    at += _3
    return position


@_kernel
def _hash_expansion(begin, classes, run, in_run, out, position):  # type: ignore[no-untyped-def]
    """The characters that one is folded to; `run`, `in_run` and `position` after them."""
    for index in range(begin + 1, begin + 1 + classes[begin]):
        entry = np.int64(classes[index])
        kind = entry >> CLASS_SHIFT
        if kind == LETTER:
            run = (run ^ np.uint64(entry & CODE)) * _LETTER_STEP
            in_run = True
        elif kind != IGNORED:
            if in_run:
                out[position] = _mixed(run)
                position += 1
                run = _LETTER_STEP
                in_run = False
            if kind == ALONE:
                out[position] = _mixed(np.uint64(entry & CODE) * _LETTER_STEP)
                position += 1
    return run, in_run, position


@_kernel
def _mixed(value):  # type: ignore[no-untyped-def]
    value ^= value >> _32
    value *= _MIX
    return value ^ (value >> _32)


@_kernel
def _sort_short(offsets, hashes):  # type: ignore[no-untyped-def]
    for document in range(len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        if end - start > _SHORT:
            continue
        for at in range(start + 1, end):
            value = hashes[at]
            place = at
            while place > start and hashes[place - 1] > value:
                hashes[place] = hashes[place - 1]
                place -= 1
            hashes[place] = value


@_kernel
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

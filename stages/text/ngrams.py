"""How much of a document repeats itself, by n-grams of words: Gopher's repetition signals (Rae et al. 2021, A1.1, table A1).

Words are those of `stages.text.profile`, folded to lower case in ASCII; shares are of the characters in words. For n = 2..4, the
share that the most frequent n-gram covers; for n = 5..10, the share in n-grams that occurred before.

Departures from datatrove 0.10, the usual implementation. Both shares divide by the characters in words, not by all characters with
spaces and punctuation, so that a document of one repeated phrase has share 1 in each language. An n-gram that occurs once is no
repetition (there, a document of two words has a top 2-gram share of 1). Occurrences that overlap are counted once, so `ha ha ha`
holds one `ha ha`. Among equally frequent n-grams the one with most characters counts, not the first. The greedy scan for n = 5..10
is the same: a repeated n-gram counts whole and the scan goes on behind it.

An n-gram can only repeat if both (n-1)-grams in it do. So each length looks only at places where the length before repeated:
natural text is done after n = 4, and only damaged text costs more. Words and 2-grams are compared by 64-bit hashes, longer
n-grams exactly, as pairs of places. Tables are marked by an epoch, never cleared. One core of a 2-core machine: law 130 MB/s
English, 65 Chinese; speeches 140; poems 210; novels of 1 MB of which half is repeated 40.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.text.buffers import TextBuffer
from stages.text.characters import (
    DIGIT,
    HAN,
    HAN_END,
    HAN_FIRST,
    HANGUL,
    JOINERS,
    KANA,
    SPACE,
    character_classes,
    class_of,
    decode,
)

TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)


class NgramShares(NamedTuple):
    """Shares of the characters in words, each in [0, 1]; 0 for a document without words."""

    top: npt.NDArray[np.float32]
    """Covered by the most frequent n-gram, (3, n) for `TOP_SIZES`."""
    duplicate: npt.NDArray[np.float32]
    """In n-grams that occurred before, (6, n) for `DUPLICATE_SIZES`."""


def ngram_shares(text: TextBuffer) -> NgramShares:
    """Repetition of each document.

    >>> data = np.frombuffer(b"to be or not to be", np.uint8)
    >>> ngram_shares(TextBuffer(data, np.array([0, len(data)]))).top[0]  # 'to be' twice: 8 of 13 characters
    array([0.61538464], dtype=float32)
    """
    text = text.read_only()
    shares = np.zeros((len(TOP_SIZES) + len(DUPLICATE_SIZES), len(text)), np.float32)
    _ngram_shares(text.data, text.offsets, character_classes(), shares)
    return NgramShares(shares[: len(TOP_SIZES)], shares[len(TOP_SIZES) :])


_STEP = np.uint64(0x9E3779B97F4A7C15)
_PAIR = np.uint64(0xD6E8FEB86659FD93)
_29 = np.uint64(29)
_32 = np.uint64(32)
_FIRST_DUPLICATE_SIZE = DUPLICATE_SIZES[0]
_LAST_SIZE = DUPLICATE_SIZES[-1]


@njit(cache=True, nogil=True)
def _ngram_shares(data, offsets, classes, shares):  # type: ignore[no-untyped-def]
    longest = 1
    for document in range(len(offsets) - 1):
        longest = max(longest, offsets[document + 1] - offsets[document])
    words = np.empty(longest, np.uint64)
    ends = np.empty(longest + 1, np.int32)  # characters in the words before each place
    ids = np.empty(longest, np.int32)  # first place of the n-gram that starts at each place; -1: it does not repeat
    counts = np.empty(longest, np.int32)  # occurrences without overlap, by first place
    lasts = np.empty(longest, np.int32)  # end of the last counted occurrence, by first place
    slots = 16
    while slots < 2 * longest:
        slots *= 2
    keys = np.empty(slots, np.uint64)
    places = np.empty(slots, np.int32)
    epochs = np.zeros(slots, np.int64)
    epoch = 0
    for document in range(len(offsets) - 1):
        num_words = _hash_words(data, offsets[document], offsets[document + 1], classes, words, ends)
        mask = 16
        while mask < 2 * num_words:
            mask *= 2
        mask -= 1
        for size in range(2, _LAST_SIZE + 1):
            epoch += 1
            if not _link(words, num_words, size, keys, places, epochs, epoch, mask, ids, counts, lasts):
                break
            if size < _FIRST_DUPLICATE_SIZE:
                covered = _top_chars(ids, ends, num_words - size + 1, size, counts)
            else:
                covered = _repeated_chars(ids, ends, num_words - size + 1, size, counts)
            shares[size - 2, document] = covered / ends[num_words]


@njit(cache=True, nogil=True)
def _link(words, num_words, size, keys, places, epochs, epoch, mask, ids, counts, lasts):  # type: ignore[no-untyped-def]
    """Turn the ids of (size-1)-grams into those of `size`-grams, in place, and count these. Says whether any repeats."""
    any_repeat = False
    for place in range(num_words - size + 1):
        if size == 2:
            key = words[place] * _PAIR ^ words[place + 1]
        elif ids[place] >= 0 and ids[place + 1] >= 0:
            key = np.uint64(ids[place]) << _32 | np.uint64(ids[place + 1])
        else:
            ids[place] = -1
            continue
        slot = np.int64((key ^ key >> _29) * _STEP >> _32) & mask
        while epochs[slot] == epoch and keys[slot] != key:
            slot = slot + 1 & mask
        if epochs[slot] != epoch:
            epochs[slot] = epoch
            keys[slot] = key
            places[slot] = place
            ids[place] = place
            counts[place] = 0  # stays 0 for an n-gram that occurs once
            lasts[place] = place + size
        else:
            first = places[slot]
            ids[place] = first
            any_repeat = True
            counts[first] = max(counts[first], 1)
            if place >= lasts[first]:
                counts[first] += 1
                lasts[first] = place + size
    if any_repeat:
        for place in range(num_words - size + 1):
            if ids[place] == place and counts[place] == 0:
                ids[place] = -1
    return any_repeat


@njit(cache=True, nogil=True)
def _top_chars(ids, ends, num_places, size, counts):  # type: ignore[no-untyped-def]
    """Characters that the most frequent n-gram covers, 0 if none occurs twice without overlap."""
    top_count = 2
    top_chars = 0
    for place in range(num_places):
        if ids[place] == place and counts[place] >= top_count:
            chars = counts[place] * (ends[place + size] - ends[place])
            if counts[place] > top_count or chars > top_chars:
                top_count = counts[place]
                top_chars = chars
    return top_chars


@njit(cache=True, nogil=True)
def _repeated_chars(ids, ends, num_places, size, counts):  # type: ignore[no-untyped-def]
    """Characters in n-grams seen before, by the greedy scan. Uses up `counts`."""
    chars = 0
    place = 0
    while place < num_places:
        first = ids[place]
        if first >= 0:
            if counts[first] == 0:  # met before
                chars += ends[place + size] - ends[place]
                place += size
                continue
            counts[first] = 0
        place += 1
    return chars


@njit(cache=True, nogil=True)
def _hash_words(data, start, end, classes, words, ends):  # type: ignore[no-untyped-def]
    """Hashes of the words of `data[start:end]` and the characters before each; returns how many there are."""
    num_words = 0
    total = 0
    chars = 0  # of the word under way; 0: none
    joiner = np.int64(0)
    word = np.uint64(0)
    ends[0] = 0
    at = start
    while at < end or chars > 0:
        width = 1
        if at >= end:
            code = np.int64(0x20)
            kind = np.int64(SPACE)
        elif data[at] < 0x80:
            code = np.int64(data[at])
            kind = np.int64(classes[code])
        else:
            code, width = decode(data, at, end)
            kind = np.int64(HAN) if HAN_FIRST <= code < HAN_END else class_of(code, classes)
        if HANGUL <= kind <= DIGIT:
            if joiner > 0:
                word = (word ^ np.uint64(joiner)) * _STEP
                chars += 1
                joiner = np.int64(0)
            word = (word ^ np.uint64(code | 0x20 if code < 0x80 else code)) * _STEP
            chars += 1
        else:
            if chars > 0 and joiner == 0 and code in JOINERS:
                joiner = code
                at += width
                continue
            if chars > 0:
                words[num_words] = word ^ word >> _32
                num_words += 1
                total += chars
                ends[num_words] = total
                chars = 0
                joiner = np.int64(0)
                word = np.uint64(0)
            if kind <= KANA:
                word = np.uint64(code) * _STEP
                words[num_words] = word ^ word >> _32
                num_words += 1
                total += 1
                ends[num_words] = total
                word = np.uint64(0)
        at += width
    return num_words

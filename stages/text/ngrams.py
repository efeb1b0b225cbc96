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
WINDOW_WORDS = 256
MAX_WINDOWS = 8


class NgramShares(NamedTuple):
    """Shares of the characters in words, each in [0, 1]; 0 for a document without words."""

    top: npt.NDArray[np.float32]
    """Covered by the most frequent n-gram, (3, n) for `TOP_SIZES`."""
    duplicate: npt.NDArray[np.float32]
    """In n-grams that occurred before, (6, n) for `DUPLICATE_SIZES`."""
    distinct: npt.NDArray[np.float32]
    """Different words among `WINDOW_WORDS` in a row, mean over the first `MAX_WINDOWS` such windows, (n,).

    Of a shorter document, among all its words. What is left of a last, shorter window is not counted.
    """


def ngram_shares(text: TextBuffer) -> NgramShares:
    """Repetition of each document.

    >>> data = np.frombuffer(b"to be or not to be", np.uint8)
    >>> ngram_shares(TextBuffer(data, np.array([0, len(data)]))).top[0]  # 'to be' twice: 8 of 13 characters
    array([0.61538464], dtype=float32)
    """
    text = text.read_only()
    shares = np.zeros((len(TOP_SIZES) + len(DUPLICATE_SIZES), len(text)), np.float32)
    distinct = np.zeros(len(text), np.float32)
    _ngram_shares(text.data, text.offsets, character_classes(), shares, distinct)
    return NgramShares(shares[: len(TOP_SIZES)], shares[len(TOP_SIZES) :], distinct)


_STEP = np.uint64(0x9E3779B97F4A7C15)
_PAIR = np.uint64(0xD6E8FEB86659FD93)
_29 = np.uint64(29)
_32 = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_FIRST_DUPLICATE_SIZE = DUPLICATE_SIZES[0]
_LAST_SIZE = DUPLICATE_SIZES[-1]


@njit(cache=True, nogil=True)
def _ngram_shares(data, offsets, classes, shares, distinct):  # type: ignore[no-untyped-def]
    longest = 1
    for document in range(len(offsets) - 1):
        longest = max(longest, offsets[document + 1] - offsets[document])
    words = np.empty(longest, np.uint64)
    ends = np.empty(longest + 1, np.int32)  # characters in the words before each place
    places = np.empty(longest, np.int32)  # where n-grams that repeat start, ascending
    ids = np.empty(longest, np.int32)  # of each of them, the first place where it starts
    counts = np.empty(longest, np.int32)  # occurrences without overlap, by first place
    lasts = np.empty(longest, np.int32)  # end of the last counted occurrence, by first place
    slots = 2 * WINDOW_WORDS
    while slots < 2 * longest:
        slots *= 2
    table = np.zeros((slots, 2), np.uint64)  # a key, and epoch << 32 | its first place: side by side, for one cache miss a look-up
    epoch = 0
    for document in range(len(offsets) - 1):
        num_words = _hash_words(data, offsets[document], offsets[document + 1], classes, words, ends)
        epoch, distinct[document] = _distinct_share(words, num_words, table, epoch)
        mask = 16
        while mask < 2 * num_words:
            mask *= 2
        mask -= 1
        num_places = num_words
        for size in range(2, _LAST_SIZE + 1):
            epoch += 1
            num_places = _link(words, num_places, size, table, epoch, mask, places, ids, counts, lasts)
            if num_places == 0:
                break
            if size < _FIRST_DUPLICATE_SIZE:
                covered = _top_chars(places, ids, num_places, ends, size, counts)
            else:
                covered = _repeated_chars(places, ids, num_places, ends, size, counts)
            shares[size - 2, document] = covered / ends[num_words]


@njit(cache=True, nogil=True)
def _link(words, num_places, size, table, epoch, mask, places, ids, counts, lasts):  # type: ignore[no-untyped-def]
    """Turn the (size-1)-grams that repeat into the `size`-grams that do, in place, and count these. Returns at how many places."""
    linked = 0
    epoch = np.uint64(epoch)
    for index in range(num_places - 1):
        if size == 2:
            place = index
            key = words[place] * _PAIR ^ words[place + 1]
        else:
            place = places[index]
            if places[index + 1] != place + 1:
                continue
            key = np.uint64(ids[index]) << _32 | np.uint64(ids[index + 1])
        slot = np.int64((key ^ key >> _29) * _STEP >> _32) & mask
        while table[slot, 1] >> _32 == epoch and table[slot, 0] != key:
            slot = slot + 1 & mask
        if table[slot, 1] >> _32 != epoch:
            table[slot, 0] = key
            table[slot, 1] = epoch << _32 | np.uint64(place)
            first = np.int64(place)
            counts[place] = 0  # stays 0 for an n-gram that occurs once
            lasts[place] = place + size
        else:
            first = np.int64(table[slot, 1] & _LOW)
            counts[first] = max(counts[first], 1)
            if place >= lasts[first]:
                counts[first] += 1
                lasts[first] = place + size
        places[linked] = place
        ids[linked] = first
        linked += 1
    repeated = 0
    for index in range(linked):
        places[repeated] = places[index]
        ids[repeated] = ids[index]
        repeated += counts[ids[index]] > 0
    return repeated


@njit(cache=True, nogil=True)
def _top_chars(places, ids, num_places, ends, size, counts):  # type: ignore[no-untyped-def]
    """Characters that the most frequent n-gram covers, 0 if none occurs twice without overlap."""
    top_count = 2
    top_chars = 0
    for index in range(num_places):
        place = places[index]
        if ids[index] == place and counts[place] >= top_count:
            chars = counts[place] * (ends[place + size] - ends[place])
            if counts[place] > top_count or chars > top_chars:
                top_count = counts[place]
                top_chars = chars
    return top_chars


@njit(cache=True, nogil=True)
def _repeated_chars(places, ids, num_places, ends, size, counts):  # type: ignore[no-untyped-def]
    """Characters in n-grams seen before, by the greedy scan. Uses up `counts`."""
    chars = 0
    scanned_to = 0
    for index in range(num_places):
        place = places[index]
        if place < scanned_to:
            continue
        if counts[ids[index]] == 0:  # met before
            chars += ends[place + size] - ends[place]
            scanned_to = place + size
        else:
            counts[ids[index]] = 0
    return chars


@njit(cache=True, nogil=True)
def _distinct_share(words, num_words, table, epoch):  # type: ignore[no-untyped-def]
    """The last epoch used, and the share of different words in windows; see `NgramShares.distinct`."""
    window = max(min(num_words, WINDOW_WORDS), 1)
    num_windows = min(num_words // window, MAX_WINDOWS)
    mask = 2 * WINDOW_WORDS - 1
    distinct = 0
    for number in range(num_windows):
        epoch += 1
        for place in range(number * window, (number + 1) * window):
            slot = np.int64(words[place] >> _32) & mask
            while table[slot, 1] == epoch and table[slot, 0] != words[place]:
                slot = slot + 1 & mask
            if table[slot, 1] != epoch:
                table[slot, 0] = words[place]
                table[slot, 1] = epoch
                distinct += 1
    return epoch, distinct / max(num_windows * window, 1)


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

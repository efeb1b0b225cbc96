"""How much of a document repeats itself, by n-grams of words: Gopher's repetition signals (Rae et al. 2021, A1.1, table A1).

Words are those of `stages.text.profile`, folded to lower case in ASCII; shares are of the characters in words. For n = 2..4, the
share that the most frequent n-gram covers; for n = 5..10, the share in n-grams that occurred before.

Departures from datatrove 0.10, the usual implementation. Both shares divide by the characters in words, not by all characters with
spaces and punctuation, so that a document of one repeated phrase has share 1 in each language. An n-gram that occurs once is no
repetition (there, a document of two words has a top 2-gram share of 1). Occurrences that overlap are counted once, so `ha ha ha`
holds one `ha ha`. Among equally frequent n-grams the one with most characters counts, not the first. The greedy scan for n = 5..10
is the same: a repeated n-gram counts whole and the scan goes on behind it.

An n-gram can only repeat if both (n-1)-grams in it do. So each length looks only at places where the length before repeated:
natural text is done after n = 4, and only damaged text costs more. Words and 2-grams are compared by 64-bit hashes, longer n-grams
by the word that they add to the first of their kind, or else exactly, as pairs of places. Tables are marked by an epoch, never
cleared. One core of a 2-core machine: English 190 to 215 MB/s; law 100 Chinese; news 165; poems 220; novels of 1 MB of which half
is repeated 95.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer
from stages.text.characters import (
    DIGIT,
    HAN_END,
    HAN_FIRST,
    HANGUL,
    JOINERS,
    KANA,
    character_classes,
    class_of,
    decode,
)
from stages.text.kernel import HIGHS, alphanumeric, eight_bytes, kernel, last_bytes, leading, three_bytes

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
    most = (int(text.lengths().max(initial=0)) + 1) // 2 + 1  # a word has a byte at least, and one of white space behind it
    slots = _slots(most)
    words, keys, ends = np.empty(most, np.uint64), np.empty(most, np.uint64), np.empty(most + 1, np.int32)
    rows, places, ids, tallies = *np.empty((3, most), np.uint32), np.empty((most, 2), np.int32)
    repeats = np.empty(most + 1, np.bool_)
    table, window = np.zeros((slots, 2), np.uint64), np.empty(_WINDOW_SLOTS, np.uint64)
    scratch = words, keys, rows, ends, places, ids, repeats, tallies, table, window
    _ngram_shares(text.data, eight_bytes(text.data), text.offsets, character_classes(), *scratch, shares, distinct)
    return NgramShares(shares[: len(TOP_SIZES)], shares[len(TOP_SIZES) :], distinct)


_STEP = np.uint64(0x9E3779B97F4A7C15)
_PAIR = np.uint64(0xD6E8FEB86659FD93)
_29 = np.uint64(29)
_32 = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_FIRST_DUPLICATE_SIZE = DUPLICATE_SIZES[0]
_LAST_SIZE = DUPLICATE_SIZES[-1]
_HAN_BIT = np.uint64(1 << 32)
_LOWER = np.uint64(0x2020202020202020)
_ASCII_JOINERS = (0x27, 0x2D)
_NONE, _1, _8, _FF = np.uint64(0), np.uint64(1), np.uint64(8), np.uint64(0xFF)
_WINDOW_SLOTS = 4 * WINDOW_WORDS


@kernel
def _slots(num_keys):  # type: ignore[no-untyped-def]
    """A power of two of which at most half is taken."""
    slots = 16
    while slots < 2 * num_keys:
        slots *= 2
    return slots


@kernel
def _ngram_shares(  # type: ignore[no-untyped-def]
    data, chunks, offsets, classes, words, keys, rows, ends, places, ids, repeats, tallies, table, window, shares, distinct
):
    """`words`: their hashes; `ends`: characters before each place, counted in words; `places`: where n-grams that repeat start,
    ascending; `ids`: of each of them, the first place where it starts; `repeats`, by id: whether it occurs again; `table`: a key, and
    epoch << 32 | its first place, side by side for one cache miss a look-up.
    """
    epoch = 0
    for document in range(len(offsets) - 1):
        num_words = _hash_words(data, chunks, offsets[document], offsets[document + 1], classes, words, ends)
        distinct[document] = _distinct_share(words, num_words, window)
        num_places = 0
        for size in range(2, _LAST_SIZE + 1):
            if size == 2:
                num_places = num_open = _pairs(words, num_words, keys, rows, places)
            else:
                num_places, num_open = _longer(words, num_places, size, keys, rows, places, ids, repeats)
            epoch += 1
            _look_up(keys, rows, num_open, table, epoch, _slots(num_open) - 1, places, ids, repeats)
            num_places = _keep_repeated(num_places, places, ids, repeats)
            if num_places == 0:
                break
            if size < _FIRST_DUPLICATE_SIZE:
                covered = _top_chars(places, ids, num_places, ends, size, tallies)
            else:
                covered = _repeated_chars(places, ids, num_places, ends, size, repeats)
            shares[size - 2, document] = covered / ends[num_words]


@kernel
def _pairs(words, num_words, keys, rows, places):  # type: ignore[no-untyped-def]
    """All 2-grams, none with an id yet. Returns how many."""
    for place in range(num_words - 1):
        keys[place] = words[place] * _PAIR ^ words[place + 1]
        places[place] = place
        rows[place] = place
    return max(num_words - 1, 0)


@kernel
def _longer(words, num_places, size, keys, rows, places, ids, repeats):  # type: ignore[no-untyped-def]
    """From the (size-1)-grams that repeat to the `size`-grams of two such, in place. Returns how many, and how many without an id.

    Most go on like the first of their (size-1)-gram, and its place stays their id. The others are left to `_look_up`.
    """
    found = _NONE
    num_open = _NONE
    for index in range(num_places - 1):  # without branches: a processor could not guess them
        place = np.int64(places[index])
        first = np.int64(ids[index])
        follows = np.int64(places[index + 1]) == place + 1
        alike = words[first + size - 1] == words[place + size - 1]
        keys[num_open] = np.uint64(first) << _32 | np.uint64(ids[index + 1])
        rows[num_open] = found
        num_open += np.uint64(follows & ~alike)
        repeats[first if follows & alike else len(repeats) - 1] = first != place
        places[found] = place
        ids[found] = first
        found += np.uint64(follows)
    return np.int64(found), np.int64(num_open)


@kernel
def _look_up(keys, rows, num_open, table, epoch, mask, places, ids, repeats):  # type: ignore[no-untyped-def]
    """Give n-grams without an id the first place of their key."""
    epoch = np.uint64(epoch) << _32
    for index in range(num_open):
        row = np.int64(rows[index])
        place = np.int64(places[row])
        key = keys[index]
        slot = np.int64((key ^ key >> _29) * _STEP >> _32) & mask
        entry = table[slot, 1]
        while entry >= epoch and table[slot, 0] != key:
            slot = slot + 1 & mask
            entry = table[slot, 1]
        is_new = entry < epoch
        first = place if is_new else np.int64(entry & _LOW)
        table[slot, 0] = key
        table[slot, 1] = epoch | np.uint64(first)
        ids[row] = first
        repeats[first] = not is_new


@kernel
def _keep_repeated(num_places, places, ids, repeats):  # type: ignore[no-untyped-def]
    """Drop the places of n-grams that occur once. Returns how many are left."""
    kept = _NONE
    for index in range(num_places):
        first = np.int64(ids[index])
        places[kept] = places[index]
        ids[kept] = first
        kept += np.uint64(repeats[first])
    return np.int64(kept)


@kernel
def _top_chars(places, ids, num_places, ends, size, tallies):  # type: ignore[no-untyped-def]
    """Characters that the most frequent n-gram covers, 0 if none occurs twice without overlap.

    `tallies`, by first place: occurrences without overlap so far, and the end of the last.
    """
    top_count = 2
    top_chars = np.int64(0)
    for index in range(num_places):
        place = np.int64(places[index])
        first = np.int64(ids[index])
        last = np.int64(tallies[first, 1])
        is_new = first == place
        apart = is_new | (place >= last)
        count = 1 if is_new else np.int64(tallies[first, 0]) + apart
        tallies[first, 0] = count
        tallies[first, 1] = place + size if apart else last
        if count >= top_count:
            chars = count * (np.int64(ends[place + size]) - np.int64(ends[place]))
            if count > top_count or chars > top_chars:
                top_count = count
                top_chars = chars
    return top_chars


@kernel
def _repeated_chars(places, ids, num_places, ends, size, repeats):  # type: ignore[no-untyped-def]
    """Characters in n-grams seen before, by the greedy scan. Uses up `repeats`."""
    chars = np.int64(0)
    scanned_to = 0
    for index in range(num_places):
        place = np.int64(places[index])
        if place < scanned_to:
            continue
        first = np.int64(ids[index])
        if not repeats[first]:  # met before
            chars += np.int64(ends[place + size]) - np.int64(ends[place])
            scanned_to = place + size
        repeats[first] = False
    return chars


@kernel
def _distinct_share(words, num_words, seen):  # type: ignore[no-untyped-def]
    """The share of different words in windows; see `NgramShares.distinct`."""
    window = max(min(num_words, WINDOW_WORDS), 1)
    num_windows = min(num_words // window, MAX_WINDOWS)
    slots = 2 * _slots(window)
    distinct = 0
    for number in range(num_windows):
        seen[:slots] = 0
        for place in range(number * window, (number + 1) * window):
            word = words[place] | np.uint64(1)  # never that of an empty slot
            slot = np.int64(word >> _32) & (slots - 1)
            while (seen[slot] != _NONE) & (seen[slot] != word):
                slot = slot + 1 & (slots - 1)
            distinct += seen[slot] == _NONE
            seen[slot] = word
    return distinct / max(num_windows * window, 1)


@kernel
def _hash_words(data, chunks, start, end, classes, words, ends):  # type: ignore[no-untyped-def]
    """Hashes of the words of `data[start:end]` and the characters before each; returns how many there are."""
    num_words = 0
    total = 0
    ends[0] = 0
    at = start
    while at < end:
        chunk = chunks[at] if at + 8 <= end else last_bytes(data, at, end)
        code = three_bytes(chunk)
        if HAN_FIRST <= code < HAN_END:
            word = np.uint64(code) | _HAN_BIT
            chars = 1
            at += 3
        else:
            length = leading(~alphanumeric(chunk) & HIGHS)
            word = _NONE
            chars = 0
            while length == 8:
                word *= _STEP
                word = word ^ word >> _29 ^ (chunk | _LOWER)
                chars += 8
                chunk = chunks[at + chars] if at + chars + 8 <= end else last_bytes(data, at + chars, end)
                length = leading(~alphanumeric(chunk) & HIGHS)
            following = np.int64(chunk >> np.uint64(8 * length) & _FF)
            in_word = chars + length > 0
            if (following >= 0x80 and not in_word) or (
                in_word and (following >= 0x80 or following in _ASCII_JOINERS) and _may_go_on(data, at + chars + length, end, classes)
            ):
                word, chars, at = _other_word(data, chunks, at, end, classes)
                if chars == 0:
                    continue
            else:
                if length > 0:
                    word *= _STEP
                    word = word ^ word >> _29 ^ (chunk | _LOWER) & (_1 << np.uint64(8 * length)) - _1
                    chars += length
                at += chars + (following < 0x80)  # that sign or space is taken along
                if chars == 0:
                    continue
        word *= _STEP
        words[num_words] = word ^ word >> _32
        total += chars
        num_words += 1
        ends[num_words] = total
    return num_words


@kernel
def _may_go_on(data, at, end, classes):  # type: ignore[no-untyped-def]
    """Whether a word may go on with the character at `at`, which is no ASCII letter or digit."""
    code, _ = decode(data, at, end)
    return code in JOINERS or HANGUL <= class_of(code, classes) <= DIGIT


@kernel
def _other_word(data, chunks, start, end, classes):  # type: ignore[no-untyped-def]
    """Any character or word at `start`: its number before the last step, its characters, 0 for no word, and the place behind it.

    A number is made of a word's lower-case bytes, eight by eight, in ASCII; of its code points otherwise.
    """
    code, width = decode(data, start, end)
    kind = class_of(code, classes)
    if kind > DIGIT:
        return np.uint64(0), 0, start + width
    if kind <= KANA:
        return np.uint64(code) | _HAN_BIT, 1, start + width
    chars = 0
    mixed = np.uint64(0)
    behind = start
    at = start
    joiner = np.int64(0)
    while at < end:
        code, width = decode(data, at, end)
        if HANGUL <= class_of(code, classes) <= DIGIT:
            if joiner > 0:
                mixed = (mixed ^ np.uint64(joiner)) * _STEP
                chars += 1
                joiner = np.int64(0)
            mixed = (mixed ^ np.uint64(code | 0x20 if code < 0x80 else code)) * _STEP
            chars += 1
            behind = at + width
        elif joiner > 0 or code not in JOINERS:
            break
        else:
            joiner = code
        at += width
    if chars < behind - start:  # not ASCII
        return mixed, chars, behind
    word = np.uint64(0)
    for place in range(start, behind, 8):
        chunk = (chunks[place] if place + 8 <= end else last_bytes(data, place, end)) | _LOWER
        if place + 8 > behind:
            chunk &= (_1 << np.uint64(8 * (behind - place))) - _1
        word *= _STEP
        word = word ^ word >> _29 ^ chunk
    return word, chars, behind

"""Text to ids, SentencePiece's BPE exactly, over Arrow buffers: no Python object per word, document or id.

A document is cut where no piece can reach across (tokenizer.vocabulary). What lies between two cuts, a stretch, is a word of English
or a few characters of Chinese; stretches of up to 16 bytes are kept with their ids in a cache that compares the whole text, and the
others are merged: short ones by looking for the best pair again and again, long ones with a heap.

U+2581 itself becomes its three byte pieces: it would come back as a space. SentencePiece takes it for a space.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.characters import decode
from stages.text.kernel import kernel, last_bytes
from tokenizer.vocabulary import MULTIPLIER, is_joined, look_up, symbol_at

CACHE_SLOTS = 1 << 16
CACHED_BYTES = 16
_CACHED_IDS = 16
_SCAN_SYMBOLS = 48
"""Stretches of up to so many symbols are merged without a heap; at 48 both ways cost the same."""

_NO_RANK = np.int32(0x7FFFFFFF)
_LITERAL_SPACE = 0x2581


class Cache(NamedTuple):
    """Ids of short stretches; belongs to one thread at a time."""

    entries: npt.NDArray[np.uint64]
    """(CACHE_SLOTS, 4): text, first byte lowest; its length | number of ids << 8, 0 if free; the first two ids."""
    ids: npt.NDArray[np.int32]
    """(CACHE_SLOTS, 16): all ids where there are more than two."""


class Scratch(NamedTuple):
    """Room for merging stretches of up to n symbols."""

    symbols: npt.NDArray[np.int32]
    merged: npt.NDArray[np.int32]
    """What a symbol and the next one make, -1 for nothing."""
    following: npt.NDArray[np.int32]
    before: npt.NDArray[np.int32]
    heap: npt.NDArray[np.int64]
    """(3 n,): rank << 32 | position."""
    codes: npt.NDArray[np.int32]
    """The characters of the stretch."""


def new_cache() -> Cache:
    """An empty cache, 2 MB; the rest of its 6 MB is touched where a stretch has more than two ids."""
    return Cache(np.zeros((CACHE_SLOTS, 4), np.uint64), np.empty((CACHE_SLOTS, _CACHED_IDS), np.int32))


def new_scratch(most_bytes: int) -> Scratch:
    """Room for documents of up to `most_bytes`; memory is used as far as stretches are long."""
    arrays = [np.empty(most_bytes + 1, np.int32) for _ in range(5)]
    return Scratch(arrays[0], arrays[1], arrays[2], arrays[3], np.empty(3 * most_bytes + 3, np.int64), arrays[4])


@kernel
def encode_documents(  # type: ignore[no-untyped-def]
    data, chunks, offsets, first, behind, prefix, vocabulary, cache, scratch, ids, counts
):
    """Write the ids of documents first:behind one after the other, and how many each has; `prefix` puts a space before each.

    Returns the number of ids, or -1 - i where document i is not UTF-8. `chunks` is `eight_bytes(data)`; `ids` has room for a number
    for each byte, and three more for each document.
    """
    num_ids = np.int64(0)
    for document in range(first, behind):
        before = num_ids
        num_ids = _encode(data, chunks, offsets[document], offsets[document + 1], prefix, vocabulary, cache, scratch, ids, num_ids)
        if num_ids < 0:
            return np.int64(-1 - document)
        counts[document] = num_ids - before
    return num_ids


@kernel
def _encode(data, chunks, start, end, prefix, vocabulary, cache, scratch, ids, num_ids):  # type: ignore[no-untyped-def]
    """Write the ids of `data[start:end]` from `num_ids` on; return the number behind the last, -1 for invalid UTF-8."""
    symbols = vocabulary.symbols
    at = begin = start  # the stretch is data[begin:at], its last character `last`
    spaced = prefix and start < end  # the stretch has a space before it that is not in the text
    last = np.int64(0x20) if spaced else np.int64(-1)
    while at < end:
        byte = data[at]
        if symbols.starts[byte]:
            number, size = symbol_at(data, at, end, symbols)
            if size:
                num_ids = _stretch(data, chunks, begin, at, end, spaced, vocabulary, cache, scratch, ids, num_ids)
                ids[num_ids] = number
                num_ids += 1
                at += size
                begin, spaced, last = at, False, np.int64(-1)
                continue
        if byte < 0x80:
            code, width = np.int64(byte), 1
        else:
            code, width = decode(data, at, end)
            if code < 0:
                return np.int64(-1)
        if code == _LITERAL_SPACE:
            num_ids = _stretch(data, chunks, begin, at, end, spaced, vocabulary, cache, scratch, ids, num_ids)
            for place in range(at, at + 3):
                ids[num_ids] = vocabulary.bytes_[data[place]]
                num_ids += 1
            at += width
            begin, spaced, last = at, False, np.int64(-1)
            continue
        if last >= 0 and not is_joined(last, code, vocabulary.joined):
            num_ids = _stretch(data, chunks, begin, at, end, spaced, vocabulary, cache, scratch, ids, num_ids)
            begin, spaced = at, False
        last = code
        at += width
    return _stretch(data, chunks, begin, end, end, spaced, vocabulary, cache, scratch, ids, num_ids)


@kernel
def _stretch(data, chunks, begin, at, end, spaced, vocabulary, cache, scratch, ids, num_ids):  # type: ignore[no-untyped-def]
    """Write the ids of the stretch `data[begin:at]`, from the cache where it is there."""
    size = at - begin
    if spaced or size > CACHED_BYTES:
        return _merge(data, begin, at, spaced, vocabulary, scratch, ids, num_ids)
    if size == 0:
        return num_ids
    if begin + 16 <= len(data):
        low = chunks[begin]
        high = chunks[begin + 8]
    else:
        low = last_bytes(data, begin, at)
        high = last_bytes(data, begin + 8, at)
    if size < 8:
        low &= (np.uint64(1) << np.uint64(8 * size)) - np.uint64(1)
        high = np.uint64(0)
    elif size < 16:
        high &= (np.uint64(1) << np.uint64(8 * size - 64)) - np.uint64(1)
    mixed = (low ^ high * np.uint64(0xFF51AFD7ED558CCD)) * MULTIPLIER
    slot = np.int64((mixed ^ mixed >> np.uint64(32)) * MULTIPLIER >> np.uint64(48))
    entries = cache.entries
    if entries[slot, 0] == low and entries[slot, 1] == high and entries[slot, 2] & np.uint64(0xFF) == np.uint64(size):
        count = np.int64(entries[slot, 2] >> np.uint64(8))
        if count <= 2:
            pair = entries[slot, 3]
            ids[num_ids] = np.int32(pair & np.uint64(0xFFFFFFFF))
            ids[num_ids + 1] = np.int32(pair >> np.uint64(32))
        else:
            for place in range(count):
                ids[num_ids + place] = cache.ids[slot, place]
        return num_ids + count
    behind = _merge(data, begin, at, False, vocabulary, scratch, ids, num_ids)
    count = behind - num_ids
    entries[slot, 0], entries[slot, 1] = low, high
    entries[slot, 2] = np.uint64(size) | np.uint64(count) << np.uint64(8)
    if count <= 2:
        second = ids[num_ids + 1] if count == 2 else np.int32(0)
        entries[slot, 3] = np.uint64(ids[num_ids]) | np.uint64(second) << np.uint64(32)
    else:
        for place in range(count):
            cache.ids[slot, place] = ids[num_ids + place]
    return behind


@kernel
def _merge(data, begin, at, spaced, vocabulary, scratch, ids, num_ids):  # type: ignore[no-untyped-def]
    """Merge the characters of `data[begin:at]` and write the ids that are left; unknown characters become bytes."""
    count = np.int64(0)
    if spaced:
        scratch.symbols[0], scratch.codes[0] = vocabulary.characters[0x20], 0x20
        count = np.int64(1)
    while begin < at:
        code, width = decode(data, begin, at)
        number = vocabulary.characters[code]
        # An unknown character is minus one less than its code: no merge has it.
        scratch.symbols[count] = number if number >= 0 else np.int32(-1 - code)
        scratch.codes[count] = code
        count += 1
        begin += width
    if count == 0:
        return num_ids
    for place in range(count - 1):
        scratch.merged[place] = _together(scratch.symbols[place], scratch.symbols[place + 1], vocabulary)
    count = _merge_by_scan(count, vocabulary, scratch) if count <= _SCAN_SYMBOLS else _merge_by_heap(count, vocabulary, scratch)
    for place in range(count):
        number = scratch.symbols[place]
        if 0 <= number < vocabulary.size:
            ids[num_ids] = number
            num_ids += 1
        else:
            num_ids = _write_bytes(-1 - number if number < 0 else scratch.codes[place], vocabulary.bytes_, ids, num_ids)
    return num_ids


@kernel
def _together(left, right, vocabulary):  # type: ignore[no-untyped-def]
    if left < 0 or right < 0:
        return np.int32(-1)
    return look_up(np.uint64(left) << np.uint64(32) | np.uint64(right), vocabulary.keys, vocabulary.merged)


@kernel
def _merge_by_scan(count, vocabulary, scratch):  # type: ignore[no-untyped-def]
    """Merge the best pair, the leftmost of equals, until there is none; the symbols left are moved to the front."""
    symbols, merged, ranks, codes = scratch.symbols, scratch.merged, vocabulary.ranks, scratch.codes
    while True:
        best, where = _NO_RANK, np.int64(-1)
        for place in range(count - 1):
            if merged[place] >= 0 and ranks[merged[place]] < best:
                best, where = ranks[merged[place]], np.int64(place)
        if where < 0:
            return count
        symbols[where] = merged[where]
        for place in range(where + 1, count - 1):
            symbols[place], merged[place], codes[place] = symbols[place + 1], merged[place + 1], codes[place + 1]
        count -= 1
        if where > 0:
            merged[where - 1] = _together(symbols[where - 1], symbols[where], vocabulary)
        if where < count - 1:
            merged[where] = _together(symbols[where], symbols[where + 1], vocabulary)


@kernel
def _merge_by_heap(count, vocabulary, scratch):  # type: ignore[no-untyped-def]
    """As `_merge_by_scan`, in count x log(count) steps. A pair that changed since it was pushed is passed over when it comes up."""
    symbols, merged, ranks, heap = scratch.symbols, scratch.merged, vocabulary.ranks, scratch.heap
    size = np.int64(0)
    for place in range(count):
        scratch.following[place], scratch.before[place] = place + 1, place - 1
    merged[count - 1] = -1
    for place in range(count - 1):
        if merged[place] >= 0:
            size = _push(heap, size, np.int64(ranks[merged[place]]) << 32 | place)
    while size:
        top = heap[0]
        size = _pop(heap, size)
        place = top & 0xFFFFFFFF
        if merged[place] < 0 or ranks[merged[place]] != top >> 32:
            continue
        right = scratch.following[place]
        symbols[place] = merged[place]
        merged[right] = -1  # no symbol any more
        follower = np.int64(scratch.following[right])
        scratch.following[place] = follower
        merged[place] = -1
        if follower < count:
            scratch.before[follower] = place
            merged[place] = _together(symbols[place], symbols[follower], vocabulary)
            if merged[place] >= 0:
                size = _push(heap, size, np.int64(ranks[merged[place]]) << 32 | place)
        previous = np.int64(scratch.before[place])
        if previous >= 0:
            merged[previous] = _together(symbols[previous], symbols[place], vocabulary)
            if merged[previous] >= 0:
                size = _push(heap, size, np.int64(ranks[merged[previous]]) << 32 | previous)
    left = place = 0
    while place < count:
        symbols[left], scratch.codes[left] = symbols[place], scratch.codes[place]
        left += 1
        place = scratch.following[place]
    return left


@kernel
def _push(heap, size, item):  # type: ignore[no-untyped-def]
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        if heap[parent] <= item:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = item
    return size + 1


@kernel
def _pop(heap, size):  # type: ignore[no-untyped-def]
    """Remove the least; return the new size."""
    size -= 1
    item, place = heap[size], 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= item:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = item
    return size


@kernel
def _write_bytes(code, bytes_, ids, num_ids):  # type: ignore[no-untyped-def]
    """Write a character as the byte pieces of its UTF-8."""
    if code < 0x80:
        ids[num_ids] = bytes_[code]
        return num_ids + 1
    if code < 0x800:
        ids[num_ids], ids[num_ids + 1] = bytes_[0xC0 | code >> 6], bytes_[0x80 | code & 0x3F]
        return num_ids + 2
    if code < 0x10000:
        ids[num_ids] = bytes_[0xE0 | code >> 12]
        ids[num_ids + 1], ids[num_ids + 2] = bytes_[0x80 | code >> 6 & 0x3F], bytes_[0x80 | code & 0x3F]
        return num_ids + 3
    ids[num_ids], ids[num_ids + 1] = bytes_[0xF0 | code >> 18], bytes_[0x80 | code >> 12 & 0x3F]
    ids[num_ids + 2], ids[num_ids + 3] = bytes_[0x80 | code >> 6 & 0x3F], bytes_[0x80 | code & 0x3F]
    return num_ids + 4

"""Look for the questions of an index in texts: seeds find candidates, and each candidate is compared token by token.

Every five tokens in a row of a text are looked up among those of the questions: a bitmap of two bits a seed in one word, 16 bits a seed,
lets 1.5 % of others through, then a table by their first bits and a short search. A seed says where in the text its question would stand.
There, of a question to be found with changes, each token counts as found that stands in this window
beside a neighbour that it has in the question, at most one token between them in either: so the order of the options does not matter, a
changed or missing word costs itself alone, and an added one nothing. The share is the lower of two: of all its tokens, and of those that
are no boilerplate of the benchmarks. A question to be found whole must have each of
its segments (stem, options) there without a change, and if it is a stem alone it must be a sentence of its own.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.decontaminate.index import CORE, SEED, SIZE, START, STEM, WHOLE, Index
from stages.decontaminate.tokens import mixed, most_tokens, tokenize
from stages.text.buffers import TextBuffer
from stages.text.fold import token_classes
from stages.text.kernel import kernel

LOWEST_SHARE = 0.6
"""Matches below it are not recorded, so no threshold may be lower."""

_BASE = np.uint64(0xD6E8FEB86659FD93)
_PAIR = np.uint64(0xC2B2AE3D27D4EB4F)
_SINGLE = np.uint64(0x165667B19E3779F9)
_NUM_BITS = 4096
_BITS_SHIFT = np.uint64(52)
_63, _SHIFT, _WORD_SHIFT = np.uint64(63), np.uint64(6), np.uint64(12)
_1 = np.uint64(1)


class Matches(NamedTuple):
    """Questions found, by document and place; m of them."""

    document: npt.NDArray[np.int64]
    unit: npt.NDArray[np.int64]
    """Number in the index."""
    share: npt.NDArray[np.float32]
    start: npt.NDArray[np.int64]
    """First byte, in the buffer's data."""
    end: npt.NDArray[np.int64]


class _Scratch(NamedTuple):
    """Of the text that is read: its tokens, and what stands in the window that a question is compared with."""

    hashes: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    stamps: npt.NDArray[np.int64]
    """Which comparison wrote a slot."""
    places: npt.NDArray[np.int64]
    bits: npt.NDArray[np.uint64]
    """Of the tokens of the window, 4,096 bits."""
    tried: npt.NDArray[np.int64]
    """Of each unit: the document that it was last compared with, the offset there, where its last match in it ends, and its number."""


def scan(text: TextBuffer, index: Index) -> Matches:
    """All questions of which at least `LOWEST_SHARE` stands in a text, each time that it stands there."""
    text = text.read_only()
    most = most_tokens(int(text.lengths().max(initial=0)))
    slots = 1 << int(8 * (2 * int(index.units[:, SIZE].max(initial=0)) + 64)).bit_length()
    tokens = np.empty(most, np.uint64), np.empty(most, np.int64), np.empty(most, np.int64)
    table = np.empty(slots, np.uint64), np.zeros(slots, np.int64), np.empty(slots, np.int64)
    scratch = _Scratch(*tokens, *table, np.empty(_NUM_BITS // 64, np.uint64), np.full((len(index.units), 4), -1, np.int64))
    capacity = 1024
    while True:
        document, unit, start, end = (np.empty(capacity, np.int64) for _ in range(4))
        share = np.empty(capacity, np.float32)
        matches = Matches(document, unit, share, start, end)
        found = _scan_all(text.data, text.offsets, token_classes(), index, scratch, matches)
        if found <= capacity:
            break
        capacity = found
        scratch.tried[:], scratch.stamps[:] = -1, 0
    order = np.lexsort((unit[:found], start[:found], document[:found]))
    return Matches(document[order], unit[order], share[order], start[order], end[order])


@kernel
def _scan_all(data, offsets, classes, index, scratch, matches):  # type: ignore[no-untyped-def]
    """Fill `matches` as far as they have room; how many there are."""
    found = 0
    stamp = 0
    outgoing = _1
    for _ in range(SEED):
        outgoing *= _BASE
    hashes, tried = scratch.hashes, scratch.tried
    word_mask = np.uint64(len(index.bitmap) - 1)
    directory_shift = np.uint64(64)
    size = len(index.directory) - 1
    while size > 1:
        size >>= 1
        directory_shift -= _1
    for document in range(len(offsets) - 1):
        count = tokenize(data, offsets[document], offsets[document + 1], classes, hashes, scratch.starts, scratch.ends, 0)
        rolling = np.uint64(0)
        for at in range(count):
            rolling = rolling * _BASE + hashes[at]
            if at < SEED - 1:
                continue
            if at >= SEED:
                rolling -= hashes[at - SEED] * outgoing
            seed = mixed(rolling)
            word = index.bitmap[(seed >> _WORD_SHIFT) & word_mask]
            if not (word >> (seed & _63)) & (word >> ((seed >> _SHIFT) & _63)) & _1:
                continue
            bucket = np.int64(seed >> directory_shift)
            entry = np.int64(index.directory[bucket])
            stop = np.int64(index.directory[bucket + 1])
            while entry < stop and index.seeds[entry] < seed:
                entry += 1
            if entry == stop or index.seeds[entry] != seed:
                continue
            first = at - SEED + 1
            for posting in range(index.seed_start[entry], index.seed_start[entry + 1]):
                unit = np.int64(index.posting_unit[posting])
                offset = np.int64(index.posting_offset[posting])
                if tried[unit, 0] == document and tried[unit, 1] == first - offset:
                    continue
                if tried[unit, 0] != document:
                    tried[unit, 0] = document
                    tried[unit, 2] = -1
                tried[unit, 1] = first - offset
                if index.units[unit, WHOLE]:
                    share, begin, last = _whole(data, scratch, count, first, offset, index, unit)
                else:
                    stamp += 1
                    share, begin, last = _share(scratch, count, first, offset, index, unit, stamp)
                if share < LOWEST_SHARE:
                    continue
                if index.units[unit, SIZE] > index.units[unit, CORE]:
                    stamp += 1
                    last = _behind_options(scratch, count, last, index, unit, stamp)
                row = found
                if begin < tried[unit, 2]:  # the same place seen from another seed: the better view stays
                    row = tried[unit, 3]
                    if row < len(matches.unit) and share <= matches.share[row]:
                        continue
                found += 1 if row == found else 0
                tried[unit, 2], tried[unit, 3] = last + 1, row
                if row < len(matches.unit):
                    matches.document[row] = document
                    matches.unit[row] = unit
                    matches.share[row] = share
                    matches.start[row] = scratch.starts[begin]
                    matches.end[row] = scratch.ends[last]
    return found


@kernel
def _enter(scratch, key, stamp, place):  # type: ignore[no-untyped-def]
    """Remember the first place of a key."""
    mask = len(scratch.keys) - 1
    slot = np.int64(key & np.uint64(mask))
    while scratch.stamps[slot] == stamp:
        if scratch.keys[slot] == key:
            return
        slot = (slot + 1) & mask
    scratch.keys[slot] = key
    scratch.stamps[slot] = stamp
    scratch.places[slot] = place


@kernel
def _place_of(scratch, key, stamp):  # type: ignore[no-untyped-def]
    """The first place of a key, -1 if it is not there."""
    mask = len(scratch.keys) - 1
    slot = np.int64(key & np.uint64(mask))
    while scratch.stamps[slot] == stamp:
        if scratch.keys[slot] == key:
            return scratch.places[slot]
        slot = (slot + 1) & mask
    return np.int64(-1)


@kernel
def _pair(left, right):  # type: ignore[no-untyped-def]
    return mixed(left * _PAIR + right)


@kernel
def _single(token):  # type: ignore[no-untyped-def]
    return mixed(token * _SINGLE)


@kernel
def _enter_window(scratch, low, high, stamp):  # type: ignore[no-untyped-def]
    """Enter every token of a window, every two neighbours, and where these leave room every two with one between them."""
    hashes = scratch.hashes
    for at in range(low, high):
        _enter(scratch, _single(hashes[at]), stamp, at)
        if at + 1 < high:
            _enter(scratch, _pair(hashes[at], hashes[at + 1]), stamp, at)
    for at in range(low, high - 2):
        _enter(scratch, _pair(hashes[at], hashes[at + 2]), stamp, at)


@kernel
def _most_found(scratch, begin, end, tokens, low, core):  # type: ignore[no-untyped-def]
    """How many tokens of a question stand in a window or look as if they did: with it most candidates end, at a tenth of the cost."""
    bits = scratch.bits
    for word in range(len(bits)):
        bits[word] = 0
    for at in range(begin, end):
        bit = scratch.hashes[at] >> _BITS_SHIFT
        bits[bit >> _SHIFT] |= _1 << (bit & _63)
    found = np.uint64(0)
    for at in range(low, low + core):
        bit = tokens[at] >> _BITS_SHIFT
        found += (bits[bit >> _SHIFT] >> (bit & _63)) & _1
    return np.int64(found)


@kernel
def _share(scratch, count, first, offset, index, unit, stamp):  # type: ignore[no-untyped-def]
    """Share of the question that stands around `first`, and the tokens of the text where it begins and ends."""
    low, core = index.units[unit, START], index.units[unit, CORE]
    tokens, joined = index.tokens, index.joined
    if core == index.units[unit, STEM]:
        slack = 2 + core // 4
        begin, end = first - offset - slack, first - offset + core + slack
    else:  # options may come in any order, each with its letter
        slack = 8 + core // 4
        begin, end = first - core - slack, first + core + slack
    begin, end = max(begin, 0), min(end, count)
    if _most_found(scratch, begin, end, tokens, low, core) < LOWEST_SHARE * core:
        return np.float32(0), np.int64(first), np.int64(first)
    _enter_window(scratch, begin, end, stamp)
    all_found = all_counted = num_counted = 0
    earliest, latest = end, begin
    segment = 0  # where the segment of token i begins
    before = np.int64(-1)  # where the pair stands that ends with token i
    skipped, skipped_next = False, False  # whether pairs with one token between them end with token i, and with the next one
    for i in range(core):
        at = low + i
        if i and not joined[at - 1]:
            segment = i
            before, skipped, skipped_next = np.int64(-1), False, False
        behind = np.int64(-1)
        behind_skipped = False
        alone = np.int64(-1)
        if joined[at] and i + 1 < core:
            behind = _place_of(scratch, _pair(tokens[at], tokens[at + 1]), stamp)
            more = joined[at + 1] and i + 2 < core
            if more:
                behind_skipped = _place_of(scratch, _pair(tokens[at], tokens[at + 2]), stamp) >= 0
            if before >= 0 and behind == before + 1:
                earliest, latest = min(earliest, before), max(latest, behind + 1)
            elif behind >= 0 and i == segment and not more:  # the only pair of its segment
                earliest, latest = min(earliest, behind), max(latest, behind + 1)
        elif i == segment:
            alone = _place_of(scratch, _single(tokens[at]), stamp)
            if alone >= 0:
                earliest, latest = min(earliest, alone), max(latest, alone)
        hit = before >= 0 or behind >= 0 or skipped or behind_skipped or alone >= 0
        all_found += 1 if hit else 0
        if index.counted[at]:
            num_counted += 1
            all_counted += 1 if hit else 0
        before = behind
        skipped, skipped_next = skipped_next, behind_skipped
    share = np.float32(min(all_found / core, all_counted / max(1, num_counted)))
    if latest <= earliest:
        earliest, latest = first, first + SEED - 1
    return share, earliest, latest


@kernel
def _behind_options(scratch, count, last, index, unit, stamp):  # type: ignore[no-untyped-def]
    """The last token of the options if at least half of them stands behind a stem that ends at `last`, else `last`."""
    low, high = index.units[unit, START] + index.units[unit, CORE], index.units[unit, START] + index.units[unit, SIZE]
    tokens, joined = index.tokens, index.joined
    _enter_window(scratch, last + 1, min(count, last + 1 + (high - low) * 3 // 2 + 12), stamp)
    found = 0
    latest = last
    before = np.int64(-1)
    for at in range(low, high):
        behind = np.int64(-1)
        alone = np.int64(-1)
        if joined[at] and at + 1 < high:
            behind = _place_of(scratch, _pair(tokens[at], tokens[at + 1]), stamp)
            latest = max(latest, behind + 1 if behind >= 0 else last)
        elif at == low or not joined[at - 1]:
            alone = _place_of(scratch, _single(tokens[at]), stamp)
            latest = max(latest, alone)
        if before >= 0 or behind >= 0 or alone >= 0:
            found += 1
        before = behind
    return min(latest, count - 1) if 2 * found >= high - low else last


@kernel
def _whole(data, scratch, count, first, offset, index, unit):  # type: ignore[no-untyped-def]
    """1 and where it begins and ends if every segment stands around `first` without a change, else 0."""
    low, core = index.units[unit, START], index.units[unit, CORE]
    hashes, tokens = scratch.hashes, index.tokens
    slack = 8 + core // 4
    earliest, latest = first, first + SEED - 1
    begin = 0
    while begin < core:
        end = begin + 1
        while end < core and index.joined[low + end - 1]:
            end += 1
        size = end - begin
        if begin <= offset < end:
            place = first - (offset - begin)
            there = place >= 0 and place + size <= count and _same(hashes, place, tokens, low + begin, size)
        else:
            place = max(0, first - core - slack)
            stop = min(count - size, first + core + slack)
            while place <= stop and not _same(hashes, place, tokens, low + begin, size):
                place += 1
            there = place <= stop
        if not there:
            return np.float32(0), earliest, latest
        earliest, latest = min(earliest, place), max(latest, place + size - 1)
        begin = end
    if core == index.units[unit, STEM]:
        before = earliest == 0 or _apart(data, scratch.ends[earliest - 1], scratch.starts[earliest])
        behind = latest == count - 1 or _apart(data, scratch.ends[latest], scratch.starts[latest + 1])
        if not (before and behind):
            return np.float32(0), earliest, latest
    return np.float32(1), earliest, latest


@kernel
def _same(hashes, place, tokens, low, size):  # type: ignore[no-untyped-def]
    i = 0
    while i < size and hashes[place + i] == tokens[low + i]:
        i += 1
    return i == size


@kernel
def _apart(data, end, start):  # type: ignore[no-untyped-def]
    """Whether something parts two tokens: between words of letters more than a space, elsewhere anything."""
    if data[end - 1] >= 0x80 or data[start] >= 0x80:
        return end < start
    while end < start and data[end] in (0x20, 0x09):
        end += 1
    return end < start

"""Rows brought together by small numbers in linear time: messages by addressee, answers by row, candidate pairs by document.

Millions of pairs pass through every round, and a comparison sort was most of what they cost: of a million synthetic documents `np.lexsort`
of 22 million candidate pairs took 7.9 of the 15 CPU seconds of the phase that reads them; this way the phase takes 3.3
(docs/dedup_evidence.md). What is grouped are rows of a shard or numbers of partitions, so a table with a place for each is small.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import read_only
from stages.text.kernel import kernel

Int64s = npt.NDArray[np.int64]


class Grouped(NamedTuple):
    """Rows in the order of their numbers; rows of one number keep their order."""

    order: Int64s
    """(n,): the rows of number i are `order[bounds[i]:bounds[i + 1]]`."""
    bounds: Int64s
    """(count + 1,)"""


def by_number(numbers: npt.NDArray[np.integer[Any]], count: int) -> Grouped:
    """Group rows by their numbers, which are from 0 to `count` - 1.

    >>> by_number(np.array([2, 0, 2]), 3).order.tolist(), by_number(np.array([2, 0, 2]), 3).bounds.tolist()
    ([1, 0, 2], [0, 1, 1, 3])
    """
    numbers = read_only(numbers.astype(np.int64, copy=False))
    bounds, order = np.zeros(count + 1, np.int64), np.empty(len(numbers), np.int64)
    _count(numbers, bounds)
    _place(numbers, bounds[:-1].copy(), order)
    return Grouped(order, bounds)


class Pairs(NamedTuple):
    """Pairs of a row and a document elsewhere, (n,) each, ordered by row, `other`, `owns`; none twice."""

    row: Int64s
    other: Int64s
    """A document reference."""
    owns: npt.NDArray[np.bool_]


class Ends(NamedTuple):
    """Pairs as each of their ends is told them, (2 pairs,) each, grouped by the shard of `doc`."""

    doc: Int64s
    other: Int64s
    owns: npt.NDArray[np.bool_]
    bounds: Int64s
    """Those of shard i are rows `bounds[i]:bounds[i + 1]`."""


def both_ends(owner: Int64s, other: Int64s, num_shards: int) -> Ends:
    """Tell pairs to both ends.

    >>> ends = both_ends(np.array([1, 2 << 32]), np.array([2 << 32, 3]), 3)
    >>> ends.bounds.tolist(), (ends.other & 0xFFFFFFFF).tolist(), ends.owns.tolist()
    ([0, 2, 2, 4], [0, 0, 1, 3], [True, False, False, True])
    """
    size = 2 * len(owner)
    ends = Ends(np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.bool_), np.zeros(num_shards + 1, np.int64))
    owner, other = read_only(owner), read_only(other)
    _count_ends(owner, other, ends.bounds)
    _tell(owner, other, ends.bounds[:-1].copy(), ends.doc, ends.other, ends.owns)
    return ends


def unique_pairs(docs: Int64s, other: Int64s, owns: npt.NDArray[np.bool_]) -> Pairs:
    """Pairs of the documents of one shard, given in any order and any number of times. The row is the lower half of a reference.

    Each pair is one number of 64 bits: a run has fewer than 2^16 shards of 2^23 rows, a shard of 16 MB being too small for more rows.
    """
    docs, other = read_only(docs), read_only(other)
    row_bits, shard_bits = _bits(docs, other)
    assert 2 * row_bits + shard_bits < 64, f"shards of 2^{row_bits} rows, 2^{shard_bits} of them"
    packed = np.empty(len(docs), np.uint64)
    _pack(docs, other, read_only(owns), np.uint64(row_bits), np.uint64(shard_bits), packed)
    packed.sort()  # NumPy's sort of numbers is 20 times as fast as `np.lexsort`
    pairs = Pairs(np.empty(len(docs), np.int64), np.empty(len(docs), np.int64), np.empty(len(docs), np.bool_))
    count = _unpack(packed, np.uint64(row_bits), np.uint64(shard_bits), *pairs)
    return Pairs(pairs.row[:count], pairs.other[:count], pairs.owns[:count])


def places(docs: Int64s, wanted: Int64s) -> npt.NDArray[np.uint32]:
    """Where each wanted reference stands among `docs`, (wanted,); `docs` are ascending and hold all that are wanted.

    Half the time of `np.searchsorted`: only the documents of the same shard are searched.
    """
    docs, wanted = read_only(docs), read_only(wanted)
    num_shards = int(docs[-1] >> 32) + 1 if len(docs) else 0
    bounds = np.searchsorted(docs, np.arange(num_shards + 1) << 32)
    found = np.empty(len(wanted), np.uint32)
    assert _find(docs, bounds, wanted, found), "a document is wanted that is not there"
    return found


class Messages(NamedTuple):
    """Rows and where each is sent, once."""

    row: Int64s
    """(messages,), ascending."""
    destination: Int64s
    of_pair: Int64s
    """The message that each pair is in, (pairs,)."""


def messages(row: Int64s, destination: Int64s, num_destinations: int) -> Messages:
    """One message for each row and each destination of its pairs; `row` is ascending.

    >>> found = messages(np.array([3, 3, 3, 7]), np.array([1, 0, 1, 1]), 2)
    >>> found.row.tolist(), found.destination.tolist(), found.of_pair.tolist()
    ([3, 3, 7], [1, 0, 1], [0, 1, 0, 2])
    """
    of_pair, sent_row, sent_to = np.empty(len(row), np.int64), np.empty(len(row), np.int64), np.empty(len(row), np.int64)
    last_row, last_message = np.full(num_destinations, -1, np.int64), np.empty(num_destinations, np.int64)
    count = _number(read_only(row), read_only(destination), last_row, last_message, of_pair, sent_row, sent_to)
    return Messages(sent_row[:count], sent_to[:count], of_pair)


@kernel
def _count(numbers, bounds):  # type: ignore[no-untyped-def]
    """Where the rows of each number begin, from `bounds` of zeros; of a document reference the lower half counts."""
    for at in range(len(numbers)):
        bounds[(numbers[at] & 0xFFFFFFFF) + 1] += 1
    for number in range(len(bounds) - 1):
        bounds[number + 1] += bounds[number]


@kernel
def _place(numbers, begin, order):  # type: ignore[no-untyped-def]
    for at in range(len(numbers)):
        number = numbers[at]
        order[begin[number]] = at
        begin[number] += 1


@kernel
def _count_ends(owner, other, bounds):  # type: ignore[no-untyped-def]
    for at in range(len(owner)):
        bounds[(owner[at] >> 32) + 1] += 1
        bounds[(other[at] >> 32) + 1] += 1
    for shard in range(len(bounds) - 1):
        bounds[shard + 1] += bounds[shard]


@kernel
def _tell(owner, other, begin, docs, others, owns):  # type: ignore[no-untyped-def]
    for at in range(len(owner)):
        for doc, its_other, owned in ((owner[at], other[at], True), (other[at], owner[at], False)):
            place = begin[doc >> 32]
            docs[place], others[place], owns[place] = doc, its_other, owned
            begin[doc >> 32] += 1


@kernel
def _bits(docs, other):  # type: ignore[no-untyped-def]
    """Bits that hold each row number, and each shard number of `other`."""
    rows, shards = np.int64(0), np.int64(0)
    for at in range(len(docs)):
        rows |= (docs[at] | other[at]) & 0xFFFFFFFF
        shards |= other[at] >> 32
    row_bits = shard_bits = 0
    while rows >> row_bits:
        row_bits += 1
    while shards >> shard_bits:
        shard_bits += 1
    return row_bits, shard_bits


@kernel
def _pack(docs, other, owns, row_bits, shard_bits, packed):  # type: ignore[no-untyped-def]
    """Row, shard and row of the other document, and whether the pair is owned."""
    for at in range(len(docs)):
        value = np.uint64(docs[at] & 0xFFFFFFFF) << shard_bits | np.uint64(other[at] >> 32)
        packed[at] = (value << row_bits | np.uint64(other[at] & 0xFFFFFFFF)) << np.uint64(1) | np.uint64(owns[at])


@kernel
def _unpack(packed, row_bits, shard_bits, row, other, owns):  # type: ignore[no-untyped-def]
    """The different ones among sorted pairs; returns how many they are."""
    count = 0
    for at in range(len(packed)):
        if at == 0 or packed[at] != packed[at - 1]:
            value = packed[at] >> np.uint64(1)
            shard = value >> row_bits & (np.uint64(1) << shard_bits) - np.uint64(1)
            row[count] = value >> row_bits >> shard_bits
            other[count] = shard << np.uint64(32) | value & (np.uint64(1) << row_bits) - np.uint64(1)
            owns[count] = packed[at] & np.uint64(1)
            count += 1
    return count


@kernel
def _find(docs, bounds, wanted, found):  # type: ignore[no-untyped-def]
    """Binary search without branches; whether all were there."""
    missing = False
    for at in range(len(wanted)):
        shard = wanted[at] >> 32
        if shard >= len(bounds) - 1 or bounds[shard] == bounds[shard + 1]:
            return False
        first, length = bounds[shard], bounds[shard + 1] - bounds[shard]
        while length > 1:
            half = length >> 1
            first += half * (docs[first + half] <= wanted[at])
            length -= half
        missing |= docs[first] != wanted[at]
        found[at] = first
    return not missing


@kernel
def _number(row, destination, last_row, last_message, of_pair, sent_row, sent_to):  # type: ignore[no-untyped-def]
    count = 0
    for at in range(len(row)):
        to = destination[at]
        if last_row[to] != row[at]:
            last_row[to] = row[at]
            last_message[to] = count
            sent_row[count] = row[at]
            sent_to[count] = to
            count += 1
        of_pair[at] = last_message[to]
    return count

"""Near-repeats: long sentences and paragraphs that a better document holds with small changes.

Units are sentences that reach the floor alone, and paragraphs: free sentences from one that begins a line up to the next that does. A
unit is found by a few of its shingles: the least hash of each of `keys` permutations is a key by itself. That is MinHash with bands of
one row, which long shingles allow: 6 characters in a row are rarely shared by chance, and a text with a tenth of its characters changed
keeps half of them (.9^6 = .53), so a Jaccard of .36, found with probability 1 - .64^10 = .99. The usual shingle of 5 in 8 bands of 4
rows finds .22 of these, and short units have no other chance. In text of words it is 3 words: a tenth of its letters changed at random
leaves .23 of them. Every pair is then compared as text (edit similarity), so generosity costs time only.

Numbers are facts: `1,200 cases on Monday` and `1,350 cases on Tuesday` in the same frame are two reports. A hash of the numbers goes into
each key, so that texts of other numbers do not meet, however similar.

Units are taken in order of preference; one goes if a better one that stays is similar enough. So every removed unit has a verified edge
to a better one that stays, and the argument of `stages.dedup.passages` holds across both kinds of repeats: owners only get better.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.dedup.passages import mixed
from stages.text.buffers import TextBuffer
from stages.text.characters import decode
from stages.text.kernel import kernel
from stages.text.units import Floor, Units

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]

NUMERALS = ("0０〇零", "1１一壹", "2２二两兩贰貳", "3３三叁叄", "4４四肆", "5５五伍", "6６六陆陸", "7７七柒", "8８八捌", "9９九玖",
            "十拾", "百佰", "千仟", "万萬", "亿億", "廿", "卅")  # fmt: skip
"""Characters of numbers; those of one place have the same value."""
MIN_HAN_NUMERALS = 2
"""So many Han numerals in a row are a number; one alone is one beside a digit only (3万)."""

_STEP = np.uint64(0x9E3779B97F4A7C15)


class NearUnits(NamedTuple):
    """What is compared, each (m,), ordered by start, a paragraph before its sentences."""

    first: Int64s
    last: Int64s
    """Numbers of the first and the last sentence."""
    contents: UInt64s
    """Hash of the folded sentences: equal for word-for-word repeats, which are the business of `stages.dedup.passages`."""
    spaced: npt.NDArray[np.bool_]
    """Written in words rather than characters."""


def near_units(units: Units, floor: Floor) -> NearUnits:
    """The long sentences and the long paragraphs of all documents."""
    long = units.free & floor.reached(units.words, units.characters)
    begins = np.ones(len(units.start), np.bool_)
    begins[1:] = units.opens[1:] | (units.free[1:] != units.free[:-1])
    begins[units.offsets[:-1][units.offsets[:-1] < len(units.start)]] = True
    first = np.flatnonzero(begins)
    last = np.append(first, len(units.start))[1:] - 1
    first, last = first[units.free[first] & (last > first)], last[units.free[first] & (last > first)]
    bounds = np.stack([first, last + 1], axis=1).ravel()
    words, characters = (_sums(field, bounds) for field in (units.words, units.characters))
    reached = floor.reached(words, characters)
    first, last = np.concatenate([first[reached], np.flatnonzero(long)]), np.concatenate([last[reached], np.flatnonzero(long)])
    order = np.lexsort((-last, first))
    first, last = first[order], last[order]
    spaced = (units.words > units.characters)[first]
    contents = np.empty(len(first), np.uint64)
    _contents(units.hashes, first, last, contents)
    return NearUnits(first, last, contents, spaced)


def _sums(values: npt.NDArray[np.int32], bounds: Int64s) -> Int64s:
    """Sums of the stretches between each pair of bounds."""
    summed = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
    return np.asarray(summed[bounds[1::2]] - summed[bounds[::2]])


@kernel
def _contents(hashes, first, last, contents):  # type: ignore[no-untyped-def]
    for number in range(len(first)):
        value = np.uint64(0)
        for unit in range(first[number], last[number] + 1):
            value = mixed((value ^ hashes[unit]) * _STEP)
        contents[number] = value


class Kept(NamedTuple):
    """What becomes of each unit, in the order given."""

    partner: Int64s
    """The better unit that stays and is most similar; -1 for those that stay."""
    similarity: npt.NDArray[np.float64]


def best_of(num_units: int, left: Int64s, right: Int64s, similarity: npt.NDArray[np.float64]) -> Kept:
    """Decide between similar units, which are numbered by preference, 0 the best; each pair is given once or more, in any direction.

    >>> best_of(3, np.array([0, 1]), np.array([1, 2]), np.array([0.9, 0.9])).partner.tolist()
    [-1, 0, -1]
    """
    better, worse = np.minimum(left, right), np.maximum(left, right)
    order = np.lexsort((better, worse))
    partner, closeness = np.full(num_units, -1, np.int64), np.zeros(num_units)
    _decide(better[order], worse[order], similarity[order], partner, closeness)
    return Kept(partner, closeness)


@kernel
def _decide(better, worse, similarity, partner, closeness):  # type: ignore[no-untyped-def]
    for edge in range(len(better)):  # by the worse end: what is better is decided already
        unit = worse[edge]
        if partner[better[edge]] < 0 and better[edge] != unit and similarity[edge] > closeness[unit]:
            partner[unit] = better[edge]
            closeness[unit] = similarity[edge]


def numbers(text: TextBuffer) -> UInt64s:
    """A hash of the numbers of each text in their order; 0 without any.

    A number is a run of `NUMERALS` with a digit in it, or with `MIN_HAN_NUMERALS` of them: 一 alone is as often a part of a word.
    """
    hashes = np.zeros(len(text), np.uint64)
    text = text.read_only()
    _numbers(text.data, text.offsets, _values(), hashes)
    return hashes


@lru_cache(maxsize=1)
def _values() -> npt.NDArray[np.int8]:
    """The value of each character as a numeral, by code point up to the last one that is a numeral; -1 of all others."""
    values = np.full(1 + max(ord(sign) for signs in NUMERALS for sign in signs), -1, np.int8)
    for value, signs in enumerate(NUMERALS):
        values[[ord(sign) for sign in signs]] = value
    return values


@kernel
def _numbers(data, offsets, values, hashes):  # type: ignore[no-untyped-def]
    for number in range(len(hashes)):
        value = run = np.uint64(0)
        length, digits = 0, False
        at, end = offsets[number], offsets[number + 1]
        while at < end:
            code, width = decode(data, at, end)
            numeral = values[code] if 0 <= code < len(values) else -1
            if numeral >= 0:
                run = mixed(((run if length else value) ^ np.uint64(numeral + 17 * (length > 0))) * _STEP)
                length += 1
                digits |= code <= 0x39 or code >= 0xFF10
            at += width
            if numeral < 0 or at >= end:
                if digits or length >= MIN_HAN_NUMERALS:
                    value = run
                length, digits = 0, False
        hashes[number] = value

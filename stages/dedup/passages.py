"""Repeated passages: which sentences of a document stand word for word in a better one, or earlier in the same one.

The key of a passage is the hash of each `min_sentences` consecutive sentences, and of each single long one. Of all occurrences of a key,
the one in the best document owns it. All others are repeats, and runs of repeated sentences that are long enough are proposed.

The best document is the most original, by quarters of its text that stand nowhere else; among equals the one of the better score, then
the longer; then ids decide. Length alone, which serves for near-duplicates, would give the passages of many pages to the digest that
quotes them all: of 312 clean passages in the bundled sample, 41 lost a part or all to longer pages made of two of them.

**Nothing is lost.** Occurrences have a strict order, and a sentence is cut only where a better occurrence of its key exists. Follow a
cut sentence to its place in the owner: if it is cut there too, that was for a key with a still better owner. Orders are finite, so the
walk ends at a sentence that stands. Therefore overlapping passages may have different owners, in any pattern, and nobody has to decide
about whole documents first. The tests walk these chains on random texts and whole runs.

Source: the idea of windows of sentences is datatrove's (3 sentences, the first occurrence by file order stays, spans partly restored);
ownership by quality, inner repeats and the argument above are ours. Windows of two sentences also find what was moved.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.kernel import kernel
from stages.text.units import Floor, Units

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_32 = np.uint64(32)


class Bounds(NamedTuple):
    """When a repeat is worth removing."""

    min_sentences: int
    passage: Floor
    """What a run of so many sentences has at least: a short exchange of words is no passage."""
    single: Floor
    """What one sentence has at least."""
    brief: Floor
    """What a sentence has at least to count for the length of a passage."""


class Keys(NamedTuple):
    """Passages of a batch, each one `min_sentences` sentences or one long one."""

    hashes: UInt64s
    first: Int64s
    """Number of the first sentence among all units."""
    length: npt.NDArray[np.int32]
    """Sentences of the passage."""


def passage_keys(units: Units, bounds: Bounds) -> Keys:
    """The keys of all documents, ordered by document and place."""
    long = bounds.single.reached(units.words, units.characters)
    most = int(units.free.sum()) + int((units.free & long).sum())
    hashes, first, length = np.empty(most, np.uint64), np.empty(most, np.int64), np.empty(most, np.int32)
    found = _keys(units.offsets, units.hashes, units.free, long, bounds.min_sentences, hashes, first, length)
    return Keys(hashes[:found], first[:found], length[:found])


@kernel
def _keys(offsets, units, free, long, window, hashes, first, length):  # type: ignore[no-untyped-def]
    found = 0
    for document in range(len(offsets) - 1):
        run = 0  # free sentences up to and with this one
        for unit in range(offsets[document], offsets[document + 1]):
            run = run + 1 if free[unit] else 0
            if free[unit] and long[unit] and window != 1:
                hashes[found], first[found], length[found] = mixed(units[unit] ^ _STEP), unit, 1
                found += 1
            if run >= window and (window != 1 or long[unit]):
                key = np.uint64(window)
                for member in range(unit - window + 1, unit + 1):
                    key = mixed((key ^ units[member]) * _STEP)
                hashes[found], first[found], length[found] = key, unit - window + 1, window
                found += 1
    return found


@kernel
def mixed(value):  # type: ignore[no-untyped-def]
    """MurmurHash3's way to spread the bits of a hash."""
    value ^= value >> _32
    value *= _MIX
    return value ^ (value >> _32)


class Shared(NamedTuple):
    """Occurrences of keys that have several, by number among the rows given, ascending."""

    rows: Int64s
    elsewhere: Mask
    """Whether another document has the key too."""


def shared(keys: UInt64s, docs: Int64s) -> Shared:
    """The few rows that are worth looking at again.

    >>> shared(np.uint64([7, 8, 7, 9, 9]), np.array([3, 3, 3, 3, 4]))
    Shared(rows=array([0, 2, 3, 4]), elsewhere=array([False, False,  True,  True]))
    """
    order = np.argsort(keys)
    ordered = keys[order]
    same = np.zeros(len(keys) + 1, np.bool_)
    same[1:-1] = ordered[1:] == ordered[:-1]
    rows = order[same[1:] | same[:-1]]
    rows = rows[np.lexsort((docs[rows], keys[rows]))]
    first = _starts(keys[rows])
    group = np.cumsum(first) - 1
    lowest, highest = docs[rows[first]], docs[rows[np.append(first[1:], True)]] if len(rows) else docs[:0]
    elsewhere = (lowest != highest)[group]
    by_row = np.argsort(rows)
    return Shared(rows[by_row], elsewhere[by_row])


OWN_STEPS = 4


def own_steps(share: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
    """How original documents are, in quarters of their text: from 0, nearly all of it stands elsewhere, to 3.

    >>> own_steps(np.array([0.0, 0.24, 0.25, 0.99, 1.0])).tolist()
    [0, 0, 1, 3, 3]
    """
    return np.minimum(share * OWN_STEPS, OWN_STEPS - 1).astype(np.int8)


class Order(NamedTuple):
    """By what occurrences are preferred, one value for each: each only where all before are equal."""

    own: npt.NDArray[np.int8]
    """`own_steps` of the document."""
    preference: Int64s
    """See `stages.dedup.bands.preference`."""
    ids: UInt64s
    docs: Int64s
    places: npt.NDArray[np.integer]

    def best_first(self, rows: Int64s, *groups: npt.NDArray[np.generic]) -> Int64s:
        """Some of the occurrences, the best first; within `groups`, if they are given."""
        keys = (self.places[rows], self.docs[rows], self.ids[rows], ~self.preference[rows], ~self.own[rows])
        return rows[np.lexsort((*keys, *(group[rows] for group in groups)))]


class Repeats(NamedTuple):
    """Occurrences that are not owners, by number among the rows given, ascending."""

    rows: Int64s
    owner: Int64s
    """The row that owns the key of each."""


def repeats(keys: UInt64s, order: Order) -> Repeats:
    """Find the owner of each key that has several occurrences. The result depends on the rows alone, not on their order.

    >>> better = Order(np.int8([3, 3]), np.array([1, 2]), np.uint64([0, 0]), np.array([3, 4]), np.int32([0, 5]))
    >>> found = repeats(np.uint64([7, 7]), better)
    >>> found.rows.tolist(), found.owner.tolist()
    ([0], [1])
    """
    rows = order.best_first(np.arange(len(keys)), keys)
    first = _starts(keys[rows])
    owner = rows[first][np.cumsum(first) - 1]
    found, owner = rows[~first], owner[~first]
    by_row = np.argsort(found)
    return Repeats(found[by_row], owner[by_row])


def _starts(ordered: UInt64s) -> Mask:
    starts = np.ones(len(ordered), np.bool_)
    starts[1:] = ordered[1:] != ordered[:-1]
    return starts


class Runs(NamedTuple):
    """Stretches of repeated sentences with one owner, ordered by place; several may follow each other."""

    first: Int64s
    last: Int64s
    """Numbers of the first and the last sentence."""
    owner: Int64s
    """Reference of the document that owns the passage."""


def runs(units: Units, first: Int64s, length: npt.NDArray[np.int32], owner: Int64s, bounds: Bounds) -> Runs:
    """Unite repeated passages: `first` are sentence numbers, ascending. What is shorter than `bounds` says is left alone.

    Sentences below `brief` count for nothing: recipes repeat `去滓。温服。` without copying each other. A run does not end with a heading
    whose text stays.
    """
    by = np.full(len(units.start), -1, np.int64)
    _attribute(first, length, owner, by)
    _leave_headings(units.offsets, units.heads, by)
    at = np.flatnonzero(by >= 0)
    document = np.searchsorted(units.offsets, at, "right") - 1
    begins = np.ones(len(at), np.bool_)
    begins[1:] = (np.diff(at) > 1) | (np.diff(document) > 0)
    run = np.cumsum(begins) - 1
    words, characters = units.words[at], units.characters[at]
    telling = bounds.brief.reached(words, characters)
    long = np.bincount(run, bounds.single.reached(words, characters)) > 0
    enough = bounds.passage.reached(np.bincount(run, words * telling), np.bincount(run, characters * telling))
    good = long | (enough & (np.bincount(run) >= bounds.min_sentences))
    begins[1:] |= by[at[1:]] != by[at[:-1]]
    begins, at = begins[good[run]], at[good[run]]
    starts = np.flatnonzero(begins)
    return Runs(at[starts], at[np.append(starts, len(at))[1:] - 1], by[at[starts]])


@kernel
def _attribute(first, length, owner, by):  # type: ignore[no-untyped-def]
    """The owner of each sentence: of the passage that begins with it if that is repeated, else of the last one that holds it."""
    for passage in range(len(first)):
        for unit in range(first[passage], first[passage] + length[passage]):
            by[unit] = owner[passage]


@kernel
def _leave_headings(offsets, heading, by):  # type: ignore[no-untyped-def]
    for document in range(len(offsets) - 1):
        for unit in range(offsets[document + 1] - 2, offsets[document] - 1, -1):
            if heading[unit] and by[unit + 1] < 0:
                by[unit] = -1

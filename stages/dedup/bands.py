"""Bands: which documents are worth comparing. Two documents whose signatures agree in all rows of one band become a candidate pair.

A pair of similarity s agrees in a band of r rows with probability s^r, so in at least one of b bands with 1 - (1 - s^r)^b: an
S-curve. 16 bands of 8 rows find s = .9 with probability .9999, .8 with .947 and .5 with .061; FineWeb-2's 14 x 8 find .8 with
.924 (FIELD.md). A band hit is no proof: in templated text most are false, so `stages.dedup.verify` computes the true
similarity of each pair, and generous bands cost time but no document.

A bucket of m documents has m(m - 1)/2 pairs. Up to `bucket_limit` documents all are taken. Beyond, each member is paired with
representatives, the 4 that selection would prefer and 4 drawn by content and band, and with its neighbour in the drawn order: at
most 9 m pairs. The draw differs from band to band, so a member of a large cluster meets new partners in each, and it depends on
content alone, so a run over shuffled input proposes the same pairs. On the 15,081 questions of `medicine_en`, full of templates,
this proposes 101,154 pairs instead of 554,750 and loses 1 of 882 true ones (J >= .8), no removal. Of 2,000 copies of one page
with 0.5 % of the words changed, 1 is kept; representatives that are merely the longest would leave 126 where scores decide.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, vectorize

from stages.text.buffers import read_only
from stages.text.kernel import kernel

REPRESENTATIVES = 4
"""How many preferred documents, and how many drawn ones, every member of a large bucket is compared with."""

_FEW = 32
"""In buckets of up to so many rows, copies are found by comparing all rows with all."""
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_1, _32 = np.uint64(1), np.uint64(32)
_LOW = np.uint64(0x7FFFFFFF)


def band_keys(signatures: npt.NDArray[np.uint32], bands: int) -> npt.NDArray[np.uint64]:
    """One key for each band, (n, bands): a hash of the band's number and its rows. `bands` divides the signature's length.

    Keys of different bands differ, so that one partition of keys can hold all bands.
    """
    assert signatures.shape[1] % bands == 0, f"{bands} bands do not divide {signatures.shape[1]} permutations"
    keys = np.empty((len(signatures), bands), np.uint64)
    _band_keys(np.ascontiguousarray(signatures), keys)
    return keys


def detection_probability(similarity: float, bands: int, rows: int) -> float:
    """The probability that a pair of this similarity becomes a candidate.

    >>> round(detection_probability(0.8, bands=16, rows=8), 3)
    0.947
    """
    return float(1 - (1 - similarity**rows) ** bands)


def preference(scores: npt.NDArray[np.float64], num_chars: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The order of `stages.dedup.survivors` in one number, larger is better: score in single precision (NaN last), then length.

    >>> preference(np.array([0.5, 0.25, np.nan]), np.array([10, 20, 30])).argsort().tolist()
    [2, 1, 0]
    """
    bits = (scores.astype(np.float32) + np.float32(0)).view(np.int32).astype(np.int64)
    ordered = np.where(bits < 0, np.iinfo(np.int32).min - bits, bits)  # negative floats are in descending order of their bits
    ordered = np.where(np.isnan(scores), np.iinfo(np.int32).min, ordered)
    return np.asarray(ordered << 32 | np.minimum(num_chars, 0xFFFFFFFF))


def comparable(keys: npt.NDArray[np.uint64], contents: npt.NDArray[np.uint64], preferences: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rows that share a key with another content, ascending, and of each content of a key the preferred one, then the first.

    Most keys are a single document's, and rows of copies would meet in all of their bands.

    >>> keys, contents = np.array([5, 5, 7, 5, 9, 9], np.uint64), np.array([1, 2, 3, 1, 4, 4], np.uint64)
    >>> comparable(keys, contents, np.zeros(6, np.int64)).tolist(), comparable(keys, contents, np.arange(6)).tolist()
    ([0, 1], [1, 3])
    """
    by_key = np.argsort(keys)
    ordered = keys[by_key]
    chosen, large = np.zeros(len(keys), np.bool_), np.zeros(len(keys), np.bool_)
    _choose(read_only(by_key), read_only(ordered), read_only(contents), read_only(preferences), chosen, large)
    rest = np.flatnonzero(large)
    rest = rest[np.lexsort((rest, ~preferences[rest], contents[rest], keys[rest]))]
    chosen[rest[_first_of_equals(keys[rest]) | _first_of_equals(contents[rest])]] = True
    return np.flatnonzero(chosen)


def candidate_pairs(
    keys: npt.NDArray[np.uint64],
    docs: npt.NDArray[np.int64],
    preferences: npt.NDArray[np.int64],
    content_hash: npt.NDArray[np.uint64],
    bucket_limit: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pairs worth verifying among the rows of one partition, as (owner, other): unique, the same whatever the order of the rows.

    A row is one band of one document. All rows of one key must be in the same partition; pairs that several partitions find are
    the caller's to unite. `content_hash` differs between documents: of exact copies only one has rows. The owner is the end that
    is no representative, so that no document owns more than a few hundred pairs and verification can be spread by owner.
    """
    unique_docs, index = _numbered(docs)
    by_key = np.argsort(keys)
    sorted_keys = keys[by_key]
    first = np.flatnonzero(_first_of_equals(sorted_keys))
    bounds = np.append(first, len(keys))
    small = np.diff(bounds) <= bucket_limit
    found = [_all_pairs(index[by_key], bounds[:-1][small], bounds[1:][small])]
    for start, end in zip(bounds[:-1][~small].tolist(), bounds[1:][~small].tolist(), strict=True):
        rows = by_key[start:end]
        found.append(_representative_pairs(index[rows], preferences[rows], content_hash[rows], sorted_keys[start]))
    pairs = np.concatenate(found)
    pairs.sort()  # NumPy's sort of numbers is fast, its `unique` hashes: of 8 million pairs .1 and 8.5 s
    owner, other = np.empty(len(pairs), np.int64), np.empty(len(pairs), np.int64)
    count = _unpack(pairs, unique_docs, owner, other)
    return owner[:count], other[:count]


def _numbered(docs: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """As `np.unique` with the inverse, without sorting where rows come in the order of documents."""
    if (docs[1:] < docs[:-1]).any():
        unique, position = np.unique(docs, return_inverse=True)
        return unique, position.astype(np.uint64)
    first = _first_of_equals(docs)
    return docs[first], np.cumsum(first).astype(np.uint64) - _1


def _packed(owner: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Each pair in one number, in the order of smaller, larger, whether the larger owns: at most 2^31 documents meet in a partition."""
    return np.asarray(np.minimum(owner, other) << _32 | np.maximum(owner, other) << _1 | (owner > other))


def _first_of_equals(ordered: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    """Which values of a sorted array differ from the one before."""
    first = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return first


def _representative_pairs(
    index: npt.NDArray[np.uint64], preferences: npt.NDArray[np.int64], contents: npt.NDArray[np.uint64], key: np.uint64
) -> npt.NDArray[np.uint64]:
    """Pairs within one large bucket. Equal preferences are put in the order of contents, as `stages.dedup.survivors` does."""
    order = _mixed(contents ^ key)
    drawn = index[np.lexsort((index, order))]
    preferred = index[np.lexsort((contents, -preferences))]
    representatives = np.concatenate((drawn[:REPRESENTATIVES], preferred[:REPRESENTATIVES]))
    owner = np.concatenate((np.tile(index, len(representatives)), drawn[1:]))
    other = np.concatenate((np.repeat(representatives, len(index)), drawn[:-1]))
    different = owner != other
    return _packed(owner[different], other[different])


@kernel
def _choose(by_key, ordered, contents, preferences, chosen, large):  # type: ignore[no-untyped-def]
    """Mark the rows of `comparable` in buckets of up to `_FEW` rows, and all rows of larger ones as `large`."""
    start = 0
    while start < len(ordered):
        end = start + 1
        while end < len(ordered) and ordered[end] == ordered[start]:
            end += 1
        several = False
        for i in range(start + 1, end):
            several |= contents[by_key[i]] != contents[by_key[start]]
        for i in range(start, end if several else start):
            row, best = by_key[i], True
            if end - start > _FEW:
                large[row] = True
                continue
            for j in range(start, end):
                other = by_key[j]
                if contents[other] == contents[row]:
                    better = preferences[other] > preferences[row]
                    best &= not better and (preferences[other] != preferences[row] or other >= row)
            chosen[row] = best
        start = end


@kernel
def _unpack(pairs, docs, owner, other):  # type: ignore[no-untyped-def]
    """The ends of the different ones among sorted `_packed` pairs; returns how many they are."""
    count = 0
    for at in range(len(pairs)):
        if at == 0 or pairs[at] >> _1 != pairs[at - 1] >> _1:
            smaller, larger = docs[pairs[at] >> _32], docs[pairs[at] >> _1 & _LOW]
            owner[count], other[count] = (larger, smaller) if pairs[at] & _1 else (smaller, larger)
            count += 1
    return count


@njit(cache=True, nogil=True)
def _all_pairs(index, starts, ends):  # type: ignore[no-untyped-def]
    """Each pair of different documents of each bucket `index[start:end]`, as `_packed` with the smaller as owner."""
    sizes = ends - starts
    pairs = np.empty((sizes * (sizes - 1) // 2).sum(), np.uint64)
    count = 0
    for bucket in range(len(starts)):
        for i in range(starts[bucket], ends[bucket]):
            for j in range(i + 1, ends[bucket]):
                if index[i] != index[j]:
                    pairs[count] = min(index[i], index[j]) << _32 | max(index[i], index[j]) << _1
                    count += 1
    return pairs[:count]


@njit(cache=True, nogil=True)
def _band_keys(signatures, keys):  # type: ignore[no-untyped-def]
    rows = signatures.shape[1] // keys.shape[1]
    for document in range(keys.shape[0]):
        for band in range(keys.shape[1]):
            key = _mixed(np.uint64(band + 1) * _STEP)
            for row in range(band * rows, (band + 1) * rows):
                key = _mixed((key ^ np.uint64(signatures[document, row])) * _STEP)
            keys[document, band] = key


@vectorize(["uint64(uint64)"], cache=True)
def _mixed(value):  # type: ignore[no-untyped-def]
    value ^= value >> _32
    value *= _MIX
    return value ^ (value >> _32)

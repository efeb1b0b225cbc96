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

import numpy as np
import numpy.typing as npt
from numba import njit, vectorize

REPRESENTATIVES = 4
"""How many preferred documents, and how many drawn ones, every member of a large bucket is compared with."""

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
    unique_docs, position = np.unique(docs, return_inverse=True)
    index = position.astype(np.uint64)
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
    pairs.sort()
    pairs = pairs[_first_of_equals(pairs >> _1)]  # np.unique hashes: 8 million pairs take it 8.5 s, this way .1 s
    smaller, larger = (pairs >> _32).astype(np.int64), (pairs >> _1 & _LOW).astype(np.int64)
    owner_is_larger = (pairs & _1).astype(np.bool_)
    owner, other = np.where(owner_is_larger, larger, smaller), np.where(owner_is_larger, smaller, larger)
    return unique_docs[owner], unique_docs[other]


def _packed(owner: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Each pair in one number, in the order of smaller, larger, whether the larger owns: at most 2^31 documents meet in a partition."""
    return np.asarray(np.minimum(owner, other) << _32 | np.maximum(owner, other) << _1 | (owner > other))


def _first_of_equals(ordered: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
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

"""MinHash signatures: the share of equal lanes of two signatures estimates the Jaccard similarity of their shingle sets.

The scheme is datasketch 2.0's `affine32`, bit for bit: fmix32 of the low half of each shingle hash, then a·h + b mod 2^32 with
odd a for each permutation, and the minimum. So every signature can be checked with `datasketch.MinHash`, and ours compare with
those that users already have. The estimate has a standard error of sqrt(J(1 - J)/K): at K = 128 and J = .8 it is .035. More
permutations are more exact and cost proportionally; one-permutation hashing and circulant shifts were measured and gain nothing
here (PROBE.md), as shingling costs as much as 128 lanes.

The kernel shingles a document into a scratch array and folds 8 shingles into K lanes per pass, so that a signature is loaded and
stored once per 8. One core, K = 128, real documents (`benchmarks/dedup_kernels.py`): 215-260 MB/s en, 270-330 zh, shingling
included; 9-27 times datasketch's `update_batch` on ready hashes at usual lengths, more on short texts, and 400-575 times datatrove from
text to signatures (docs/benchmarks.md).
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.text.buffers import TextBuffer, read_only
from stages.text.fold import token_classes
from stages.text.shingles import hash_document, most_shingles

EMPTY = np.uint32(0xFFFFFFFF)
"""Every lane of the signature of a document without shingles, as in datasketch."""


def signatures(text: TextBuffer, shingle: int, permutations: int, seed: int) -> npt.NDArray[np.uint32]:
    """One signature per document, (n, permutations). Documents of fewer than `shingle` tokens have `EMPTY` in all lanes."""
    a, b = _permutations(permutations, seed)
    lanes = np.full((len(text), permutations), EMPTY, np.uint32)
    longest = int(text.lengths().max(initial=0))
    scratch = np.empty(most_shingles(longest), np.uint64)
    _sign(read_only(text.data), read_only(text.offsets), shingle, token_classes(), a, b, scratch, lanes)
    return lanes


def has_shingles(signatures: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Which documents have a shingle at all, (n,)."""
    return np.asarray((signatures != EMPTY).any(axis=1))


def expected_error(similarity: float, permutations: int) -> float:
    """Standard error of the estimated similarity.

    >>> round(expected_error(0.8, 128), 3)
    0.035
    """
    return float((similarity * (1 - similarity) / permutations) ** 0.5)


@lru_cache(maxsize=8)
def _permutations(permutations: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The odd factors a and the terms b, as datasketch draws them; importing it for these three lines would take half a second."""
    generator = np.random.RandomState(seed)
    a = generator.randint(0, 1 << 31, permutations, np.uint32) * np.uint32(2) + np.uint32(1)
    return a, generator.randint(0, 1 << 32, permutations, np.uint32)


@njit(cache=True, nogil=True)
def _sign(data, offsets, shingle, classes, a, b, scratch, lanes):  # type: ignore[no-untyped-def]
    for document in range(len(offsets) - 1):
        count = hash_document(data, offsets[document], offsets[document + 1], shingle, classes, scratch, 0)
        lane = lanes[document]
        full = count - count % 8
        for s in range(0, full, 8):
            h0, h1, h2, h3 = _fmix(scratch[s]), _fmix(scratch[s + 1]), _fmix(scratch[s + 2]), _fmix(scratch[s + 3])
            h4, h5, h6, h7 = _fmix(scratch[s + 4]), _fmix(scratch[s + 5]), _fmix(scratch[s + 6]), _fmix(scratch[s + 7])
            for k in range(len(a)):
                x, y = a[k], b[k]
                # numba widens uint32 products to 64 bits: each must be cast back
                first = min(np.uint32(x * h0 + y), np.uint32(x * h1 + y), np.uint32(x * h2 + y), np.uint32(x * h3 + y))
                second = min(np.uint32(x * h4 + y), np.uint32(x * h5 + y), np.uint32(x * h6 + y), np.uint32(x * h7 + y))
                lane[k] = min(lane[k], first, second)
        for s in range(full, count):
            h = _fmix(scratch[s])
            for k in range(len(a)):
                lane[k] = min(lane[k], np.uint32(a[k] * h + b[k]))


@njit(cache=True, nogil=True)
def _fmix(shingle_hash):  # type: ignore[no-untyped-def]
    """MurmurHash3's 32-bit finalizer of the low half."""
    h = np.uint32(shingle_hash)
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h = np.uint32(h ^ (h >> np.uint32(13)))
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))

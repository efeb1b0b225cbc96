"""Verification: the true Jaccard similarity of candidate pairs, so that no document is removed on a hash collision of bands.

In templated text most band hits are false: without this step .21-.31 of removals had a similarity of at least .7 to the document
that was kept (FIELD.md), with it all have at least `similarity`. Comparing signatures instead would be cheaper, but its standard
error at 128 permutations is .035, so that it decides at random near the threshold; and the sets are needed only for documents that
are in a candidate pair.

A merge of two sorted sets without unpredictable branches: 300-350 million hashes a second on one core
(`benchmarks/dedup_kernels.py`).
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.text.buffers import read_only


def exact_jaccard(
    offsets: npt.NDArray[np.int64],
    hashes: npt.NDArray[np.uint64],
    left_index: npt.NDArray[np.int64],
    right_index: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Similarity of each pair of sets, (pairs,); set i is `hashes[offsets[i]:offsets[i + 1]]`, sorted and unique.

    An empty set is similar to nothing: 0, also to another empty one.
    """
    sizes = np.diff(offsets)
    return jaccard(num_shared(offsets, hashes, left_index, right_index), sizes[left_index], sizes[right_index])


def jaccard(shared: npt.NDArray[np.int64], left_size: npt.NDArray[np.int64], right_size: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Similarity of two sets that share so many elements."""
    return np.asarray(shared / np.maximum(left_size + right_size - shared, 1))


def num_shared(
    offsets: npt.NDArray[np.int64],
    hashes: npt.NDArray[np.uint64],
    left_index: npt.NDArray[np.int64],
    right_index: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """How many elements both sets of each pair have, (pairs,)."""
    shared = np.empty(len(left_index), np.int64)
    _num_shared(read_only(offsets), read_only(hashes), read_only(left_index), read_only(right_index), shared)
    return shared


@njit(cache=True, nogil=True)
def _num_shared(offsets, hashes, left_index, right_index, shared):  # type: ignore[no-untyped-def]
    for pair in range(len(left_index)):
        i, left_end = offsets[left_index[pair]], offsets[left_index[pair] + 1]
        j, right_end = offsets[right_index[pair]], offsets[right_index[pair] + 1]
        count = 0
        while i < left_end and j < right_end:
            a, b = hashes[i], hashes[j]
            count += a == b
            i += a <= b
            j += b <= a
        shared[pair] = count

"""Connected components of a graph of documents: a union-find over one array that edges stream through.

It only gathers what must be looked at together. Being connected is no reason to be removed: chains of pairwise similar documents end
far from where they began, and peers that removed all but one of a component lost over 99.9 % of a templated source (FIELD.md).
`stages.dedup.survivors` decides inside.

Documents are numbered from 0, so that the forest is 4 bytes a document (8 beyond 4 billion of them) and edges need not be held: a
billion documents take 4 GB, whatever the number of pairs. Each edge takes amortised near-constant time.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Forest = npt.NDArray[np.unsignedinteger[Any]]
"""The parent of each document, never larger than the document itself; roots are their own."""


def forest(num_docs: int) -> Forest:
    """Every document for itself."""
    return np.arange(num_docs, dtype=np.uint32 if num_docs <= 1 << 32 else np.uint64)


def join(parent: Forest, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> None:
    """Put the ends of each edge into one component, in place. Order and direction of edges change no component."""
    assert len(left) == len(right)
    if len(left):
        _join(parent, left, right)


def settle(parent: Forest) -> Forest:
    """Let every document point to the smallest of its component, in place; the size of each component, at its root.

    >>> parent = forest(5)
    >>> join(parent, np.array([4, 1]), np.array([3, 4]))
    >>> settle(parent).tolist(), parent.tolist()
    ([1, 3, 1, 0, 0], [0, 1, 2, 1, 1])
    """
    size = np.zeros_like(parent)
    _settle(parent, size)
    return size


@njit(cache=True, nogil=True)
def _join(parent, left, right):  # type: ignore[no-untyped-def]
    for edge in range(len(left)):
        a = _root(parent, left[edge])
        b = _root(parent, right[edge])
        if a < b:
            parent[b] = a
        else:
            parent[a] = b


@njit(cache=True, nogil=True)
def _root(parent, doc):  # type: ignore[no-untyped-def]
    at = np.int64(doc)
    while parent[at] != at:
        parent[at] = parent[np.int64(parent[at])]  # path halving
        at = np.int64(parent[at])
    return at


@njit(cache=True, nogil=True)
def _settle(parent, size):  # type: ignore[no-untyped-def]
    for doc in range(len(parent)):
        root = parent[np.int64(parent[doc])]  # smaller ones are settled: a parent is never larger than its child
        parent[doc] = root
        size[np.int64(root)] += 1

"""Connected components of a graph of documents: a union-find over arrays.

It only gathers what must be decided together. Being connected is no reason to be removed: chains of pairwise similar documents end
far from where they began, and peers that removed all but one of a component lost over 99.9 % of a templated source (FIELD.md).
`stages.dedup.survivors` decides inside.

References are sorted and numbered once, then each edge takes amortised near-constant time: 10 million random edges over 10 million
documents in 4.8 s on one core, more than half of it the sort.
"""

import numpy as np
import numpy.typing as npt
from numba import njit


def components(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Each document of the edges, sorted and unique, and the smallest document of its component.

    The order and the direction of edges change nothing; an edge from a document to itself makes a component of one.

    >>> docs, root = components(np.array([7, 2]), np.array([9, 7]))
    >>> docs.tolist(), root.tolist()
    ([2, 7, 9], [2, 2, 2])
    """
    docs, index = np.unique(np.concatenate((left, right)), return_inverse=True)
    return docs, docs[_roots(index[: len(left)], index[len(left) :], len(docs))]


@njit(cache=True, nogil=True)
def _roots(left, right, num_docs):  # type: ignore[no-untyped-def]
    """The smallest index of each component, (num_docs,)."""
    parent = np.arange(num_docs)
    for edge in range(len(left)):
        a = _root(parent, left[edge])
        b = _root(parent, right[edge])
        parent[max(a, b)] = min(a, b)
    for doc in range(num_docs):
        parent[doc] = parent[parent[doc]]  # smaller ones are done: a parent is never larger than its child
    return parent


@njit(cache=True, nogil=True)
def _root(parent, doc):  # type: ignore[no-untyped-def]
    while parent[doc] != doc:
        parent[doc] = parent[parent[doc]]  # path halving
        doc = parent[doc]
    return doc

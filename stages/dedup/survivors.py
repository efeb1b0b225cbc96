"""Survivors: which document of a cluster stays, and which kept document each other one duplicates.

Documents of the same content form a node; verified near-duplicates are edges between nodes. Nodes are taken in order of preference
(score, then length, then id); a node survives unless it has an edge to one that survives already. So every removed document has a
direct verified edge to a kept one, and no two kept ones share an edge. Rejected alternative: keep one document per connected
component; chains of templates then remove documents that resemble nothing that is kept (FIELD.md: .21 of removals justified).

Only clean documents, those without a rejecting reason, survive. The others are still told which survivor they match, for the
ledger. The result depends on the documents and edges alone, not on their order, so shards and workers change nothing.

The price: more is kept than by transitive closure, and a document whose edge to a survivor was never proposed stays. Beyond
`bucket_limit` not all pairs are proposed, so `stages.dedup.bands` compares every member with the ones that are preferred here.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

EXACT, NEAR = 1, 2
"""Bits of `Decision.kind`."""


class Decision(NamedTuple):
    """What is decided for each document, in the order given."""

    duplicate_of: npt.NDArray[np.int64]
    """Reference of the kept document; -1 for survivors, and for documents that match none."""
    similarity: npt.NDArray[np.float64]
    """To the content of the kept document: 1 for exact copies, 0 where `duplicate_of` is -1."""
    kind: npt.NDArray[np.int8]
    """0, `EXACT`, `NEAR`, or both for copies of a document that is itself a near-duplicate."""
    cluster_size: npt.NDArray[np.int64]
    """Documents that share the survivor, itself and unclean ones included; 1 for one alone."""


def survivors(
    *,
    docs: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    clean: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float64],
    num_chars: npt.NDArray[np.int64],
    id_ranks: npt.NDArray[np.int64],
    edge_left: npt.NDArray[np.int64],
    edge_right: npt.NDArray[np.int64],
    edge_similarity: npt.NDArray[np.float64],
) -> Decision:
    """Decide for all documents of some components, given in any order.

    `docs` are unique references and `groups` the smallest reference among the documents of the same content. A score of NaN comes
    after all others. `id_ranks` are positions among the sorted ids. Edges lead from group to group, each pair at least once in
    either direction, and every group has documents here.
    """
    order = np.lexsort((docs, id_ranks, -num_chars, np.where(np.isnan(scores), np.inf, -scores), ~clean))
    names, first, name = np.unique(groups[order], return_index=True, return_inverse=True)
    number = np.argsort(np.argsort(first))  # of each name: nodes are numbered by preference, the best is 0
    best = order[np.sort(first)]  # of each node: its preferred document
    node = np.empty(len(docs), np.int64)  # of each document
    node[order] = number[name]

    left, right = np.searchsorted(names, edge_left), np.searchsorted(names, edge_right)
    assert np.isin(np.concatenate((edge_left, edge_right)), names).all(), "an edge leads to a group without documents"
    bounds, neighbour, similarity = _neighbours(number[left], number[right], edge_similarity, len(best))
    survives = _independent(clean[best], bounds, neighbour)
    kept, closeness = _nearest(survives, bounds, neighbour, similarity)

    keeper = kept[node]
    matched = keeper >= 0
    is_best = best[node] == np.arange(len(docs))
    removed = matched & ~(survives[node] & is_best)
    kind = np.where(matched & ~survives[node], NEAR, 0) | np.where(matched & ~is_best, EXACT, 0)
    sizes = np.bincount(keeper[matched], minlength=1)
    return Decision(
        duplicate_of=np.where(removed, docs[best[keeper]], -1),
        similarity=np.where(removed, closeness[node], 0.0),
        kind=kind.astype(np.int8),
        cluster_size=np.where(matched, sizes[keeper], 1),
    )


def _neighbours(
    left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], similarity: npt.NDArray[np.float64], num_nodes: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Both directions of each edge: node i has `neighbour[bounds[i]:bounds[i + 1]]`, ascending, and their similarities."""
    source, target = np.concatenate((left, right)), np.concatenate((right, left))
    by_source = np.lexsort((target, source))
    bounds = np.searchsorted(source[by_source], np.arange(num_nodes + 1))
    return bounds, target[by_source], np.concatenate((similarity, similarity))[by_source]


@njit(cache=True, nogil=True)
def _independent(clean, bounds, neighbour):  # type: ignore[no-untyped-def]
    survives = np.zeros(len(clean), np.bool_)
    for node in range(len(clean)):
        survives[node] = clean[node]
        for edge in range(bounds[node], bounds[node + 1]):
            if survives[neighbour[edge]] and neighbour[edge] != node:
                survives[node] = False
    return survives


@njit(cache=True, nogil=True)
def _nearest(survives, bounds, neighbour, similarity):  # type: ignore[no-untyped-def]
    """The survivor that each node belongs to, -1 if none, and how similar it is: itself, else the most similar, else preferred."""
    kept = np.full(len(survives), -1, np.int64)
    highest = np.full(len(survives), -1.0)
    for node in range(len(survives)):
        if survives[node]:
            kept[node] = node
            highest[node] = 1.0
            continue
        for edge in range(bounds[node], bounds[node + 1]):
            other = neighbour[edge]
            if survives[other] and similarity[edge] > highest[node]:  # neighbours are in order of preference
                kept[node] = other
                highest[node] = similarity[edge]
    return kept, highest

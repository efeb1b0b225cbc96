"""Survivors: which document of a cluster stays, and which kept document each other one duplicates.

Documents of the same content form a node; verified near-duplicates are edges between nodes. Nodes are taken in order of preference
(score, then length, then id); a node survives unless it has an edge to one that survives already. So every removed document has a
direct verified edge to a kept one, and no two kept ones share an edge. Rejected alternative: keep one document per connected
component; chains of templates then remove documents that resemble nothing that is kept (FIELD.md: .21 of removals justified).

Only clean documents, those without a rejecting reason, survive. The others are still told which survivor they match, for the
ledger. The result depends on the documents and edges alone, not on their order, so shards and workers change nothing.

The price: a maximal independent set keeps a few more documents than transitive closure, and a document whose edge to a survivor was
never proposed stays. In buckets beyond `bucket_limit` not all pairs are proposed; `untested_pairs` names those that matter.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.dedup.verify import Edges

EXACT, NEAR = 1, 2
"""Bits of `Decision.kind`."""


class Documents(NamedTuple):
    """What the decision looks at, one entry a document, in any order."""

    doc: npt.NDArray[np.int64]
    """Reference, unique."""
    group: npt.NDArray[np.int64]
    """The smallest reference among the documents of the same content; its own if there is no other."""
    clean: npt.NDArray[np.bool_]
    """No stage speaks against it."""
    score: npt.NDArray[np.float64]
    """Quality, higher is better; NaN, if there is none, comes last."""
    num_chars: npt.NDArray[np.int64]
    id_rank: npt.NDArray[np.int64]
    """Position of the id among sorted ids."""


class Decision(NamedTuple):
    """One entry a document, in the order of `Documents`."""

    duplicate_of: npt.NDArray[np.int64]
    """Reference of the kept document; -1 for survivors, and for documents that match none."""
    similarity: npt.NDArray[np.float64]
    """To the content of the kept document: 1 for exact copies, 0 where `duplicate_of` is -1."""
    kind: npt.NDArray[np.uint8]
    """0, `EXACT`, `NEAR`, or both for copies of a document that is itself a near-duplicate."""
    cluster_size: npt.NDArray[np.int64]
    """Documents that share the survivor, itself and unclean ones included; 1 for one alone."""


def survivors(documents: Documents, edges: Edges) -> Decision:
    """Decide. `edges` are between groups, each pair at least once in either direction; every group has documents here."""
    graph = _graph(documents, edges)
    survives = _independent(graph.clean, graph.bounds, graph.neighbour)
    kept, similarity = _nearest(survives, graph.bounds, graph.neighbour, graph.similarity)

    node = graph.node
    is_best = graph.best[node] == np.arange(len(node))
    keeper = kept[node]
    matched = keeper >= 0
    is_survivor = survives[node] & is_best
    near = matched & ~survives[node]
    duplicate_of = np.where(matched & ~is_survivor, documents.doc[graph.best[keeper]], -1)
    kind = np.where(near, NEAR, 0) | np.where(matched & ~is_best, EXACT, 0)
    sizes = np.bincount(keeper[matched], minlength=len(kept))
    cluster_size = np.where(matched, sizes[keeper], 1)
    similarity = np.where(matched & ~is_survivor, similarity[node], 0.0)
    return Decision(duplicate_of, similarity, kind.astype(np.uint8), cluster_size)


class _Graph(NamedTuple):
    """Nodes numbered by preference, the best first; the neighbours of node i are `neighbour[bounds[i]:bounds[i + 1]]`."""

    node: npt.NDArray[np.int64]  # of each document
    best: npt.NDArray[np.int64]  # the position in `Documents` of each node's preferred document
    clean: npt.NDArray[np.bool_]
    bounds: npt.NDArray[np.int64]
    neighbour: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]


def _graph(documents: Documents, edges: Edges) -> _Graph:
    score = np.where(np.isnan(documents.score), -np.inf, documents.score)
    by_preference = np.lexsort((documents.doc, documents.id_rank, -documents.num_chars, -score, ~documents.clean))
    groups, first, index = np.unique(documents.group[by_preference], return_index=True, return_inverse=True)
    node_of_group = np.empty(len(groups), np.int64)
    node_of_group[np.argsort(first)] = np.arange(len(groups))
    node = np.empty(len(documents.doc), np.int64)
    node[by_preference] = node_of_group[index]
    best = by_preference[np.sort(first)]

    left = node_of_group[_position(groups, edges.left)]
    right = node_of_group[_position(groups, edges.right)]
    source, target = np.concatenate((left, right)), np.concatenate((right, left))
    by_source = np.lexsort((target, source))
    bounds = np.searchsorted(source[by_source], np.arange(len(groups) + 1))
    similarity = np.concatenate((edges.similarity, edges.similarity))[by_source]
    return _Graph(node, best, documents.clean[best], bounds, target[by_source], similarity)


def _position(groups: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    position = np.searchsorted(groups, wanted)
    assert np.array_equal(groups[np.minimum(position, len(groups) - 1)], wanted), "an edge leads to a group without documents"
    return position


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
    highest = np.zeros(len(survives), np.float64)
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

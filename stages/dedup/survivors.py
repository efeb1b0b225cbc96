"""Survivors: which document of a cluster stays, and which kept document each other one duplicates.

Documents of the same content form a node; verified near-duplicates are edges between nodes. Nodes are taken in order of preference
(score, then length, then content hash; within a node by id); a node survives unless it has an edge to one that survives already. So every
removed document has a direct verified edge to a kept one, and no two kept ones share an edge. Rejected alternative: keep one document per
connected component; chains of templates then remove documents that resemble nothing that is kept (FIELD.md: .21 of removals justified).

Only clean documents, those without a rejecting reason, survive. The others are still told which survivor they match, for the
ledger. The result depends on the documents and edges alone, not on their order, so shards and workers change nothing.

The price: more is kept than by transitive closure, and a document whose edge to a survivor was never proposed stays. Beyond
`bucket_limit` not all pairs are proposed, so `stages.dedup.bands` compares every member with the ones that are preferred here. That is why
contents decide before ids: bands do not know ids, and where both order by the same, of 77,146 documents in template clusters 435 stay that
a comparison of all would remove, instead of 4,532 (docs/dedup_evidence.md).

An edge may lead one way only: a document that is contained in a longer one may go for it, the longer never for the part of it.
Where URLs count, documents of one URL are decided first: the preferred clean one stands for it, and the others survive nowhere.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.dedup.grouping import places
from stages.text.buffers import read_only
from stages.text.kernel import kernel

EXACT, NEAR, CONTAINED, URL = 1, 2, 4, 8
"""Bits of `Decision.kind`."""

LEFT_MAY_GO, RIGHT_MAY_GO = 1, 2
"""Bits of the ways of an edge: which end may be removed for the other."""


class Edges(NamedTuple):
    """Verified pairs of groups, each named by its smallest document: parts of all edges of some components, (n,) each."""

    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]
    ways: npt.NDArray[np.int8]
    """Which end may go for the other."""


class Decision(NamedTuple):
    """What is decided for each document, in the order given."""

    duplicate_of: npt.NDArray[np.int64]
    """Reference of the kept document; -1 for survivors, and for documents that match none."""
    similarity: npt.NDArray[np.float64]
    """Jaccard, to the content of the kept document: 1 for exact copies, 0 where `duplicate_of` is -1 or only the URL is shared."""
    kind: npt.NDArray[np.int8]
    """0 or a sum of bits: a copy of a document that is itself a near-duplicate has `EXACT` and `NEAR`."""
    cluster_size: npt.NDArray[np.int64]
    """Documents that share the survivor, itself and unclean ones included; 1 for one alone."""
    num_clean: npt.NDArray[np.int64]
    """Of these the clean ones of this run: as many as are kept if duplicates are not dropped."""


def survivors(
    *,
    docs: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    clean: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float64],
    num_chars: npt.NDArray[np.int64],
    contents: npt.NDArray[np.uint64],
    id_ranks: npt.NDArray[np.int64],
    edges: Iterable[Edges],
    near_similarity: float = 0.0,
    urls: npt.NDArray[np.int64] | None = None,
    earlier: npt.NDArray[np.bool_] | None = None,
) -> Decision:
    """Decide for all documents of some components, given in any order.

    `docs` are unique references and `groups` the smallest reference among the documents of the same content. A score of NaN comes
    after all others. `contents` are hashes, equal within a group; `id_ranks` are positions among the sorted ids. Edges lead from group
    to group, each pair at least once in either direction, and every group has documents here; those of a similarity below
    `near_similarity` are there for containment. `urls` names the smallest reference among the documents of the same URL. `earlier` are
    documents of earlier runs; clean ones were kept there: they are preferred to all others, and stay whatever other earlier ones resemble
    them, to which an edge leads where a new copy names the group.

    Own memory is 12 bytes an edge beside what `edges` yields, of which similarities and ways are read again.
    """
    earlier = np.zeros(len(docs), np.bool_) if earlier is None else earlier
    preference = (docs, id_ranks, contents, -num_chars, np.where(np.isnan(scores), np.inf, -scores), ~earlier)
    if urls is not None:
        chosen = _first_of_each(urls, np.lexsort((*preference, ~clean)))
        decision = survivors(
            docs=docs, groups=groups, clean=clean & (earlier | (chosen == np.arange(len(docs)))), scores=scores,
            num_chars=num_chars, contents=contents, id_ranks=id_ranks, edges=edges, near_similarity=near_similarity, earlier=earlier,
        )  # fmt: skip
        return _with_urls(decision, docs, clean, earlier, chosen)
    own = clean & ~earlier
    order = np.lexsort((*preference, ~clean))
    names, first, name = np.unique(groups[order], return_index=True, return_inverse=True)
    number = np.argsort(np.argsort(first))  # of each name: nodes are numbered by preference, the best is 0
    best = order[np.sort(first)]  # of each node: its preferred document
    node = np.empty(len(docs), np.int64)  # of each document
    node[order] = number[name]

    numbered = [_numbered(part, names, number) for part in edges]
    survives = _independent(clean[best], int((clean & earlier)[best].sum()), numbered)
    kept, closeness = _nearest(survives, numbered)

    keeper = kept[node]
    matched = keeper >= 0
    is_best = best[node] == np.arange(len(docs))
    removed = matched & ~(survives[node] & is_best)
    near = np.where(closeness[node] >= near_similarity, NEAR, CONTAINED)
    kind = np.where(matched & ~survives[node], near, 0) | np.where(matched & ~is_best, EXACT, 0)
    sizes, of_own = np.bincount(keeper[matched], minlength=1), np.bincount(keeper[matched & own], minlength=len(best))
    return Decision(
        duplicate_of=np.where(removed, docs[best[keeper]], -1),
        similarity=np.where(removed, closeness[node], 0.0),
        kind=kind.astype(np.int8),
        cluster_size=np.where(matched, sizes[keeper], 1),
        num_clean=np.where(matched, of_own[keeper], own),
    )


class _Edges(NamedTuple):
    """As `Edges`, between nodes."""

    left: npt.NDArray[np.uint32]
    right: npt.NDArray[np.uint32]
    similarity: npt.NDArray[np.float64]
    ways: npt.NDArray[np.int8]


def _numbered(edges: Edges, names: npt.NDArray[np.int64], number: npt.NDArray[np.int64]) -> _Edges:
    left, right = (number[places(names, groups)].astype(np.uint32) for groups in (edges.left, edges.right))
    return _Edges(read_only(left), read_only(right), read_only(edges.similarity), read_only(edges.ways))


def _independent(clean: npt.NDArray[np.bool_], num_stay: int, edges: list[_Edges]) -> npt.NDArray[np.bool_]:
    """Which nodes survive. Nodes are in order of preference, so of each edge only the worse end may go for the better.

    The first `num_stay` nodes stay: they are those of earlier runs.
    """
    bounds = np.zeros(len(clean) + 1, np.int64)
    for part in edges:
        _count_better(part.left, part.right, part.ways, num_stay, bounds)
    np.cumsum(bounds, out=bounds)
    better, begin = np.empty(bounds[-1], np.uint32), bounds[:-1].copy()
    for part in edges:
        _place_better(part.left, part.right, part.ways, num_stay, begin, better)
    survives = clean.copy()
    _survive(bounds, better, survives)
    return survives


def _nearest(survives: npt.NDArray[np.bool_], edges: list[_Edges]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The survivor that each node belongs to, -1 if none, and how similar it is: itself, else the most similar, else preferred."""
    kept = np.where(survives, np.arange(len(survives)), -1)
    highest = np.where(survives, 1.0, -1.0)
    for part in edges:
        _take_nearer(part.left, part.right, part.similarity, part.ways, survives, kept, highest)
    return kept, highest


def _first_of_each(groups: npt.NDArray[np.int64], order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each position the position of its group's first member in `order`."""
    _, first, name = np.unique(groups[order], return_index=True, return_inverse=True)
    chosen = np.empty(len(groups), np.int64)
    chosen[order] = order[first][name]
    return chosen


def _with_urls(
    decision: Decision,
    docs: npt.NDArray[np.int64],
    clean: npt.NDArray[np.bool_],
    earlier: npt.NDArray[np.bool_],
    chosen: npt.NDArray[np.int64],
) -> Decision:
    """Documents that another of the same URL stands for: they belong to that one, or to the document that was kept for it."""
    behind = clean[chosen] & ~(clean & earlier) & (chosen != np.arange(len(docs)))
    keeper = np.where(decision.duplicate_of[chosen] >= 0, decision.duplicate_of[chosen], docs[chosen])
    alone = behind & (decision.duplicate_of < 0)
    duplicate_of = np.where(alone, keeper, decision.duplicate_of)
    _, kept, sizes = np.unique(np.where(duplicate_of >= 0, duplicate_of, docs), return_inverse=True, return_counts=True)
    return Decision(
        duplicate_of=duplicate_of,
        similarity=decision.similarity,
        kind=(decision.kind | np.where(behind, URL, 0)).astype(np.int8),
        cluster_size=sizes[kept],
        num_clean=np.bincount(kept[clean & ~earlier], minlength=len(sizes))[kept],
    )


@kernel
def _goes(left, right, ways, num_stay):  # type: ignore[no-untyped-def]
    """Whether an edge lets its worse end go for its better one."""
    return left != right and max(left, right) >= num_stay and ways & (LEFT_MAY_GO if left > right else RIGHT_MAY_GO) != 0


@kernel
def _count_better(left, right, ways, num_stay, bounds):  # type: ignore[no-untyped-def]
    for edge in range(len(left)):
        bounds[max(left[edge], right[edge]) + 1] += _goes(left[edge], right[edge], ways[edge], num_stay)


@kernel
def _place_better(left, right, ways, num_stay, begin, better):  # type: ignore[no-untyped-def]
    """Gather the better nodes that each node may go for."""
    for edge in range(len(left)):
        if _goes(left[edge], right[edge], ways[edge], num_stay):
            worse = max(left[edge], right[edge])
            better[begin[worse]] = min(left[edge], right[edge])
            begin[worse] += 1


@kernel
def _survive(bounds, better, survives):  # type: ignore[no-untyped-def]
    for node in range(len(survives)):
        for edge in range(bounds[node], bounds[node + 1]):
            if survives[better[edge]]:
                survives[node] = False


@kernel
def _take_nearer(left, right, similarity, ways, survives, kept, highest):  # type: ignore[no-untyped-def]
    for edge in range(len(left)):
        for node, other, way in ((left[edge], right[edge], LEFT_MAY_GO), (right[edge], left[edge], RIGHT_MAY_GO)):
            if ways[edge] & way and survives[other] and not survives[node]:
                nearer = similarity[edge] > highest[node]
                if nearer or (similarity[edge] == highest[node] and other < kept[node]):
                    kept[node] = other
                    highest[node] = similarity[edge]

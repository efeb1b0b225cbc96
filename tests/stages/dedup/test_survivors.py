"""The decision among duplicates: a plain reference, and what must hold for any documents and edges."""

import math
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.dedup.survivors import CONTAINED, LEFT_MAY_GO, NEAR, RIGHT_MAY_GO, Decision, Edges, survivors


@dataclass(frozen=True)
class Document:
    doc: int
    group: int
    clean: bool = True
    score: float = math.nan
    num_chars: int = 100
    id_rank: int = 0

    @property
    def content(self) -> int:
        return self.group * 7919 % 13

    @property
    def order(self) -> tuple[float | int | bool, ...]:
        return not self.clean, math.inf if math.isnan(self.score) else -self.score, -self.num_chars, self.content, self.id_rank, self.doc


Edge = tuple[int, int, float]
Fate = tuple[int, float, int, int]  # duplicate_of, similarity, kind, cluster_size


def in_arrays(edges: list[tuple[int, int, float, int]]) -> Edges:
    columns = zip(*edges, strict=True) if edges else [()] * 4
    return Edges(*(np.array(values, dtype) for values, dtype in zip(columns, (np.int64, np.int64, np.float64, np.int8), strict=True)))


def decide(documents: list[Document], edges: list[Edge]) -> dict[int, Fate]:
    decision = survivors(
        docs=np.array([d.doc for d in documents], np.int64),
        groups=np.array([d.group for d in documents], np.int64),
        clean=np.array([d.clean for d in documents], np.bool_),
        scores=np.array([d.score for d in documents], np.float64),
        num_chars=np.array([d.num_chars for d in documents], np.int64),
        contents=np.array([d.content for d in documents], np.uint64),
        id_ranks=np.array([d.id_rank for d in documents], np.int64),
        edges=[in_arrays([(*edge, LEFT_MAY_GO | RIGHT_MAY_GO) for edge in part]) for part in (edges[:2], edges[2:])],
    )
    fates = zip(*(column.tolist() for column in decision[:4]), strict=True)
    return dict(zip((d.doc for d in documents), fates, strict=True))


def reference(documents: list[Document], edges: list[Edge]) -> dict[int, Fate]:
    members: dict[int, list[Document]] = {}
    for document in sorted(documents, key=lambda d: d.order):
        members.setdefault(document.group, []).append(document)
    nodes = sorted(members, key=lambda group: members[group][0].order)
    similar = {frozenset((left, right)): similarity for left, right, similarity in edges}
    kept: list[int] = []
    for node in nodes:
        if members[node][0].clean and not any(frozenset((node, other)) in similar for other in kept):
            kept.append(node)
    keeper: dict[int, tuple[int, float] | None] = {}
    for node in nodes:
        close = [
            (similar[frozenset((node, other))], -rank, other) for rank, other in enumerate(kept) if frozenset((node, other)) in similar
        ]
        keeper[node] = (node, 1.0) if node in kept else (max(close)[2], max(close)[0]) if close else None
    fates: dict[int, Fate] = {}
    for node in nodes:
        for document in members[node]:
            found = keeper[node]
            is_best = document == members[node][0]
            if found is None:
                fates[document.doc] = (-1, 0.0, 0, 1)
                continue
            size = sum(len(members[other]) for other in nodes if (match := keeper[other]) and match[0] == found[0])
            if found[0] == node and is_best:
                fates[document.doc] = (-1, 0.0, 0, size)
            else:
                kind = (0 if found[0] == node else 2) + (0 if is_best else 1)
                fates[document.doc] = (members[found[0]][0].doc, found[1], kind, size)
    return fates


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Document], list[Edge]]:
    num_groups = draw(st.integers(1, 8))
    groups = draw(st.lists(st.integers(0, num_groups - 1), min_size=1, max_size=14))
    ranks = draw(st.permutations(range(len(groups))))
    first = {group: groups.index(group) for group in groups}
    documents = [
        Document(
            doc=index,
            group=first[group],
            clean=draw(st.booleans()),
            score=draw(st.sampled_from([math.nan, 0.25, 0.5])),
            num_chars=draw(st.sampled_from([100, 200])),
            id_rank=ranks[index],
        )
        for index, group in enumerate(groups)
    ]
    names = sorted(first.values())
    possible = [(a, b) for a in names for b in names if a < b]
    chosen = draw(st.lists(st.sampled_from(possible), unique=True)) if possible else []
    return documents, [(a, b, draw(st.sampled_from([0.8, 0.85, 0.9, 1.0]))) for a, b in chosen]


@given(clusters())
def test_the_decision_equals_the_plain_reference(cluster: tuple[list[Document], list[Edge]]) -> None:
    assert decide(*cluster) == reference(*cluster)


@given(clusters(), st.randoms(use_true_random=False))
def test_the_order_of_documents_and_edges_changes_nothing(cluster, random) -> None:
    documents, edges = cluster
    shuffled = [edge if random.random() < 0.5 else (edge[1], edge[0], edge[2]) for edge in edges]
    shuffled += shuffled[: random.randrange(3)]  # an edge said twice is said once
    random.shuffle(shuffled)
    assert decide(random.sample(documents, len(documents)), shuffled) == decide(documents, edges)


@given(clusters())
def test_what_is_removed_has_a_direct_edge_to_a_clean_kept_document(cluster: tuple[list[Document], list[Edge]]) -> None:
    documents, edges = cluster
    fates = decide(documents, edges)
    by_doc = {d.doc: d for d in documents}
    similar = {frozenset((left, right)): similarity for left, right, similarity in edges}
    for doc, (keeper, similarity, kind, _) in fates.items():
        if keeper == -1:
            assert (similarity, kind) == (0.0, 0)
            continue
        assert by_doc[keeper].clean
        assert fates[keeper][0] == -1
        groups = frozenset((by_doc[doc].group, by_doc[keeper].group))
        assert similarity == (1.0 if len(groups) == 1 else similar[groups])


@given(clusters())
def test_no_two_kept_documents_are_similar_and_no_clean_one_is_lost(cluster: tuple[list[Document], list[Edge]]) -> None:
    documents, edges = cluster
    fates = decide(documents, edges)
    kept = [d.group for d in documents if d.clean and fates[d.doc][0] == -1]
    assert len(kept) == len(set(kept))
    assert not any(left in kept and right in kept for left, right, _ in edges)
    sizes = sum(fates[d.doc][3] for d in documents if fates[d.doc][0] == -1)
    assert sizes == len(documents)


A, B, C = Document(1, 1, num_chars=300), Document(2, 2, num_chars=200), Document(3, 3, num_chars=100)


def test_a_chain_is_not_collapsed() -> None:
    fates = decide([A, B, C], [(1, 2, 0.9), (2, 3, 0.85)])
    assert fates == {1: (-1, 0.0, 0, 2), 2: (1, 0.9, 2, 2), 3: (-1, 0.0, 0, 1)}


def test_a_duplicate_belongs_to_the_most_similar_survivor() -> None:
    fates = decide([A, replace(B, score=0.1), C], [(1, 3, 0.85), (2, 3, 0.9)])
    assert fates[3] == (2, 0.9, 2, 2)


def test_score_beats_length_and_length_beats_content_and_id() -> None:
    assert decide([A, replace(B, score=0.1)], [(1, 2, 0.9)])[1] == (2, 0.9, 2, 2)
    assert decide([replace(A, score=0.1), replace(B, score=0.1)], [(1, 2, 0.9)])[2] == (1, 0.9, 2, 2)
    assert A.content < B.content
    assert decide([replace(A, num_chars=200, id_rank=1), replace(B, id_rank=0)], [(1, 2, 0.9)])[2] == (1, 0.9, 2, 2)
    assert decide([replace(A, id_rank=1), Document(4, 1, num_chars=300, id_rank=0)], [])[1] == (4, 1.0, 1, 2)


def test_a_rejected_document_never_keeps_a_clean_one_out() -> None:
    fates = decide([replace(A, clean=False, score=0.9), B], [(1, 2, 0.9)])
    assert fates == {1: (2, 0.9, 2, 2), 2: (-1, 0.0, 0, 2)}


def test_when_the_survivor_is_rejected_members_without_an_edge_to_another_return() -> None:
    edges = [(1, 2, 0.9), (1, 3, 0.9)]
    assert [fate[0] for fate in decide([A, B, C], edges).values()] == [-1, 1, 1]
    assert [fate[0] for fate in decide([replace(A, clean=False), B, C], edges).values()] == [2, -1, -1]


def test_copies_of_a_near_duplicate_have_both_bits() -> None:
    copy = Document(4, 2, num_chars=200, id_rank=9)
    fates = decide([A, B, copy], [(1, 2, 0.9)])
    assert fates[2] == (1, 0.9, 2, 3)
    assert fates[4] == (1, 0.9, 3, 3)


def test_the_clean_copy_represents_its_content() -> None:
    fates = decide([replace(A, clean=False), Document(5, 1, num_chars=300, id_rank=7)], [])
    assert fates == {1: (5, 1.0, 1, 2), 5: (-1, 0.0, 0, 2)}


def decision_with(documents: list[Document], edges: list[tuple[int, int, float, int]], **more: list[int]) -> Decision:
    """With the ways of each edge, and `urls` or `earlier` of each document."""
    return survivors(
        docs=np.array([d.doc for d in documents], np.int64),
        groups=np.array([d.group for d in documents], np.int64),
        clean=np.array([d.clean for d in documents], np.bool_),
        scores=np.array([d.score for d in documents], np.float64),
        num_chars=np.array([d.num_chars for d in documents], np.int64),
        contents=np.array([d.content for d in documents], np.uint64),
        id_ranks=np.array([d.id_rank for d in documents], np.int64),
        edges=[in_arrays(edges)],
        near_similarity=0.8,
        urls=np.array(more["urls"], np.int64) if "urls" in more else None,
        earlier=np.array(more["earlier"], np.bool_) if "earlier" in more else None,
    )


def decide_with(documents: list[Document], edges: list[tuple[int, int, float, int]], **more: list[int]) -> dict[int, Fate]:
    """As `decide`, of `decision_with`."""
    fates = zip(*(column.tolist() for column in decision_with(documents, edges, **more)[:4]), strict=True)
    return dict(zip((d.doc for d in documents), fates, strict=True))


def test_an_edge_of_one_way_removes_only_that_end() -> None:
    assert decide_with([A, B], [(1, 2, 0.5, RIGHT_MAY_GO)]) == {1: (-1, 0.0, 0, 2), 2: (1, 0.5, CONTAINED, 2)}
    assert decide_with([A, B], [(1, 2, 0.5, LEFT_MAY_GO)]) == {1: (-1, 0.0, 0, 1), 2: (-1, 0.0, 0, 1)}
    assert decide_with([A, B], [(2, 1, 0.9, LEFT_MAY_GO)]) == {1: (-1, 0.0, 0, 2), 2: (1, 0.9, NEAR, 2)}


def test_earlier_documents_stay_and_are_preferred_to_better_ones() -> None:
    edges = [(1, 2, 0.9, LEFT_MAY_GO | RIGHT_MAY_GO), (1, 3, 0.85, LEFT_MAY_GO | RIGHT_MAY_GO)]
    fates = decide_with([A, B, C], edges, earlier=[0, 1, 1])
    assert fates == {1: (2, 0.9, NEAR, 2), 2: (-1, 0.0, 0, 2), 3: (-1, 0.0, 0, 1)}


def test_earlier_documents_that_resemble_each_other_both_stay() -> None:
    new_copy, similar = Document(0, 0, num_chars=300), Document(4, 4)  # the copy names the group, so that its edge to the other one counts
    both = LEFT_MAY_GO | RIGHT_MAY_GO
    for worse, better in ((1, 2), (2, 1)):
        first, second = Document(1, 0, id_rank=worse, num_chars=300), Document(2, 2, num_chars=300 + better)
        fates = decide_with([new_copy, first, second, similar], [(0, 2, 0.9, both), (0, 4, 0.85, both)], earlier=[0, 1, 1, 0])
        assert fates == {0: (1, 1.0, 1, 3), 1: (-1, 0.0, 0, 3), 2: (-1, 0.0, 0, 1), 4: (1, 0.85, NEAR, 3)}


@given(clusters(), st.data())
def test_what_an_earlier_run_kept_stays_and_stands_for_its_copies(cluster, data: st.DataObject) -> None:
    documents, edges = cluster
    earlier = [data.draw(st.booleans()) for _ in documents]
    fates = decide_with(documents, [(*edge, LEFT_MAY_GO | RIGHT_MAY_GO) for edge in edges], earlier=earlier)
    kept_before = {d.group for d, was in zip(documents, earlier, strict=True) if was and d.clean}
    for d in documents:
        keeper, similarity, _, _ = fates[d.doc]
        if d.group in kept_before and keeper != -1:
            assert similarity == 1.0
            assert documents[keeper].group == d.group


@given(clusters(), st.data())
def test_of_one_url_at_most_one_document_is_kept_and_nothing_points_to_a_removed_one(cluster, data: st.DataObject) -> None:
    documents, edges = cluster
    address = [data.draw(st.integers(0, 3)) for _ in documents]
    urls = [documents[address.index(a)].doc for a in address]
    both = LEFT_MAY_GO | RIGHT_MAY_GO
    fates = decide_with(documents, [(*edge, both) for edge in edges], urls=urls)
    kept = [d for d in documents if d.clean and fates[d.doc][0] == -1]
    assert len({urls[d.doc] for d in kept}) == len(kept)
    for d in documents:
        keeper, _, kind, _ = fates[d.doc]
        assert keeper == -1 or (kind and keeper in {k.doc for k in kept})
        assert not d.clean or d in kept or keeper != -1


@given(clusters(), st.data())
def test_clean_documents_of_this_run_are_counted_in_each_cluster(cluster, data: st.DataObject) -> None:
    documents, edges = cluster
    more = {"earlier": [data.draw(st.booleans()) for _ in documents]}
    if data.draw(st.booleans()):
        address = [data.draw(st.integers(0, 3)) for _ in documents]
        more["urls"] = [documents[address.index(a)].doc for a in address]
    decision = decision_with(documents, [(*edge, LEFT_MAY_GO | RIGHT_MAY_GO) for edge in edges], **more)
    owners = [d.doc if keeper == -1 else keeper for d, keeper in zip(documents, decision.duplicate_of.tolist(), strict=True)]
    own = [d.clean and not was for d, was in zip(documents, more["earlier"], strict=True)]
    for owner, counted in zip(owners, decision.num_clean.tolist(), strict=True):
        assert counted == sum(is_own for other, is_own in zip(owners, own, strict=True) if other == owner)


def test_no_documents_give_no_decision() -> None:
    assert decide([], []) == {}

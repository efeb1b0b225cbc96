"""Repeated passages: a plain reference, and that nothing is lost."""

import random
from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.dedup.passages import Bounds, Order, own_steps, passage_keys, repeats, runs, shared
from stages.text.units import Floor, Units

Place = tuple[int, int]
"""Document and sentence."""

ANY = Bounds(2, Floor(1, 1), Floor(50, 100), Floor(1, 1))


@dataclass(frozen=True)
class Document:
    sentences: tuple[int, ...]
    """What each sentence says; negative: protected."""
    preference: int = 0
    identifier: int = 0
    own: int = 3


def units_of(documents: list[Document], words: int = 10, heads: frozenset[int] = frozenset()) -> Units:
    said = np.array([s for d in documents for s in d.sentences], np.int64)
    offsets = np.concatenate([[0], np.cumsum([len(d.sentences) for d in documents])]).astype(np.int64)
    size = len(said)
    nothing, no = np.zeros(size, np.int32), np.zeros(size, np.bool_)
    hashes = (np.abs(said) + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return Units(
        offsets, np.arange(size), np.arange(1, size + 1), hashes, np.full(size, words, np.int32), nothing,
        said >= 0, no, no, np.isin(said, list(heads)), nothing, nothing,
    )  # fmt: skip


def removed(documents: list[Document], bounds: Bounds = ANY, words: int = 10, heads: frozenset[int] = frozenset()) -> dict[Place, int]:
    """Each sentence in a proposed run, and the document that owns it there."""
    units = units_of(documents, words, heads)
    keys = passage_keys(units, bounds)
    document = np.searchsorted(units.offsets, keys.first, "right") - 1
    preference = np.array([d.preference for d in documents], np.int64)[document]
    identifiers = np.array([d.identifier for d in documents], np.uint64)[document]
    own = np.array([d.own for d in documents], np.int8)[document]
    places = (keys.first - units.offsets[document]).astype(np.int32)
    found = repeats(keys.hashes, Order(own, preference, identifiers, document, places))
    order = np.lexsort((keys.length[found.rows], keys.first[found.rows]))
    rows, owner = found.rows[order], document[found.owner[order]]
    stretches = runs(units, keys.first[rows], keys.length[rows], owner, bounds)
    cut = {}
    for first, last, keeper in zip(*(field.tolist() for field in stretches), strict=True):
        at = int(np.searchsorted(units.offsets, first, "right") - 1)
        cut |= {(at, unit - int(units.offsets[at])): keeper for unit in range(first, last + 1)}
    return cut


def reference(documents: list[Document], window: int) -> set[Place]:
    """Sentences in passages of which a better occurrence exists."""
    occurrences: dict[tuple[int, ...], list[Place]] = {}
    for number, document in enumerate(documents):
        for place in range(len(document.sentences) - window + 1):
            passage = document.sentences[place : place + window]
            if min(passage) >= 0:
                occurrences.setdefault(passage, []).append((number, place))
    cut = set()
    for places in occurrences.values():
        best = min(places, key=lambda p: (-documents[p[0]].own, -documents[p[0]].preference, documents[p[0]].identifier, p))
        cut |= {(number, place + i) for number, place in places if (number, place) != best for i in range(window)}
    return cut


documents_strategy = st.lists(
    st.builds(Document, st.lists(st.integers(-1, 4), max_size=8).map(tuple), st.integers(-2, 2), st.integers(0, 3), st.integers(2, 3)),
    max_size=6,
)


@given(documents_strategy, st.integers(2, 3))
def test_the_reference_agrees(documents: list[Document], window: int) -> None:
    assert set(removed(documents, ANY._replace(min_sentences=window))) == reference(documents, window)


@given(documents_strategy)
def test_every_removed_sentence_stands_in_a_better_place(documents: list[Document]) -> None:
    cut = removed(documents)
    standing = {d.sentences[p] for n, d in enumerate(documents) for p in range(len(d.sentences)) if (n, p) not in cut}
    for (number, place), owner in cut.items():
        assert documents[number].sentences[place] in standing
        mine, theirs = documents[number], documents[owner]
        assert (-theirs.own, -theirs.preference, theirs.identifier, owner) <= (-mine.own, -mine.preference, mine.identifier, number)
        assert documents[number].sentences[place] in theirs.sentences


@given(documents_strategy, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(documents: list[Document], shuffle: random.Random) -> None:
    keys = passage_keys(units_of(documents), ANY)
    document = np.searchsorted(units_of(documents).offsets, keys.first, "right") - 1
    rows = [
        (key, documents[doc].own, documents[doc].preference, documents[doc].identifier, doc, place)
        for key, doc, place in zip(keys.hashes.tolist(), document.tolist(), keys.first.tolist(), strict=True)
    ]
    types = (np.uint64, np.int8, np.int64, np.uint64, np.int64, np.int32)
    answers = []
    for _ in range(2):
        columns = list(zip(*rows, strict=True)) or [()] * 6
        hashes, *order = (np.array(c, t) for c, t in zip(columns, types, strict=True))
        found = repeats(hashes, Order(*order))
        answers.append({(rows[r], rows[o]) for r, o in zip(found.rows.tolist(), found.owner.tolist(), strict=True)})
        assert found.rows.tolist() == sorted(found.rows.tolist())
        shuffle.shuffle(rows)
    assert answers[0] == answers[1]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=20))
def test_shared_keys_are_those_with_several_occurrences(rows: list[tuple[int, int]]) -> None:
    found = shared(np.array([key for key, _ in rows], np.uint64), np.array([doc for _, doc in rows], np.int64))
    holders = {key: [doc for other, doc in rows if other == key] for key, _ in rows}
    wanted = [(row, len(set(holders[key])) > 1) for row, (key, _) in enumerate(rows) if len(holders[key]) > 1]
    assert list(zip(found.rows.tolist(), found.elsewhere.tolist(), strict=True)) == wanted


def test_the_more_original_document_comes_before_the_longer() -> None:
    steps = own_steps(np.array([0.3, 0.8])).tolist()
    assert set(removed([Document((1, 2), preference=9, own=steps[0]), Document((1, 2), preference=1, own=steps[1])])) == {(0, 0), (0, 1)}


def test_the_better_document_keeps_the_passage_wherever_it_stands() -> None:
    assert removed([Document((1, 2, 3, 9), preference=1), Document((8, 1, 2, 3), preference=2)]) == {(0, 0): 1, (0, 1): 1, (0, 2): 1}
    assert set(removed([Document((1, 2)), Document((1, 2))])) == {(1, 0), (1, 1)}
    assert set(removed([Document((1, 2), identifier=5), Document((1, 2), identifier=4)])) == {(0, 0), (0, 1)}


def test_a_passage_repeated_in_one_document_stays_once() -> None:
    assert set(removed([Document((1, 2, 3, 1, 2, 3, 1, 2, 3))])) == {(0, place) for place in range(3, 9)}
    assert set(removed([Document((5, 5, 5, 5))])) == {(0, 1), (0, 2), (0, 3)}


def test_passages_do_not_reach_over_protected_sentences() -> None:
    assert removed([Document((1, -7, 2)), Document((1, -7, 2))]) == {}


def test_short_passages_stay_and_a_long_sentence_is_one_alone() -> None:
    pair = [Document((1, 2)), Document((1, 2))]
    bounds = Bounds(2, Floor(20, 40), Floor(50, 100), Floor(5, 10))
    assert removed(pair, bounds, words=9) == {}
    assert removed(pair, bounds, words=10) == {(1, 0): 0, (1, 1): 0}
    alone = [Document((8, 1, 9)), Document((6, 1, 7))]
    assert removed(alone, bounds, words=49) == {}
    assert removed(alone, bounds, words=50) == {(1, 1): 0}


def test_brief_sentences_do_not_make_a_passage_long() -> None:
    pair = [Document(tuple(range(12))), Document(tuple(range(12)))]
    bounds = Bounds(2, Floor(20, 40), Floor(50, 100), Floor(5, 10))
    assert removed(pair, bounds, words=4) == {}
    assert len(removed(pair, bounds, words=5)) == 12


def test_a_run_does_not_take_the_heading_of_what_stays() -> None:
    documents = [Document((1, 2, 7, 3)), Document((1, 2, 7, 4))]
    assert set(removed(documents, heads=frozenset({7}))) == {(1, 0), (1, 1)}
    assert set(removed([Document((1, 2, 7)), Document((1, 2, 7))], heads=frozenset({7}))) == {(1, 0), (1, 1), (1, 2)}

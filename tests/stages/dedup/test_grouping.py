"""Grouping by small numbers against plain sorts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.dedup.grouping import both_ends, by_number, messages, places, unique_pairs

references = st.tuples(st.integers(0, 2**15), st.integers(0, 2**20)).map(lambda pair: pair[0] << 32 | pair[1])
some_pairs = st.lists(st.tuples(st.integers(0, 5), st.one_of(references, st.integers(0, 3)), st.booleans()), max_size=60)


@given(st.lists(st.integers(0, 6), max_size=50))
def test_rows_are_grouped_in_their_order(numbers: list[int]) -> None:
    order, bounds = by_number(np.array(numbers, np.int32), 7)
    assert order.tolist() == sorted(range(len(numbers)), key=lambda row: numbers[row])
    assert [order[bounds[i] : bounds[i + 1]].tolist() for i in range(7)] == [[r for r, n in enumerate(numbers) if n == i] for i in range(7)]


@given(some_pairs, st.integers(0, 2**15))
def test_each_pair_is_left_once_and_in_order(pairs: list[tuple[int, int, bool]], shard: int) -> None:
    docs = np.array([shard << 32 | row for row, _, _ in pairs], np.int64)
    found = unique_pairs(docs, np.array([o for _, o, _ in pairs], np.int64), np.array([owns for _, _, owns in pairs], np.bool_))
    assert list(zip(*(column.tolist() for column in found), strict=True)) == sorted(set(pairs))
    assert [column.dtype for column in found] == [np.int64, np.int64, np.bool_]


def test_shards_of_more_rows_than_fit_are_refused() -> None:
    docs, owns = np.array([2**30], np.int64), np.array([True])
    found = unique_pairs(docs, np.array([1 << 32 | 7], np.int64), owns)
    assert (found.row.tolist(), found.other.tolist(), found.owns.tolist()) == ([2**30], [1 << 32 | 7], [True])
    with pytest.raises(AssertionError, match=r"shards of 2\^31 rows, 2\^2 of them"):
        unique_pairs(docs, np.array([2 << 32], np.int64), owns)


@given(st.lists(st.tuples(references, references), max_size=30))
def test_pairs_are_told_to_both_ends(pairs: list[tuple[int, int]]) -> None:
    owner, other = (np.array(column, np.int64) for column in (zip(*pairs, strict=True) if pairs else ([], [])))
    ends = both_ends(owner, other, 2**15 + 1)
    told = list(zip(ends.doc.tolist(), ends.other.tolist(), ends.owns.tolist(), strict=True))
    assert sorted(told) == sorted([(a, b, True) for a, b in pairs] + [(b, a, False) for a, b in pairs])
    shards = np.repeat(np.arange(2**15 + 1), np.diff(ends.bounds))
    assert shards.tolist() == [doc >> 32 for doc, _, _ in told]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=40))
def test_a_row_goes_once_to_each_destination_of_its_pairs(pairs: list[tuple[int, int]]) -> None:
    pairs.sort(key=lambda pair: pair[0])
    row, destination = (np.array(column, np.int64) for column in (zip(*pairs, strict=True) if pairs else ([], [])))
    sent = messages(row, destination, 4)
    told = list(zip(sent.row.tolist(), sent.destination.tolist(), strict=True))
    assert sorted(told) == sorted(set(pairs))
    assert sent.row.tolist() == sorted(sent.row.tolist())
    assert [told[number] for number in sent.of_pair.tolist()] == pairs


@given(st.sets(references, min_size=1, max_size=40), st.data())
def test_wanted_references_are_found(docs: set[int], data: st.DataObject) -> None:
    ordered = sorted(docs)
    wanted = data.draw(st.lists(st.sampled_from(ordered), max_size=20))
    assert places(np.array(ordered), np.array(wanted, np.int64)).tolist() == [ordered.index(doc) for doc in wanted]


@pytest.mark.parametrize("missing", [0, 6, 8, 1 << 32, (1 << 32) + 5, 3 << 32])
def test_a_reference_that_is_not_there_is_no_other(missing: int) -> None:
    docs = np.array([5, 7, (1 << 32) + 6, 2 << 32])
    with pytest.raises(AssertionError, match="a document is wanted that is not there"):
        places(docs, np.array([7, missing]))
    with pytest.raises(AssertionError, match="a document is wanted that is not there"):
        places(docs[:0], np.array([missing]))

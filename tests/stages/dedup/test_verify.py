"""Exact similarities against Python sets."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.dedup.verify import exact_jaccard


def similarities(sets: list[set[int]], pairs: list[tuple[int, int]]) -> list[float]:
    offsets = np.cumsum([0, *map(len, sets)])
    hashes = np.array([value for values in sets for value in sorted(values)], np.uint64)
    left, right = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    return exact_jaccard(offsets, hashes, left, right).tolist()


@given(st.lists(st.sets(st.integers(0, 12) | st.integers(2**64 - 3, 2**64 - 1)), min_size=1, max_size=6))
def test_similarity_is_shared_over_all(sets: list[set[int]]) -> None:
    pairs = [(i, j) for i in range(len(sets)) for j in range(len(sets))]
    expected = [len(sets[i] & sets[j]) / len(sets[i] | sets[j]) if sets[i] | sets[j] else 0.0 for i, j in pairs]
    assert similarities(sets, pairs) == expected


def test_four_of_five_reach_a_threshold_of_eight_tenths_exactly() -> None:
    (similarity,) = similarities([{1, 2, 3, 4}, {1, 2, 3, 4, 5}], [(0, 1)])
    assert similarity >= 0.8


def test_no_pairs_give_no_similarities() -> None:
    assert similarities([{1}], []) == []

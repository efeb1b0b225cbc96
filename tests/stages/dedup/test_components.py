"""Connected components against a plain search, whatever the order of edges."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.dedup.components import forest, join, settle

NUM_DOCS = 31
edges = st.lists(st.tuples(st.integers(0, NUM_DOCS - 1), st.integers(0, NUM_DOCS - 1)), max_size=40)
Edges = list[tuple[int, int]]


def roots(*parts: Edges) -> list[int]:
    parent = forest(NUM_DOCS)
    for part in parts:
        join(parent, np.array([a for a, _ in part], np.int64), np.array([b for _, b in part], np.int64))
    sizes = settle(parent)
    assert sizes.tolist() == np.bincount(parent, minlength=NUM_DOCS).tolist()
    return parent.tolist()


def reference(pairs: Edges) -> list[int]:
    label = list(range(NUM_DOCS))
    for _ in label:
        for a, b in pairs:
            label[a] = label[b] = min(label[a], label[b])
    return label


@given(edges)
def test_each_document_gets_the_smallest_of_its_component(pairs: Edges) -> None:
    assert roots(pairs) == reference(pairs)


@given(edges, st.integers(0, 40), st.randoms(use_true_random=False))
def test_order_direction_and_portions_of_edges_change_nothing(pairs: Edges, cut: int, random) -> None:
    changed = [pair if random.random() < 0.5 else pair[::-1] for pair in pairs]
    random.shuffle(changed)
    assert roots(changed[:cut], changed[cut:]) == roots(pairs)


def test_a_long_chain_is_one_component() -> None:
    chain = np.arange(100_000)
    parent = forest(100_000)
    join(parent, chain[1:], chain[:-1])
    assert settle(parent)[0] == 100_000
    assert not parent.any()

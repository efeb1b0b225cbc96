"""Connected components against a plain search, whatever the order of edges."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.dedup.components import components

edges = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40).map(lambda pairs: [(a << 32, b << 32) for a, b in pairs])


def roots(pairs: list[tuple[int, int]]) -> dict[int, int]:
    docs, root = components(np.array([a for a, _ in pairs], np.int64), np.array([b for _, b in pairs], np.int64))
    assert docs.tolist() == sorted(set(docs.tolist()))
    return dict(zip(docs.tolist(), root.tolist(), strict=True))


def reference(pairs: list[tuple[int, int]]) -> dict[int, int]:
    label = {doc: doc for pair in pairs for doc in pair}
    for _ in label:
        for a, b in pairs:
            label[a] = label[b] = min(label[a], label[b])
    return label


@given(edges)
def test_each_document_gets_the_smallest_of_its_component(pairs: list[tuple[int, int]]) -> None:
    assert roots(pairs) == reference(pairs)


@given(edges, st.randoms(use_true_random=False))
def test_order_and_direction_of_edges_change_nothing(pairs: list[tuple[int, int]], random) -> None:
    changed = [pair if random.random() < 0.5 else pair[::-1] for pair in pairs]
    random.shuffle(changed)
    assert roots(changed) == roots(pairs)


def test_a_long_chain_is_one_component() -> None:
    chain = np.arange(100_000)
    docs, root = components(chain[:-1], chain[1:])
    assert len(docs) == 100_000
    assert not root.any()

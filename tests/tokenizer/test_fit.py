"""Documents in an order that fits windows: that of a slow reference, and what it is good for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer import fit
from tokenizer.fit import AHEAD, fitted, num_cut


def slow(lengths: list[int], start: int, window: int) -> list[int]:
    left, order, at = list(range(len(lengths))), [], start
    while left:
        head, space = left[0], window - at % window
        at_hand = [i for i in left if i < head + AHEAD]
        chosen = head
        if space < lengths[head] <= window:
            fits = [i for i in at_hand if lengths[i] <= space]
            pairs = [i for i in fits for j in fits if i != j and lengths[i] + lengths[j] == space]
            exact = [i for i in fits if lengths[i] == space]
            long = [i for i in at_hand if lengths[i] > window]
            candidates = exact or pairs or fits
            longest = max((lengths[i] for i in candidates), default=0)
            chosen = next((i for i in candidates if lengths[i] == longest), (long or [head])[0])
        left.remove(chosen)
        order.append(chosen)
        at += lengths[chosen]
    return order


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 30), max_size=40), start=st.integers(0, 100), window=st.integers(2, 25))
def test_the_order_is_that_of_the_reference(lengths: list[int], start: int, window: int) -> None:
    assert fitted(np.array(lengths, np.int64), start, window).tolist() == slow(lengths, start, window)


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 30), max_size=40), start=st.integers(0, 100), window=st.integers(2, 25))
def test_the_number_cut_is_counted_token_by_token(lengths: list[int], start: int, window: int) -> None:
    at, cut = start, 0
    for length in lengths:
        cut += length <= window and len({place // window for place in range(at, at + length)}) > 1
        at += length
    assert num_cut(np.array(lengths, np.int64), start, window) == cut


def test_a_window_is_closed_by_what_fills_it_and_a_long_document_goes_across_where_nothing_does() -> None:
    assert fitted(np.array([6, 5, 4, 9]), 0, 10).tolist() == [0, 2, 1, 3]  # 6 + 4, then 5 and the long one
    assert fitted(np.array([4, 7, 3, 5, 3]), 0, 10).tolist() == [0, 2, 4, 1, 3]  # 4 + 3 + 3, then 7 + 5 of which none fits
    assert fitted(np.array([6, 5, 12, 5]), 0, 10).tolist() == [0, 2, 1, 3]  # 12 across the first end and the second


def test_few_documents_of_a_corpus_are_cut_and_none_comes_much_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = np.random.default_rng(5).lognormal(5.5, 1.3, 30_000).astype(np.int64) + 1
    for window in (512, 4096):
        order = fitted(lengths, 77, window)
        assert num_cut(lengths[order], 77, window) < 0.01 * num_cut(lengths, 77, window)
        oldest = np.minimum.accumulate(np.where(np.isin(np.arange(len(order)), order, invert=True), len(order), order)[::-1])[::-1]
        assert (order - oldest < AHEAD).all()
    monkeypatch.setattr(fit, "AHEAD", 1)
    assert (fitted(lengths, 77, 512) == np.arange(len(lengths))).all()

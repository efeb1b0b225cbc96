import numpy as np
import pytest

from model.training.batches import TokensInMemory
from pipeline.variants.mixed_windows import MixedWindows

LENGTH, EOS = 4, 2


def source(num_tokens: int = 42) -> TokensInMemory:
    tokens = np.arange(10, 10 + num_tokens, dtype=np.int32)
    tokens[5::7] = EOS
    return TokensInMemory(tokens, 64, EOS)


def test_each_window_is_read_once_with_its_segments_and_documents() -> None:
    plain, mixed = source(), MixedWindows(source(), LENGTH, 10, seed=1)
    assert mixed.num_tokens == 40
    bounds = [(begin, begin + LENGTH) for begin in range(0, 40, LENGTH)]
    there = {tuple(plain.tokens(*window)): (plain.segments(*window).tolist(), plain.documents(*window)) for window in bounds}
    read = {tuple(mixed.tokens(*window)): (mixed.segments(*window).tolist(), mixed.documents(*window)) for window in bounds}
    assert read == there
    assert list(read) != list(there)
    assert mixed.tokens(0, 40).tolist() == [token for window in read for token in window]


def test_the_order_is_that_of_the_seed_whatever_is_read() -> None:
    def order(seed: int, shift: int) -> list[int]:
        tokens = np.arange(40, dtype=np.int32) + shift
        mixed = MixedWindows(TokensInMemory(tokens, 1000, EOS), LENGTH, 10, seed)
        return [int(mixed.tokens(begin, begin + LENGTH)[0]) - shift for begin in range(0, 40, LENGTH)]

    assert order(1, 100) == order(1, 500)
    assert order(1, 100) != order(2, 100)


def test_parts_of_windows_are_not_read() -> None:
    with pytest.raises(AssertionError):
        MixedWindows(source(), LENGTH, 10, seed=1).tokens(0, 6)

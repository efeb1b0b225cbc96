"""What a vocabulary costs, by hand."""

from hypothesis import given
from hypothesis import strategies as st

from tokenizer.compression.cost import ModelShape, best_size, break_even_parameters, embedding_parameters, flops_per_char

TINY = ModelShape(hidden=2, intermediate=3, layers=1, context=5)
BAICHUAN = ModelShape(hidden=4096, intermediate=11008, layers=32)


def test_parameters_are_those_of_the_published_model() -> None:
    assert TINY.without_embeddings == 4 * 4 + 3 * 2 * 3 + 2 * 2 + 2 == 40
    assert BAICHUAN.without_embeddings + embedding_parameters(64_000, 4096) == 7_000_559_616


def test_flops_of_a_character() -> None:
    assert TINY.flops_without_head == 6 * 40 + 12 * 1 * 2 * 5 == 360
    assert flops_per_char(0.5, 10, TINY) == 0.5 * (360 + 6 * 10 * 2)


def test_the_cheapest_size_weighs_tokens_against_the_head() -> None:
    # 10 ids: 1.0 x (360 + 120) = 480; 20 ids: .7 x (360 + 240) = 420; 40 ids: .6 x (360 + 480) = 504
    assert best_size({10: 1.0, 20: 0.7, 40: 0.6}, TINY) == 20
    assert best_size({10: 1.0, 20: 0.8}, TINY) == 10  # equal costs: the smaller


def test_break_even_by_hand() -> None:
    # N + 2 x 5 x 2 + 10 x 2 = .5 (N + 2 x 5 x 2 + 40 x 2) at N = 20
    assert break_even_parameters((10, 1.0), (40, 0.5), TINY) == 20
    assert break_even_parameters((10, 1.0), (40, 1.0), TINY) is None
    assert break_even_parameters((10, 1.0), (11, 0.5), TINY) == 0


@given(st.floats(0.2, 1), st.floats(0.01, 0.99), st.integers(1, 6), st.sampled_from([TINY, BAICHUAN]))
def test_a_model_on_the_right_side_of_the_break_even_saves(rate: float, left: float, factor: int, model: ModelShape) -> None:
    small, large = (1000, rate), (1000 * (1 + factor), rate * left)
    needed = break_even_parameters(small, large, model)
    assert needed is not None
    saves = flops_per_char(large[1], large[0], model) < flops_per_char(small[1], small[0], model)
    if abs(needed - model.without_embeddings) > 1e-6 * model.without_embeddings:
        assert saves == (needed < model.without_embeddings)

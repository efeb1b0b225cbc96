"""Cells: shares, languages, sampling weights and the cap together, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import RunError
from stages.mixture.weights import Cell, amounts

LAW = Cell("law", "zh", 10, 100, 100.0)
NEWS = Cell("news", "zh", 10, 200, 200.0)
NEWS_EN = Cell("news", "en", 10, 100, 100.0)


def test_a_cell_gives_its_share_of_the_budget_and_documents_weigh_amount_by_bytes() -> None:
    found = amounts([LAW, NEWS], {"law": 0.5, "news": 0.5}, {}, None, 4.0)
    assert found.amount == pytest.approx([150, 150])
    assert found.weight == pytest.approx([1.5, 0.75])
    assert found.is_capped == (False, False)


def test_natural_shares_weigh_every_document_one_even_where_sampling_weights_differ() -> None:
    cells = [Cell("law", "zh", 1, 100, 50.0), Cell("news", "zh", 1, 100, 200.0)]
    assert amounts(cells, {"law": 0.2, "news": 0.8}, {}, None, 4.0).weight == pytest.approx([1.0, 1.0])


def test_sampling_weights_decide_within_a_cell_and_not_between_cells() -> None:
    cells = [Cell("law", "zh", 1, 100, 50.0), Cell("news", "zh", 1, 100, 200.0)]
    found = amounts(cells, {"law": 0.5, "news": 0.5}, {}, 100, 4.0)
    assert found.amount == pytest.approx([50, 50])
    assert found.weight == pytest.approx([1.0, 0.25])


def test_a_domain_is_divided_among_its_languages_as_its_text_is() -> None:
    found = amounts([LAW, NEWS, NEWS_EN], {"law": 0.4, "news": 0.6}, {}, 400, 4.0)
    assert found.amount == pytest.approx([160, 160, 80])


def test_given_languages_divide_what_they_have_together() -> None:
    found = amounts([LAW, NEWS, NEWS_EN], {"law": 0.4, "news": 0.6}, {"zh": 0.5, "en": 0.5}, 200, 4.0)
    assert found.amount == pytest.approx([50, 50, 100])  # within Chinese, law and news stay 1 to 1


def test_a_language_that_is_not_given_keeps_its_share() -> None:
    cells = [LAW, NEWS, NEWS_EN, Cell("code", "code", 1, 100, 100.0)]
    found = amounts(cells, {"law": 0.2, "news": 0.6, "code": 0.2}, {"zh": 0.25, "en": 0.75}, 100, 4.0)
    assert found.amount[3] == pytest.approx(20)
    assert found.amount[:3].sum() == pytest.approx(80)
    assert found.amount[2] == pytest.approx(60)


def test_no_cell_gives_more_than_its_cap_and_the_others_take_the_rest() -> None:
    found = amounts([LAW, NEWS], {"law": 0.9, "news": 0.1}, {}, 500, 2.0)
    assert found.amount == pytest.approx([200, 300])
    assert found.is_capped == (True, False)


def test_the_budget_shrinks_where_all_caps_are_reached() -> None:
    found = amounts([LAW, NEWS], {"law": 0.5, "news": 0.5}, {}, 10_000, 2.0)
    assert found.amount == pytest.approx([200, 400])
    assert found.is_capped == (True, True)


def test_what_a_domain_without_text_was_to_give_comes_from_the_others() -> None:
    assert amounts([LAW, NEWS], {"law": 0.3, "news": 0.3, "gone": 0.4}, {}, 200, 4.0).amount == pytest.approx([100, 100])


def test_a_language_without_text_and_shares_without_text_are_errors_that_say_what_there_is() -> None:
    with pytest.raises(RunError, match=r"no kept text in 'fr' has a share.*there is text in: en, zh"):
        amounts([LAW, NEWS_EN], {"law": 0.5, "news": 0.5}, {"fr": 1.0}, None, 4.0)
    with pytest.raises(RunError, match="no kept text has a share"):
        amounts([LAW], {"law": 0.0}, {}, None, 4.0)


cell = st.tuples(st.sampled_from("abc"), st.sampled_from(["zh", "en", "code"]), st.integers(1, 10**6), st.floats(0.1, 5))


@given(st.lists(cell, min_size=1, max_size=9, unique_by=lambda c: c[:2]), st.floats(0.01, 5), st.floats(0.5, 6), st.booleans())
def test_caps_hold_the_budget_is_met_where_they_allow_it_and_no_order_matters(
    given_cells: list[tuple[str, str, int, float]], budget_share: float, max_epochs: float, by_language: bool
) -> None:
    cells = [Cell(domain, lang, 1, size, size * weight) for domain, lang, size, weight in given_cells]
    size = sum(cell.num_bytes for cell in cells)
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    languages = {cells[0].lang: 1.0} if by_language else {}
    found = amounts(cells, shares, languages, budget_share * size, max_epochs)
    assert (found.amount <= max_epochs * np.array([c.num_bytes for c in cells]) * (1 + 1e-9)).all()
    assert found.amount.sum() == pytest.approx(min(budget_share, max_epochs) * size, rel=1e-6)
    assert found.weight * [c.weighted_bytes for c in cells] == pytest.approx(found.amount)
    turned = amounts(cells[::-1], shares, languages, budget_share * size, max_epochs)
    assert turned.amount[::-1] == pytest.approx(found.amount)

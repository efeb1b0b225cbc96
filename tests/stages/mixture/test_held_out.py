"""What is drawn: by host, else by content; how much, and that nothing else matters."""

import numpy as np
import pyarrow as pa
import pytest

from configs.loader import SettingError
from stages.mixture.held_out import STEPS, HeldOut, count_steps, drawn_steps, draws, is_drawn

NO_MINIMUM = HeldOut(share=0.1, min_documents=0, min_bytes=0, max_share=0.5)


def documents(contents: list[int], urls: list[str | None] | None = None, domain: str = "web") -> pa.Table:
    num = len(contents)
    return pa.table(
        {
            "content_hash": pa.array([np.uint64(c).tobytes() + bytes(8) for c in contents], pa.binary(16)),
            "url": pa.array(urls or [None] * num, pa.string()),
            "domain": pa.array([domain] * num),
            "num_chars": pa.array([10] * num),
            "num_bytes": pa.array([30] * num),
            "fault": pa.nulls(num, pa.string()),
        }
    )


def test_copies_and_documents_of_one_host_have_one_number() -> None:
    urls = ["https://a.org/1", "https://www.a.org/2", "https://b.org/1", None, None]
    numbers = draws(documents([1, 2, 3, 4, 4], urls), seed=17)
    assert numbers[0] == numbers[1]
    assert numbers[3] == numbers[4]
    assert len(set(numbers.tolist())) == 3


def test_numbers_are_spread_evenly_and_depend_on_the_seed() -> None:
    columns = documents(np.random.default_rng(0).integers(0, 1 << 62, 20_000).tolist())
    numbers = draws(columns, seed=17)
    counts = np.bincount((numbers * 10).astype(int), minlength=10)
    assert counts.sum() == 20_000
    assert np.abs(counts - 2000).max() < 4 * np.sqrt(20_000 * 0.1 * 0.9)
    assert (draws(columns, seed=18) != numbers).all()


def test_unreadable_and_empty_documents_are_never_drawn() -> None:
    columns = documents([1, 2, 3])
    columns = columns.set_column(columns.schema.get_field_index("num_chars"), "num_chars", pa.array([0, 10, 10]))
    columns = columns.set_column(columns.schema.get_field_index("fault"), "fault", pa.array([None, "bad_json", None]))
    assert is_drawn(columns, 17, {"web": tuple(range(STEPS))}).tolist() == [False, False, True]
    assert sum(n for n, _ in count_steps(columns, 17)["web"].values()) == 1


def test_a_document_is_drawn_by_its_own_domain_and_whatever_stands_beside_it() -> None:
    contents = list(range(500))
    columns = documents(contents)
    drawn = is_drawn(columns, 17, {"web": tuple(range(100))})
    assert 20 < drawn.sum() < 80
    order = np.random.default_rng(1).permutation(500)
    assert is_drawn(columns.take(pa.array(order)), 17, {"web": tuple(range(100))}).tolist() == drawn[order].tolist()
    assert not is_drawn(documents(contents, domain="law"), 17, {"web": tuple(range(100))}).any()
    assert (drawn <= is_drawn(columns, 17, {"web": tuple(range(200))})).all()


def test_the_share_is_taken_where_the_minimum_is_met() -> None:
    counts = {step: [2, 60] for step in range(STEPS)}
    assert drawn_steps(counts, HeldOut(share=0.01, min_documents=20, min_bytes=600)) == tuple(range(10))


@pytest.mark.parametrize(("minimum", "steps"), [({"min_documents": 21}, 11), ({"min_bytes": 601, "min_documents": 0}, 11)])
def test_more_is_taken_until_the_minimum_is_met(minimum: dict[str, int], steps: int) -> None:
    counts = {step: [2, 60] for step in range(STEPS)}
    assert drawn_steps(counts, HeldOut(**{"share": 0.01, "min_bytes": 0, **minimum})) == tuple(range(steps))  # type: ignore[arg-type]


def test_no_minimum_takes_more_than_the_largest_share_rounded_up() -> None:
    counts = {step: [1, 60] for step in range(0, STEPS, 10)}  # 100 documents
    assert len(drawn_steps(counts, HeldOut(min_documents=50, max_share=0.1))) == 10
    assert len(drawn_steps({3: [1, 9], 500: [1, 9], 501: [1, 9]}, HeldOut())) == 1


def test_a_host_that_would_take_too_much_is_left_out_and_a_domain_of_one_host_has_nothing_held_out() -> None:
    assert drawn_steps({2: [600, 1], 5: [10, 1], 900: [390, 1]}, NO_MINIMUM) == (5,)
    assert drawn_steps({2: [600, 1]}, NO_MINIMUM) == ()


def test_a_share_of_zero_holds_nothing_out_whatever_the_minimum() -> None:
    assert drawn_steps({0: [100, 1]}, HeldOut(share=0, min_documents=50)) == ()


def test_a_largest_share_below_the_share_is_refused() -> None:
    with pytest.raises(SettingError, match=r"max_share: got 0.1, less than share, which is 0.2"):
        HeldOut(share=0.2, max_share=0.1)

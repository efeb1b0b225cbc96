"""Which texts are taken: weights, shares, and the same ones each time."""

import numpy as np
import pyarrow as pa
import pytest

from stages.text.buffers import text_buffer
from tests.tokenizer.conftest import batches_of
from tokenizer.sampling import Sampling, Tally, hash_units


def batch_of(**columns: list[object]) -> pa.RecordBatch:
    size = len(next(iter(columns.values())))
    rows = [{"id": f"d{i}", "text": "ab"} | {name: values[i] for name, values in columns.items()} for i in range(size)]
    return next(batches_of(rows))


def test_whole_weights_are_numbers_of_copies() -> None:
    batch = batch_of(lang=["zh", "en", "zh-hans", None], domain=["law", "law", "news", "news"])
    assert Sampling(17, {"zh": 2}, {"law": 3}).copies(batch).tolist() == [6, 3, 2, 1]
    assert Sampling(17, {"zh": 0}, {}).copies(batch).tolist() == [0, 1, 0, 1]


def test_weights_of_the_corpus_multiply_and_null_is_one() -> None:
    batch = batch_of(sampling_weight=[2.0, None, 0.0], weight=[3.0, 4.0, 5.0])
    assert Sampling(17, {}, {}).copies(batch).tolist() == [6, 4, 0]


@pytest.mark.parametrize("weight", [0.1, 0.5, 2.3])
def test_the_rest_of_a_weight_is_a_share_of_the_texts(weight: float) -> None:
    batch = batch_of(weight=[weight] * 20_000)
    copies = Sampling(17, {}, {}).copies(batch)
    rest = weight % 1
    assert set(copies.tolist()) == {int(weight), int(weight) + 1}
    assert abs(copies.mean() - weight) < 4 * np.sqrt(rest * (1 - rest) / 20_000)


def test_of_a_smaller_share_all_are_in_a_larger_one() -> None:
    batch = batch_of(lang=["zh"] * 5_000)
    small, large = (Sampling(17, {}, {}, share).copies(batch) for share in (0.2, 0.6))
    assert (small <= large).all()
    assert 0 < small.sum() < large.sum()


def test_the_seed_chooses_and_the_place_does_not() -> None:
    ids = text_buffer(pa.array([f"d{i}" for i in range(3_000)], pa.large_string()))
    units = hash_units(ids, 17)
    assert hash_units(text_buffer(pa.array(["d7"], pa.large_string())), 17)[0] == units[7]
    assert abs(np.corrcoef(units, hash_units(ids, 18))[0, 1]) < 4 / np.sqrt(3_000)
    assert ((units >= 0) & (units < 1)).all()
    assert abs(units.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 3_000)


def test_what_was_taken_is_told_by_language_and_domain() -> None:
    tally = Tally()
    batch = batch_of(lang=["zh", "en", "zh"], domain=["law", "law", "law"])
    for copies in ([2, 0, 1], [0, 1, 0]):
        tally.add(batch, np.array(copies))
    assert {key: values.tolist() for key, values in tally.groups.items()} == {("zh", "law"): [4, 8, 2, 6], ("en", "law"): [2, 4, 1, 2]}
    assert tally.total().tolist() == [6, 12, 3, 8]

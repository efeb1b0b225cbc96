"""Places of documents in a stream, and their ids with ends."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.buffers import text_buffer
from tests.tokenizer.pack_reference import place_of
from tokenizer.codec import Ids
from tokenizer.pack import STREAM, ended, lay, placed
from tokenizer.sampling import hash_units

IDS = st.lists(st.tuples(st.text(max_size=5), st.integers(0, 5)), max_size=30)


@settings(deadline=None)
@given(documents=IDS, seed=st.integers(0, 2**63))
def test_copies_are_where_the_reference_puts_them(documents: list[tuple[str, int]], seed: int) -> None:
    ids, times = [name for name, _ in documents], np.array([n for _, n in documents], np.int64)
    rows, epochs, places = placed(text_buffer(pa.array(ids, pa.large_string())), times, seed)
    wanted = [(place_of(name, epoch, n, seed), row, epoch) for row, (name, n) in enumerate(documents) for epoch in range(n)]
    assert list(zip(places.tolist(), rows.tolist(), epochs.tolist(), strict=True)) == sorted(wanted)


def test_copy_k_of_n_lies_in_the_kth_part_of_the_stream() -> None:
    ids = text_buffer(pa.array([f"d{i}" for i in range(3_000)], pa.large_string()))
    for n in (1, 2, 3, 7):
        copies = placed(ids, np.full(len(ids), n), 17)
        shares = copies.places / STREAM
        assert (np.floor(shares * n).astype(int) == copies.epochs).all()
        assert abs(shares.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 3_000)


def test_places_differ_by_seed_and_epoch_and_from_the_hash_that_samples() -> None:
    ids = text_buffer(pa.array([f"d{i}" for i in range(3_000)], pa.large_string()))

    def units(times: int, epoch: int, seed: int) -> np.ndarray:  # type: ignore[type-arg]
        copies = placed(ids, np.full(len(ids), times), seed)
        chosen = copies.epochs == epoch
        return (copies.places[chosen] / STREAM)[np.argsort(copies.rows[chosen])]

    first = units(1, 0, 17)
    for other in (units(1, 0, 18), units(2, 1, 17), hash_units(ids, 17)):
        assert abs(np.corrcoef(first, other)[0, 1]) < 4 / np.sqrt(3_000)


@settings(deadline=None)
@given(documents=st.lists(st.lists(st.integers(3, 60_000), max_size=6), min_size=1, max_size=8), chosen=st.data())
def test_documents_are_laid_side_by_side_with_ends(documents: list[list[int]], chosen: st.DataObject) -> None:
    rows = np.array(chosen.draw(st.lists(st.integers(0, len(documents) - 1))), np.int64)
    flat = np.array([number for document in documents for number in document], np.int32)
    encoded = Ids(np.cumsum([0, *map(len, documents)], dtype=np.int64), flat)
    for dtype in (np.dtype(np.uint16), np.dtype(np.int32)):
        offsets, ids = ended(encoded, rows, 2, dtype)
        assert ids.dtype == dtype
        assert [ids[a:b].tolist() for a, b in pairwise(offsets)] == [[*documents[row], 2] for row in rows]


def test_documents_are_laid_where_they_are_told() -> None:
    out = np.zeros(7, np.uint16)
    lay(np.array([5, 6, 7], np.uint16), np.array([0, 2, 3]), np.array([1, 0]), np.array([6, 1]), out)
    assert out.tolist() == [0, 5, 6, 0, 0, 0, 7]

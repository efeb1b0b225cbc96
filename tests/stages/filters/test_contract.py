"""What holds for every filter: found, documented, defined for every text, independent of its neighbours in the batch."""

import inspect

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.batch import Batch
from stages.filters import columns, filters, scores

AWKWARD = [
    "",
    "a",
    "中",
    "\n",
    " \n\t",
    "😀😀😀",
    "国" * 500,
    "x" * 100_000,
    "。",
    "a\nb\n" * 50,
    "\ufffd",
    "مرحبا",
    "\u0301",
    "{}" * 9,
]


def scored(column: pa.Array) -> dict[str, pa.Array]:
    return scores(Batch(pa.RecordBatch.from_arrays([column], names=["text"])))


@pytest.mark.parametrize("name", filters())
def test_filter_is_documented_and_names_its_columns(name: str) -> None:
    module = filters()[name]
    doc = inspect.getdoc(module)
    assert doc is not None
    assert "Source:" in doc
    assert module.COLUMNS
    assert all(field.type in (pa.float32(), pa.int64()) for field in module.COLUMNS)
    if len(module.COLUMNS) == 1:
        assert module.COLUMNS[0].name == name


def test_columns_are_unique_and_scored_as_declared() -> None:
    names = [column.name for column in columns()]
    assert len(set(names)) == len(names)
    found = scored(pa.array(["x"], pa.large_string()))
    assert {name: array.type for name, array in found.items()} == {column.name: column.type for column in columns()}


@pytest.mark.parametrize("text", AWKWARD, ids=lambda text: repr(text[:8]))
def test_awkward_texts_have_finite_scores(text: str) -> None:
    check_range(scored(pa.array([text], pa.large_string())))


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_invalid_utf8_has_finite_scores(texts: list[bytes]) -> None:
    check_range(scored(pa.array(texts, pa.large_binary())))


def check_range(found: dict[str, pa.Array]) -> None:
    for name, array in found.items():
        values = array.to_numpy()
        assert array.null_count == 0
        assert np.isfinite(values).all()
        assert (values >= 0).all()
        assert not name.endswith("_share") or (values <= 1).all()


def test_empty_document_scores_zero() -> None:
    assert {array[0].as_py() for array in scored(pa.array([""], pa.large_string())).values()} == {0}


@given(st.lists(st.one_of(st.text(max_size=30), st.sampled_from(AWKWARD[:7])), min_size=1, max_size=5), st.integers(0, 5))
def test_batch_size_does_not_matter(texts: list[str], cut: int) -> None:
    texts = [text.encode(errors="ignore").decode() for text in texts]
    column = pa.array(texts, pa.large_string())
    whole, first, rest = scored(column), scored(column[:cut]), scored(column[cut:])
    assert all(whole[name].equals(pa.concat_arrays([first[name], rest[name]])) for name in whole)

"""Bytes as ids."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from tokenizer.byte_level import ByteTokenizer


def test_ids_are_bytes_behind_three_special_ones() -> None:
    made = ByteTokenizer()
    assert len(made) == 259
    offsets, ids = made.encode_arrow(pa.array(["a\0", "", None, "中"]))
    assert offsets.tolist() == [0, 2, 2, 2, 5]
    assert ids.tolist() == [100, 3, 0xE4 + 3, 0xB8 + 3, 0xAD + 3]
    assert ids.dtype == np.int32
    assert made.encode("中") == ids[2:].tolist()


@given(texts=st.lists(st.binary(max_size=20)), skip=st.integers(0, 3))
def test_every_column_comes_back_whatever_its_slices(texts: list[bytes], skip: int) -> None:
    made = ByteTokenizer()
    column = pa.array(texts, pa.large_binary())[skip:]
    assert made.decode_arrow(*made.encode_arrow(column)).to_pylist() == texts[skip:]
    parts = pa.chunked_array([column, column], pa.large_binary())
    assert made.decode_arrow(*made.encode_arrow(parts)).to_pylist() == 2 * texts[skip:]


def test_special_ids_are_no_text_and_others_are_refused() -> None:
    made = ByteTokenizer()
    assert made.decode([1, *made.encode("héllo"), 2, 0]) == "héllo"
    assert made.decode([3 + 0xFF]) == "�"
    with pytest.raises(InputError, match="id 259 is not of this vocabulary; wanted 0 to 258"):
        made.decode([259])

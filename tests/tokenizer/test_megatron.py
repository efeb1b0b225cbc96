"""Megatron's index: the bytes that its own writer makes, read back by a plain reference and by us."""

import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import InputError
from tests.tokenizer.megatron_reference import read_sequences
from tokenizer.megatron import index_bytes, read_index, token_dtype


def test_the_index_of_two_documents_byte_by_byte() -> None:
    wanted = b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, 8, 2, 3) + struct.pack("<2i", 3, 1) + struct.pack("<2q", 0, 6)
    assert index_bytes(np.array([3, 1]), np.dtype(np.uint16)) == wanted + struct.pack("<3q", 0, 1, 2)


@pytest.mark.parametrize(("vocab_size", "dtype"), [(259, "uint16"), (65_499, "uint16"), (65_500, "int32"), (125_696, "int32")])
def test_ids_take_two_bytes_where_megatron_gives_them_two(vocab_size: int, dtype: str) -> None:
    assert token_dtype(vocab_size).name == dtype


@given(
    documents=st.lists(st.lists(st.integers(0, 65_535), min_size=1, max_size=9), max_size=20), dtype=st.sampled_from(["uint16", "int32"])
)
def test_what_was_written_is_read_by_the_reference_and_by_us(documents: list[list[int]], dtype: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "part"
        ids = np.array([number for document in documents for number in document], dtype)
        Path(f"{prefix}.bin").write_bytes(ids.tobytes())
        Path(f"{prefix}.idx").write_bytes(index_bytes(np.array([len(d) for d in documents], np.int64), ids.dtype))
        assert read_sequences(prefix) == documents
        index = read_index(Path(f"{prefix}.idx"))
        assert index.dtype == dtype
        assert index.lengths.tolist() == [len(document) for document in documents]
        assert index.pointers.tolist() == [sum(map(len, documents[:i])) * ids.itemsize for i in range(len(documents))]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"", "is empty"),
        (lambda data: data[:20], "not the index of a token file"),
        (lambda data: b"MMIDIDY" + data[7:], "not the index of a token file"),
        (lambda data: data[:9] + b"\x02" + data[10:], "version 2 of the format, wanted 1"),
        (lambda data: data[:17] + b"\x05" + data[18:], "type with code 5; known are 4 (int32) and 8 (uint16)"),
        (lambda data: data[:-1], "cut off: 81 bytes, wanted 82 for 2 sequences"),
    ],
)
def test_a_damaged_index_is_named_with_what_is_wrong(change: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "train-00000.idx"
    path.write_bytes(change(index_bytes(np.array([3, 1]), np.dtype(np.uint16))))  # type: ignore[operator]
    with pytest.raises(InputError) as caught:
        read_index(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.idx: cannot be read: No such file"):
        read_index(tmp_path / "train.idx")

"""Eight bytes at a time, against one byte at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text import kernel

eight = st.binary(min_size=8, max_size=8) | st.lists(st.sampled_from([*b"azAZ09@[`{/:\n '\x00\x7f\x80\xff"]), min_size=8, max_size=8).map(
    bytes
)


def number(chunk: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(chunk, "little"))


def marked(marks: int) -> list[bool]:
    """The bytes whose highest bit is set; no other bit may be."""
    assert int(marks) & ~int(kernel.HIGHS) == 0
    return [byte >= 0x80 for byte in int(marks).to_bytes(8, "little")]


@given(st.binary(max_size=30))
def test_chunks_begin_at_every_byte(data: bytes) -> None:
    chunks = kernel.eight_bytes(np.frombuffer(data, np.uint8))
    padded = data if len(data) > 8 else data + bytes(9 - len(data))
    assert chunks.tolist() == [int.from_bytes(padded[at : at + 8], "little") for at in range(len(padded) - 7)]


def test_chunks_of_any_data_are_of_one_type() -> None:
    arrays = [kernel.eight_bytes(np.zeros(size, np.uint8)) for size in (0, 1, 8, 9, 10, 100)]
    assert {(array.dtype, array.flags.c_contiguous, array.flags.aligned, array.flags.writeable) for array in arrays} == {
        (np.dtype(np.uint64), False, False, False)
    }


@given(eight)
def test_marks_agree_with_bytes(chunk: bytes) -> None:
    assert marked(kernel.alphanumeric(number(chunk))) == [byte < 0x80 and chr(byte).isalnum() for byte in chunk]
    assert marked(kernel.digits_of(number(chunk))) == [byte in b"0123456789" for byte in chunk]
    assert marked(kernel.line_ends(number(chunk))) == [byte == 10 for byte in chunk]


@given(st.lists(st.booleans(), min_size=8, max_size=8))
def test_marks_are_counted_and_the_first_is_found(flags: list[bool]) -> None:
    marks = number(bytes(0x80 * flag for flag in flags))
    assert kernel.count_marks(marks) == sum(flags)
    assert kernel.leading(marks) == (flags.index(True) if any(flags) else 8)


@given(st.characters(codec="utf-8"), st.binary(min_size=7, max_size=7))
def test_a_sequence_of_three_bytes_is_decoded(character: str, behind: bytes) -> None:
    encoded = character.encode()
    found = kernel.three_bytes(number((encoded + behind)[:8]))
    assert found == (ord(character) if len(encoded) == 3 else -1)


@pytest.mark.parametrize("broken", [b"\xe4\xb8", b"\xe4\xc3\x80", b"\xe4\x80\xc3", b"\xf0\x9f\x98\x80", b"\x80\x80\x80"])
def test_broken_sequences_of_three_bytes_are_none(broken: bytes) -> None:
    assert kernel.three_bytes(number(broken.ljust(8, b"a"))) == -1


@given(st.binary(min_size=1, max_size=12))
def test_the_end_of_a_text_is_read_with_zeros_behind(data: bytes) -> None:
    at = max(0, len(data) - 5)
    assert int(kernel.last_bytes(np.frombuffer(data, np.uint8), at, len(data))) == int.from_bytes(data[at:], "little")

"""How kernels over bytes are compiled, and how they read eight bytes at once."""

import numpy as np
import numpy.typing as npt
from numba import njit

kernel = njit(cache=True, nogil=True, _nrt=False)
"""For kernels that allocate nothing: without `_nrt=False` numba counts a reference to each array at each call between them, in atomic
steps, which costs up to 10 times their work. The option is not in numba's manual; a kernel that did allocate would not compile."""


def eight_bytes(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """`chunks[i]` is `data[i:i + 8]` as one number, first byte lowest; a read-only view, (max(2, len(data) - 7),).

    Of data of less than nine bytes a copy padded with zeros: so that the array always has the type for which kernels are compiled.
    """
    if len(data) < 9:
        data = np.concatenate([data, np.zeros(9 - len(data), np.uint8)])
    chunks = np.ndarray((len(data) - 7,), np.dtype("<u8"), np.ascontiguousarray(data), strides=(1,))
    chunks.flags.writeable = False
    return chunks


ONES = np.uint64(0x0101010101010101)
HIGHS = np.uint64(0x8080808080808080)


@kernel
def leading(marks):  # type: ignore[no-untyped-def]
    """How many bytes stand before the first of those with their highest bit set; 8 if none has. Other bits must be clear."""
    return np.int64(((marks - np.uint64(1)) & ~marks & ONES) * ONES >> np.uint64(56)) - (marks != 0)


@kernel
def count_marks(marks):  # type: ignore[no-untyped-def]
    """How many bytes have their highest bit set. Other bits must be clear."""
    return np.int64((marks >> np.uint64(7)) * ONES >> np.uint64(56))


@kernel
def digits_of(chunk):  # type: ignore[no-untyped-def]
    """The highest bit of each byte that is an ASCII digit."""
    low = chunk & np.uint64(0x7F7F7F7F7F7F7F7F)
    return low + np.uint64(0x5050505050505050) & ~(low + np.uint64(0x4646464646464646)) & ~chunk & HIGHS


@kernel
def equal_bytes(chunk, wanted):  # type: ignore[no-untyped-def]
    """The highest bit of each byte that is the same in `wanted`."""
    other = chunk ^ wanted
    return ~((other & np.uint64(0x7F7F7F7F7F7F7F7F)) + np.uint64(0x7F7F7F7F7F7F7F7F) | other) & HIGHS


@kernel
def line_ends(chunk):  # type: ignore[no-untyped-def]
    r"""The highest bit of each byte that is `\n`."""
    return equal_bytes(chunk, np.uint64(0x0A0A0A0A0A0A0A0A))


@kernel
def alphanumeric(chunk):  # type: ignore[no-untyped-def]
    """The highest bit of each byte that is an ASCII letter or digit."""
    folded = (chunk | np.uint64(0x2020202020202020)) & np.uint64(0x7F7F7F7F7F7F7F7F)
    letters = folded + np.uint64(0x1F1F1F1F1F1F1F1F) & ~(folded + np.uint64(0x0505050505050505)) & ~chunk & HIGHS
    return letters | digits_of(chunk)


@kernel
def last_bytes(data, at, end):  # type: ignore[no-untyped-def]
    """Up to eight bytes at the end of a text as `eight_bytes` would give them, with zeros behind the end."""
    chunk = np.uint64(0)
    for place in range(min(end, at + 8) - 1, at - 1, -1):
        chunk = chunk << np.uint64(8) | np.uint64(data[place])
    return chunk


@kernel
def three_bytes(chunk):  # type: ignore[no-untyped-def]
    """The code point of a sequence of three bytes that begins a chunk, -1 if none does. Overlong ones and surrogates are not refused."""
    if chunk & np.uint64(0xC0C0F0) != np.uint64(0x8080E0):
        return np.int64(-1)
    low = np.int64(chunk & np.uint64(0xFFFFFF))
    return (low & 0x0F) << 12 | (low >> 2 & 0xFC0) | low >> 16 & 0x3F

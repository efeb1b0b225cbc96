"""Arrow string columns as the flat arrays that kernels read: no copy, no Python object per document."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class TextBuffer(NamedTuple):
    """UTF-8 texts side by side: document i is `data[offsets[i]:offsets[i + 1]]`.

    `data` is uint8 and may be read-only; `offsets` is int64 of length n + 1 and need not start at 0 (a slice keeps its parent's
    data). Every kernel takes these two arrays in these types, so each compiles once.
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def lengths(self) -> npt.NDArray[np.int64]:
        """Bytes of each document, (n,)."""
        return np.diff(self.offsets)

    def read_only(self) -> "TextBuffer":
        """The same texts as read-only arrays; see `read_only`."""
        return TextBuffer(read_only(self.data), read_only(self.offsets))

    def document(self, index: int) -> bytes:
        """The bytes of one document, copied: for tests, messages and slow paths."""
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes()


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only view. Arrow's buffers are read-only and NumPy's are not: without this each kernel would compile twice."""
    view = array.view()
    view.flags.writeable = False
    return view


def text_buffer(column: pa.Array) -> TextBuffer:
    """View a string, large_string, binary or large_binary array. Null entries must have length zero, as Arrow writes them."""
    large = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    if not large:
        column = column.cast(pa.large_binary() if pa.types.is_binary(column.type) else pa.large_string())
    if len(column) == 0:
        return TextBuffer(np.zeros(0, np.uint8), np.zeros(1, np.int64))
    _, offsets_buffer, data_buffer = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[column.offset : column.offset + len(column) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
    return TextBuffer(data, offsets)


def string_array(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> pa.Array:
    """A large_string array over freshly made, valid UTF-8 `data`; no copy."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))

"""Text as its bytes: a tokenizer that needs no training, for proxy models that run before a corpus has one.

Ids: 0 unknown (also padding), 1 begin, 2 end, 3 + the value of each byte; 259 in all. Every sequence of bytes has ids, and comes back.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import InputError
from stages.text.buffers import text_buffer
from tokenizer.codec import Ids

BYTES = "bytes"
"""Its name, in place of a folder."""
VERSION = "bytes-v1"
"""Stands in headers where the checksum of a model does."""

_FIRST = 3


class ByteTokenizer:
    """The same face as `tokenizer.codec.Tokenizer`."""

    def __len__(self) -> int:
        """Number of ids."""
        return _FIRST + 256

    def encode_arrow(self, column: pa.Array | pa.ChunkedArray, threads: int | None = None) -> Ids:
        """The ids of each text, without begin and end; a null has none. `threads` changes nothing: this is one addition a byte."""
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        text = text_buffer(column)
        ids = text.data[text.offsets[0] : text.offsets[-1]].astype(np.int32)
        ids += _FIRST
        return Ids(text.offsets - text.offsets[0], ids)

    def decode_arrow(self, offsets: npt.NDArray[np.int64], ids: npt.NDArray[np.integer]) -> pa.Array:
        """The bytes of documents as a large_binary column; special ids are nothing. Raises `InputError` for a wrong id."""
        if len(ids) and (ids.min() < 0 or ids.max() >= len(self)):
            wrong = ids[(ids < 0) | (ids >= len(self))][0]
            raise InputError(f"id {wrong} is not of this vocabulary; wanted 0 to {len(self) - 1}")
        real = ids >= _FIRST
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(real)])[offsets]
        data = (ids[real] - _FIRST).astype(np.uint8)
        return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(ends), pa.py_buffer(data)])

    def encode(self, text: str) -> list[int]:
        """The ids of a text. Raises `UnicodeEncodeError` for lone surrogates, which no UTF-8 text has."""
        return [_FIRST + byte for byte in text.encode()]

    def decode(self, ids: list[int] | npt.NDArray[np.integer]) -> str:
        """The text of ids; bytes that are no UTF-8 become U+FFFD. Raises `InputError` for a wrong id."""
        numbers = np.asarray(ids, np.int64)
        return bytes(self.decode_arrow(np.array([0, len(numbers)]), numbers)[0].as_py()).decode(errors="replace")

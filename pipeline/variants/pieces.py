"""Documents in pieces, so that a small budget reads a bit of many documents and not all of a few.

A training of 131,072 bytes reads 130 documents of a kilobyte, some 16 of a domain and language, or 13 of ten kilobytes; which ones these
happen to be is no property of their corpus. Pieces have ids of their own, so packing orders them by a hash as it does documents, each as
often as its document. A large budget reads enough documents whole, and long contexts need them whole.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.text.buffers import string_array, text_buffer

Int64s = npt.NDArray[np.int64]


def in_pieces(rows: pa.Table, piece_bytes: int) -> pa.Table:
    """A row for each piece of a row's `text`, of equal sizes but for whole characters, about `piece_bytes` at most; 0: rows as they are.

    `id` gets `/0`, `/1`, ...; all else is the document's. An empty text stays one piece.
    """
    if not piece_bytes or not rows.num_rows:
        return rows
    buffer = text_buffer(rows["text"].combine_chunks())
    parents, numbers, offsets = cuts(buffer.data, buffer.offsets, piece_bytes)
    pieces = rows.drop_columns("text").take(pa.array(parents))
    ids = pc.binary_join_element_wise(pieces["id"], pa.array(numbers).cast(pa.string()), "/")
    columns = {name: pieces[name] for name in pieces.column_names} | {"id": ids, "text": string_array(buffer.data, offsets)}
    return pa.table({name: columns[name] for name in rows.column_names})


def cuts(data: npt.NDArray[np.uint8], offsets: Int64s, piece_bytes: int) -> tuple[Int64s, Int64s, Int64s]:
    """The document of each piece, its number in it, (P,), and where pieces begin and the last ends in `data`, (P + 1,)."""
    sizes = np.diff(offsets)
    counts = np.maximum(1, -(-sizes // piece_bytes))
    parents = np.repeat(np.arange(len(sizes)), counts)
    numbers = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
    begins = offsets[parents] + sizes[parents] * numbers // counts[parents]
    later = np.flatnonzero(numbers)
    for _ in range(3):  # a character has at most three bytes that continue it
        begins[later] -= data[begins[later]] & 0xC0 == 0x80
    return parents, numbers, np.append(begins, offsets[-1])

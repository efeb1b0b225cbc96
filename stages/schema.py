"""The one type that flows: a `pyarrow.RecordBatch` with declared columns.

A reader fills `DOCUMENT`. Each stage adds the columns that it declares, and planning folds the declarations before anything starts,
so that a missing column fails in milliseconds. Every input document has a row, also one that could not be read: then `fault` names
the reason, `text` is empty, and `raw` keeps what stood there.
"""

import pyarrow as pa

DOCUMENT = pa.schema(
    [
        pa.field("id", pa.string()),  # the user's own; null: source/relative-path#record is given later
        pa.field("text", pa.large_string(), nullable=False),  # empty where fault is set
        pa.field("source", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("lang", pa.string()),  # null: decided from the text by `measure`
        pa.field("url", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("meta", pa.string()),  # the user's other fields as one JSON object, untouched
        pa.field("path", pa.string(), nullable=False),  # relative to the source's root
        pa.field("record", pa.int64(), nullable=False),  # 1-based line, row or record in the file; see readers
        pa.field("fault", pa.string()),  # why the row could not be read: bad_json, no_text, invalid_utf8, ...
        pa.field("fault_detail", pa.string()),  # what the parser said, for people
        pa.field("raw", pa.large_binary()),  # the unreadable bytes, at most RAW_BYTES of them
    ]
)

RAW_BYTES = 65_536
"""Bytes of an unreadable row that are kept in `rejected/`; the ledger has `file:row` for the rest."""


def doc_reference(shard: int, row: int) -> int:
    """The internal key of a document: its shard and its row there, in one int64. Shards follow (source, path, record) order."""
    return shard << 32 | row

"""Parquet files whose bytes depend on their rows alone, complete or not there."""

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import storage

UNIQUE = ("id", "text", "url", "meta", "content_hash", "raw", "removed")
"""Columns of our files whose values hardly repeat."""


def write_parquet(uri: str, table: pa.Table) -> None:
    """One row group, zstd; the bytes depend on the rows alone, and the schema on the run's stages alone.

    `UNIQUE` columns get no dictionary: .92 of the time for a corpus and .82 for a ledger, and files smaller by 1 % and 12 %.
    """
    schema = pa.schema([pa.field(field.name, field.type) for field in table.schema])
    table = pa.Table.from_arrays(table.combine_chunks().columns, schema=schema)
    with storage.committed(uri) as file:
        dictionary = [leaf for field in schema if field.name not in UNIQUE for leaf in _leaves(field.name, field.type)]
        pq.write_table(table, file, compression="zstd", row_group_size=max(1, table.num_rows), use_dictionary=dictionary)


def _leaves(path: str, kind: pa.DataType) -> list[str]:
    """The columns that Parquet makes of one of Arrow's."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _leaves(f"{path}.list.element", kind.value_type)
    if pa.types.is_struct(kind):
        return [leaf for field in kind for leaf in _leaves(f"{path}.{field.name}", field.type)]
    return [path]

"""One file per sender, one batch per addressee."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.arrow_files import column_names, cut, read_batch, read_batches, read_table, scatter, united, write_batches

SCHEMA = pa.schema({"a": pa.int64(), "b": pa.string()})


def rows(numbers: list[int]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"a": numbers, "b": [str(n) for n in numbers]}, schema=SCHEMA)


def test_rows_reach_their_addressees_in_the_order_sent() -> None:
    parts = scatter(rows([5, 6, 7, 8, 9]), np.array([2, 0, 2, 0, 2]), 4)
    assert [part.column("a").to_pylist() for part in parts] == [[6, 8], [], [5, 7, 9], []]


def test_an_addressee_collects_its_batches_from_all_senders(tmp_path: Path) -> None:
    for sender, numbers in enumerate([[1, 2, 3], [], [4]]):
        addressees = np.array(numbers, np.int64) % 2
        write_batches(str(tmp_path / f"{sender}.arrow"), SCHEMA, scatter(rows(numbers), addressees, 2))
    messages = [[read_batch(str(tmp_path / f"{sender}.arrow"), addressee) for sender in range(3)] for addressee in (0, 1)]
    assert united(messages[1])["a"].to_pylist() == [1, 3]
    assert united(messages[0])["b"].to_pylist() == ["2", "4"]
    assert united(messages[0][1:2]).num_rows == 0
    assert united(messages[0][1:2]).schema == SCHEMA


def test_rows_in_order_are_cut_without_a_copy() -> None:
    whole = rows([5, 6, 7])
    parts = cut(whole, np.array([0, 1, 1, 3]))
    assert [part.column("a").to_pylist() for part in parts] == [[5], [], [6, 7]]
    assert parts[2].column("a").buffers()[1].address == whole.column("a").buffers()[1].address


def test_batches_are_read_one_by_one_without_empty_ones(tmp_path: Path) -> None:
    uri = str(tmp_path / "x.arrow")
    write_batches(uri, SCHEMA, [rows([1, 2]), rows([]), rows([3])])
    assert [batch.to_pydict() for batch in read_batches(uri, ["b"])] == [{"b": ["1", "2"]}, {"b": ["3"]}]


def test_columns_can_be_read_alone_in_the_order_of_the_file(tmp_path: Path) -> None:
    uri = str(tmp_path / "x.arrow")
    write_batches(uri, SCHEMA, [rows([1]), rows([2])], compression="lz4")
    assert column_names(uri) == ["a", "b"]
    assert read_table(uri, ["b"]).to_pydict() == {"b": ["1", "2"]}
    assert read_batch(uri, 1).to_pydict() == {"a": [2], "b": ["2"]}


def test_a_local_file_that_is_not_compressed_is_read_without_a_copy(tmp_path: Path) -> None:
    copied = {}
    for compression in (None, "lz4"):
        uri = str(tmp_path / f"{compression}.arrow")
        write_batches(uri, SCHEMA, [rows(list(range(10_000)))], compression)
        before = pa.total_allocated_bytes()
        table = read_table(uri, ["a"])
        copied[compression] = pa.total_allocated_bytes() - before
        assert table["a"][9_999].as_py() == 9_999
    assert copied[None] < 8 * 10_000 <= copied["lz4"]


def test_a_file_appears_only_when_complete(tmp_path: Path) -> None:
    def broken():  # type: ignore[no-untyped-def]
        yield rows([1])
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_batches(str(tmp_path / "x.arrow"), SCHEMA, broken())
    assert list(tmp_path.iterdir()) == []

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from tests.pipeline.readers.reading import brief, pieces_of, read_all, read_pieces, source_of


def written(tmp_path: Path, columns: dict[str, Any], **settings: Any) -> Path:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path, **settings)
    return path


def test_columns_become_text_id_url_and_meta(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "id": [7, 8],
            "text": ["你好", None],
            "url": ["http://x/", None],
            "time": pa.array([datetime.datetime(2020, 1, 2), None], pa.timestamp("ns")),
            "score": [0.5, float("nan")],
            "blob": [b"\xff\x00", "好".encode()],
            "price": [decimal.Decimal("1.50"), None],
            "tags": [["a"], []],
        },
    )
    first, second = read_all(source_of(path, domain="d"))
    assert (first["id"], first["text"], first["url"], first["record"], first["domain"]) == ("7", "你好", "http://x/", 1, "d")
    assert json.loads(first["meta"]) == {
        "time": "2020-01-02 00:00:00.000000000",
        "score": 0.5,
        "blob": "ff00",
        "price": "1.50",
        "tags": ["a"],
    }
    assert (second["id"], second["fault"], second["record"]) == ("8", "no_text", 2)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_text_may_be_any_kind_of_string(tmp_path: Path, kind: pa.DataType) -> None:
    values = pa.array(["a", "中", "a"]).cast(kind)
    assert brief(read_all(source_of(written(tmp_path, {"text": values})))) == [(1, "a"), (2, "中"), (3, "a")]


def test_text_that_is_not_utf8_is_a_fault_of_its_row(tmp_path: Path) -> None:
    offsets, data = pa.array([0, 1, 3, 4], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff\xfeb")
    lying = pa.StringArray.from_buffers(3, offsets, data)
    for column in (lying, pa.array([b"a", b"\xff\xfe", b"b"])):
        rows = read_all(source_of(written(tmp_path, {"text": column})))
        assert brief(rows) == [(1, "a"), (2, "<invalid_utf8>"), (3, "b")]
        assert rows[1]["raw"] == b"\xff\xfe"


def test_too_large_texts_are_faults(tmp_path: Path) -> None:
    rows = read_all(source_of(written(tmp_path, {"text": ["x" * 10, "x" * 11]}), max_document_bytes=10))
    assert [row["fault"] for row in rows] == [None, "document_too_large"]


def test_a_missing_text_column_names_the_columns_and_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.parquet: no column 'text'; the columns are texts, n; did you mean 'texts'\?"):
        read_all(source_of(written(tmp_path, {"texts": ["a"], "n": [1]})))


def test_a_text_column_of_another_type_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="column 'text' is int64, wanted string"):
        read_all(source_of(written(tmp_path, {"text": [1]})))


@pytest.mark.parametrize("damage", [lambda data: b"not parquet", lambda data: data[:-20], lambda data: data[20:]])
def test_a_file_that_is_truncated_or_no_parquet_is_an_input_error(tmp_path: Path, damage: Any) -> None:
    path = written(tmp_path, {"text": ["a"] * 100})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"a\.parquet: cannot be read"):
        read_all(source_of(path))


def test_damage_in_the_middle_keeps_the_rows_before(tmp_path: Path) -> None:
    path = written(tmp_path, {"text": [f"{number:0100d}" for number in range(3000)]}, row_group_size=1000, use_dictionary=False)
    data = bytearray(path.read_bytes())
    middle = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    data[middle : middle + 64] = b"\xff" * 64
    path.write_bytes(data)
    source = source_of(path)
    first, *_ = pieces_of(source, target_bytes=1)
    assert len(read_pieces([first], source)) == 1
    with pytest.raises(InputError, match=r"a\.parquet: cannot be read"):
        read_all(source, target_bytes=1 << 30)


def test_an_empty_file_and_an_empty_table_have_no_rows(tmp_path: Path) -> None:
    assert read_all(source_of(written(tmp_path, {"text": pa.array([], pa.string())}))) == []
    (tmp_path / "a.parquet").write_bytes(b"")
    assert read_all(source_of(tmp_path / "a.parquet")) == []


@settings(max_examples=50, deadline=None)
@given(num_rows=st.integers(1, 60), row_group_size=st.integers(1, 60), target_bytes=st.integers(1, 2000), batch_rows=st.integers(1, 20))
def test_any_split_gives_every_row_once(
    tmp_path_factory: pytest.TempPathFactory, num_rows: int, row_group_size: int, target_bytes: int, batch_rows: int
) -> None:
    texts = [str(number) for number in range(num_rows)]
    source = source_of(written(tmp_path_factory.mktemp("split"), {"text": texts}, row_group_size=row_group_size))
    pieces = pieces_of(source, target_bytes=target_bytes)
    assert [piece.first_record for piece in pieces] == [piece.start + 1 for piece in pieces]
    assert brief(read_pieces(pieces, source, batch_rows)) == [(number + 1, text) for number, text in enumerate(texts)]


def lying_strings(*values: bytes) -> pa.Array:
    """A string column whose bytes nobody has checked."""
    data = pa.array(values, pa.binary())
    return pa.StringArray.from_buffers(len(values), data.buffers()[1], data.buffers()[2])


@pytest.mark.parametrize("name", ["text", "id", "url"])
def test_two_columns_of_a_name_that_is_used_are_an_input_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.parquet"
    names = ["text", "id", "url", name]
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 4, names), path)
    with pytest.raises(InputError, match=f"2 columns are called '{name}'; rename all but one, or set {name}_key"):
        pieces_of(source_of(path))


def test_nested_times_of_any_range_are_written_as_text(tmp_path: Path) -> None:
    nanoseconds = pa.array([1, None], pa.timestamp("ns"))
    columns = {
        "text": ["a", "b"],
        "struct": pa.StructArray.from_arrays([nanoseconds], ["at"]),
        "list": pa.array([[1], []], pa.list_(pa.timestamp("ns"))),
        "far": pa.array([1 << 50, 0], pa.timestamp("s")),
    }
    rows = read_all(source_of(written(tmp_path, columns)))
    assert [row["text"] for row in rows] == ["a", "b"]
    first, second = (json.loads(row["meta"]) for row in rows)
    assert first["struct"] == {"at": "1970-01-01 00:00:00.000000001"}
    assert first["list"] == ["1970-01-01 00:00:00.000000001"]
    assert (second["struct"], second["list"], second["far"]) == ({"at": None}, [], "1970-01-01 00:00:00.000")


def test_an_id_that_is_not_utf8_is_one_faulty_row(tmp_path: Path) -> None:
    columns = {"text": ["a", "b", "c"], "id": lying_strings(b"1", b"\xff", b"3")}
    rows = read_all(source_of(written(tmp_path, columns)))
    assert brief(rows) == [(1, "a"), (2, "<invalid_utf8>"), (3, "c")]
    assert [row["id"] for row in rows] == ["1", None, "3"]
    assert rows[1]["fault_detail"] == "column 'id': byte 1: invalid start byte"


def test_another_column_that_is_not_utf8_is_written_as_digits(tmp_path: Path) -> None:
    columns = {"text": ["a", "b"], "note": lying_strings(b"x", b"\xff")}
    rows = read_all(source_of(written(tmp_path, columns)))
    assert [json.loads(row["meta"]) for row in rows] == [{"note": "x"}, {"note": "ff"}]


def test_a_nested_value_that_cannot_be_converted_is_a_fault_of_its_row(tmp_path: Path) -> None:
    columns = {"text": ["a", "b"], "nested": pa.StructArray.from_arrays([lying_strings(b"x", b"\xff")], ["note"])}
    assert brief(read_all(source_of(written(tmp_path, columns)))) == [(1, "a"), (2, "<bad_meta>")]

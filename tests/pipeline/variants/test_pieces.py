import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.variants.pieces import in_pieces


def table(texts: list[str]) -> pa.Table:
    ids = [f"d{i}" for i in range(len(texts))]
    return pa.table({"id": ids, "text": pa.array(texts, pa.large_string()), "repeats": pa.array(range(len(texts)), pa.int32())})


def test_a_document_becomes_equal_pieces_that_keep_its_columns() -> None:
    found = in_pieces(table(["abcdefghij", "中文字", ""]), 4).to_pylist()
    assert [(row["id"], row["text"], row["repeats"]) for row in found] == [
        ("d0/0", "abc", 0), ("d0/1", "def", 0), ("d0/2", "ghij", 0),
        ("d1/0", "中", 1), ("d1/1", "文", 1), ("d1/2", "字", 1), ("d2/0", "", 2),
    ]  # fmt: skip


def test_whole_documents_are_left_as_they_are() -> None:
    rows = table(["abc", "def"])
    assert in_pieces(rows, 0) is rows
    assert in_pieces(rows.slice(0, 0), 4).num_rows == 0


@given(st.lists(st.text(max_size=60)), st.integers(16, 40), st.integers(0, 3))
def test_pieces_make_up_the_text_and_none_is_too_long(texts: list[str], piece_bytes: int, skipped: int) -> None:
    rows = table(texts).slice(skipped)
    found = in_pieces(rows, piece_bytes).to_pylist()
    for row in rows.to_pylist():
        own = [piece["text"] for piece in found if piece["id"].partition("/")[0] == row["id"]]
        assert "".join(own) == row["text"]
        assert all(len(piece.encode()) <= piece_bytes + 3 for piece in own)
        assert all(own) or own == [""]
    assert len({piece["id"] for piece in found}) == len(found)

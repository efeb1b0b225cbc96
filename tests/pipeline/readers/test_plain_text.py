import codecs
import gzip
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from tests.pipeline.readers.reading import brief, pieces_of, read_all, read_pieces, source_of

TEXT = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"
TRADITIONAL = "今天天氣很好，我們去公園散步，看到許多花開了。這是一個測試文件。"


def written(tmp_path: Path, data: bytes, name: str = "a.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_a_file_is_a_document_as_it_stands(tmp_path: Path) -> None:
    rows = read_all(source_of(written(tmp_path, f"\n{TEXT}\r\n\n".encode())), target_bytes=3)
    assert brief(rows) == [(1, f"\n{TEXT}\r\n\n")]


def test_lines_are_documents_and_blank_ones_only_count(tmp_path: Path) -> None:
    path = written(tmp_path, b"one\\ntwo\r\n\n \t\nthree")
    assert brief(read_all(source_of(path, documents="line"))) == [(1, "one\\ntwo"), (4, "three")]


def test_blocks_are_between_blank_lines_and_are_numbered_by_their_first_line(tmp_path: Path) -> None:
    path = written(tmp_path, b"\n\nA\nB\r\n\r\n \nC\n\nD")
    assert brief(read_all(source_of(path, documents="block"))) == [(3, "A\nB"), (7, "C"), (9, "D")]


@settings(max_examples=150, deadline=None)
@given(
    data=st.lists(st.sampled_from([b"a", b"\n", b"\n\n", b" ", b"\r\n", "中".encode(), b"\xff", b"x" * 40]), max_size=30).map(b"".join),
    documents=st.sampled_from(["line", "block"]),
    target_bytes=st.integers(1, 60),
)
def test_any_split_gives_the_rows_of_one_piece(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, documents: Literal["line", "block"], target_bytes: int
) -> None:
    source = source_of(written(tmp_path_factory.mktemp("split"), data), documents=documents, max_document_bytes=30)
    assert read_pieces(pieces_of(source, target_bytes=target_bytes), source, 3) == read_all(source, target_bytes=1 << 30)


@pytest.mark.parametrize("documents", ["file", "line", "block"])
@pytest.mark.parametrize(("encoding", "text"), [("gb18030", TEXT), ("big5", TRADITIONAL), ("utf-8", TEXT)])
def test_other_encodings_are_decoded_named_or_found(
    tmp_path: Path, documents: Literal["file", "line", "block"], encoding: str, text: str
) -> None:
    path = written(tmp_path, (text * 20).encode(encoding))
    for setting in (encoding, "auto"):
        source = source_of(path, documents=documents, encoding=setting)
        assert brief(read_all(source, target_bytes=100)) == [(1, text * 20)]


def test_utf16_is_read_by_files_and_refused_by_lines(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT.encode("utf-16"))
    assert brief(read_all(source_of(path, encoding="utf-16"))) == [(1, TEXT)]
    with pytest.raises(InputError, match=r"a\.txt: lines of utf-16 text cannot be found .*\(iconv -f utf-16 -t utf-8\)"):
        read_all(source_of(path, encoding="utf-16", documents="line"))


def test_an_unknown_encoding_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown encoding 'gb99'"):
        read_all(source_of(written(tmp_path, b"a"), encoding="gb99"))


def test_a_bad_byte_costs_one_line(tmp_path: Path) -> None:
    rows = read_all(source_of(written(tmp_path, b"good\nb\xffd\ngood"), documents="line"))
    assert brief(rows) == [(1, "good"), (2, "<invalid_utf8>"), (3, "good")]
    assert (rows[1]["raw"], rows[1]["fault_detail"]) == (b"b\xffd", "byte 2 is not utf-8: invalid start byte")
    data = TEXT.encode("gb18030") + b"\n\x81\n" + TEXT.encode("gb18030")
    rows = read_all(source_of(written(tmp_path, data), documents="line", encoding="gb18030"))
    assert brief(rows) == [(1, TEXT), (2, "<invalid_encoding>"), (3, TEXT)]


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    path = written(tmp_path, codecs.BOM_UTF8 + b"a\nb")
    assert brief(read_all(source_of(path))) == [(1, "a\nb")]
    assert brief(read_all(source_of(path, documents="line"))) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("documents", ["file", "line", "block"])
def test_too_large_documents_are_faults(tmp_path: Path, documents: Literal["file", "line", "block"]) -> None:
    assert brief(read_all(source_of(written(tmp_path, b"x" * 9), documents=documents, max_document_bytes=9))) == [(1, "x" * 9)]
    rows = read_all(source_of(written(tmp_path, b"x" * 10), documents=documents, max_document_bytes=9))
    assert [row["fault"] for row in rows] == ["document_too_large"]
    rows = read_all(source_of(written(tmp_path, b"x" * (1 << 21)), documents=documents, max_document_bytes=9))
    assert [(row["fault"], len(row["raw"])) for row in rows] == [("record_too_large", 65_536)]


def test_a_block_of_many_lines_above_the_limit_is_one_fault(tmp_path: Path) -> None:
    path = written(tmp_path, b"first\n\n" + b"0123456789\n" * 200_000 + b"\nlast\n")
    rows = read_all(source_of(path, documents="block", max_document_bytes=100), target_bytes=300_000)
    assert brief(rows) == [(1, "first"), (3, "<record_too_large>"), (200_004, "last")]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert read_all(source_of(written(tmp_path, b""))) == []


def test_many_small_files_are_read_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("b/2.txt", "a.txt", "b/10.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert [(row["path"], row["text"]) for row in read_all(source_of(tmp_path))] == [(n, n) for n in ("a.txt", "b/10.md", "b/2.txt")]


def test_a_name_that_does_not_tell_the_format_is_an_input_error(tmp_path: Path) -> None:
    path = written(tmp_path, b"a", name="a.xyz")
    with pytest.raises(InputError, match=r"a\.xyz: the name does not tell the format"):
        read_all(source_of(path))
    assert brief(read_all(source_of(path, format="text"))) == [(1, "a")]


@pytest.mark.parametrize(("encoding", "data"), [("raw_unicode_escape", rb"\ud800"), ("utf-7", b"+2AA-")])
def test_half_of_a_surrogate_pair_is_a_fault(tmp_path: Path, encoding: str, data: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(data + b"\nb\n")
    assert brief(read_all(source_of(tmp_path, encoding=encoding, documents="line"))) == [(1, "<invalid_unicode>"), (2, "b")]


@pytest.mark.parametrize("encoding", ["undefined", "gb\0", "klingon"])
def test_an_unknown_encoding_of_a_compressed_file_is_an_input_error(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"a\n"))
    with pytest.raises(InputError, match="unknown encoding"):
        read_all(source_of(tmp_path / "a.txt.gz", encoding=encoding, documents="line"), tmp_path / "raw")

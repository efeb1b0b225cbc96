"""What is checked before a run: the format, the encoding, the text's key."""

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.errors import InputError
from pipeline import readers
from tests.pipeline.readers.reading import source_of


def check(path: Path, **settings: Any) -> None:
    source = source_of(path, **settings)
    readers.check_source(source, readers.list_source(source))


def refused(path: Path, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        check(path, **settings)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["undefined", "gb\0", "klingon", "rot13", "hex"])
def test_an_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes(b"a")
    assert f"unknown encoding {encoding!r}" in refused(tmp_path, encoding=encoding)


def test_lines_that_cannot_be_found_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a")
    assert "lines of utf-16 text cannot be found" in refused(tmp_path, encoding="utf-16", documents="line")
    check(tmp_path, encoding="utf-16")
    check(tmp_path, encoding="GB18030", documents="line")
    check(tmp_path, encoding="auto", documents="line")


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"a")
    assert "the name does not tell the format" in refused(tmp_path)
    check(tmp_path, format="text")


@pytest.mark.parametrize(
    ("ending", "compress"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress)], ids=["plain", "gzip", "bzip2"]
)
def test_a_text_key_that_no_row_has_is_refused(tmp_path: Path, ending: str, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"a.jsonl{ending}"
    path.write_bytes(compress(b'\xef\xbb\xbf{"id": 1, "contents": "x"}\n\n[1]\n{bad\n{"b": 1}'))
    assert refused(path, text_key="content") == (
        f"{path}: text_key 'content': none of the first 2 rows has it; they have: id, contents, b; did you mean 'contents'?"
    )
    check(path, text_key="contents")
    check(path, text_key="b")


@pytest.mark.parametrize("data", [b"", b"\n\n", b"{}\n", b"[1]\nbad\n", b'{"x": "' + b"a" * 70_000 + b'"}\n'])
def test_rows_without_any_key_in_the_head_pass(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    check(tmp_path)


def test_only_complete_lines_of_the_head_count(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"x": 1}\n' + b'{"y": "' + b"a" * 70_000 + b'", "text": "z"}\n')
    assert "none of the first 1 rows has it; they have: x; set text_key" in refused(tmp_path)


def test_a_damaged_stream_passes_because_the_run_reports_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(b"not gzip")
    check(tmp_path)

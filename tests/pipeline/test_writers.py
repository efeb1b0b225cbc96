"""Exports: Baichuan-7B's layout is reversible, and nothing is lost on the way."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError, InputError
from pipeline.config import load_run
from pipeline.run import run
from pipeline.writers import export_corpus
from pipeline.writers.text_lines import escape_line, unescape_line
from tests.pipeline.conftest import prose, read_parts


@given(st.text())
def test_any_text_fits_on_one_line_and_comes_back(text: str) -> None:
    line = escape_line(text)
    assert "\n" not in line
    assert "\r" not in line
    assert unescape_line(line) == text


def test_newlines_and_backslashes_are_escaped_as_documented() -> None:
    assert escape_line("一\n二\\n三\r") == "一\\n二\\\\n三\\r"


def test_an_export_holds_every_kept_document_once_in_balanced_files(make_config: Callable[..., Path], tmp_path: Path) -> None:
    rows = [{"id": str(i), "text": prose(i) + "\n\\n", "title": f"t{i}"} for i in range(10)] + [{"id": "copy", "text": prose(0) + "\n\\n"}]
    config = load_run(make_config({"a": rows}))
    run(config, quiet=True)
    assert export_corpus(config.output, str(tmp_path / "lines"), "baichuan-7b", 4) == 10
    files = sorted((tmp_path / "lines").glob("*.txt"))
    lines = [file.read_text(encoding="utf-8").splitlines() for file in files]
    assert [len(found) for found in lines] == [3, 3, 2, 2]
    kept = {row["text"] for row in read_parts(config.output, "corpus").to_pylist()}
    assert {unescape_line(line) for found in lines for line in found} == kept

    assert export_corpus(config.output, str(tmp_path / "json"), "jsonl", 2) == 10
    documents = []
    for file in sorted((tmp_path / "json").glob("*.jsonl.zst")):
        data = zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read()
        documents += [json.loads(line) for line in data.splitlines()]
    assert {d["id"] for d in documents} == {str(i) for i in range(10)}
    assert {d["meta"]["title"] for d in documents} == {f"t{i}" for i in range(10)}


def test_exports_refuse_unknown_layouts_full_folders_and_unfinished_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--format: got 'csv', wanted one of jsonl, baichuan-7b"):
        export_corpus(str(tmp_path), str(tmp_path / "x"), "csv", 1)
    with pytest.raises(InputError, match="no finished run"):
        export_corpus(str(tmp_path), str(tmp_path / "x"), "jsonl", 1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(InputError, match="is not empty"):
        export_corpus(str(tmp_path), str(tmp_path / "full"), "jsonl", 1)

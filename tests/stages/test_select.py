"""Takedown lists."""

from pathlib import Path

import pyarrow as pa
import pytest

from configs.errors import ConfigError
from stages.select import Select

COLUMNS = pa.table(
    {
        "id": ["1", "2", "3", "4", "5"],
        "url": pa.array(
            ["https://a.example.com/x", "http://b.a.example.com", "https://nota.example.com/x", None, "http://[broken"], pa.string()
        ),
    }
)


def taken(tmp_path: Path, kind: str, text: str) -> list[bool]:
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    reasons = Select(**{f"takedown_{kind}": str(tmp_path / "list.txt")}).reasons(COLUMNS)  # type: ignore[arg-type]
    return reasons["takedown"].tolist() if reasons else [False] * 5


@pytest.mark.parametrize(
    ("kind", "text", "hit"),
    [
        ("ids", "2\n# 3\n\n 4 \n", [False, True, False, True, False]),
        ("urls", "https://a.example.com/x\nhttps://a.example.com", [True, False, False, False, False]),
        ("hosts", "A.example.com\n", [True, True, False, False, False]),
        ("hosts", "example.org\n", [False] * 5),
    ],
)
def test_lists_name_ids_urls_or_hosts_with_their_subdomains(tmp_path: Path, kind: str, text: str, hit: list[bool]) -> None:
    assert taken(tmp_path, kind, text) == hit


def test_no_list_takes_nothing_down() -> None:
    assert Select().reasons(COLUMNS) == {}


def test_languages_that_are_not_asked_for_have_a_reason_and_unreadable_rows_have_theirs() -> None:
    columns = COLUMNS.append_column("lang", pa.array(["zh-hans", "en", "other", None, "zh"]))
    columns = columns.append_column("fault", pa.array([None, None, None, "bad_json", None], pa.string()))
    assert Select(languages=("zh",)).reasons(columns)["language"].tolist() == [False, True, True, False, False]
    assert Select(languages=("zh-hans",)).reasons(columns)["language"].tolist() == [False, True, True, False, True]
    assert Select().reasons(columns) == {}


def test_a_list_that_is_not_utf8_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("编号".encode("gbk"))
    with pytest.raises(ConfigError, match="must be UTF-8"):
        Select(takedown_ids=str(tmp_path / "list.txt")).reasons(COLUMNS)

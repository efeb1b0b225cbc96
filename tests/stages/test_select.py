"""Takedown and block lists, languages."""

from pathlib import Path

import pyarrow as pa
import pytest

from configs.errors import ConfigError
from stages.select import Select

COLUMNS = pa.table(
    {
        "id": ["1", "2", "3", "4", "5"],
        "num_chars": [10] * 5,
        "fault": pa.nulls(5, pa.string()),
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
    columns = columns.drop_columns("fault").append_column("fault", pa.array([None, None, None, "bad_json", None], pa.string()))
    assert Select(languages=("zh",)).reasons(columns)["language"].tolist() == [False, True, True, False, False]
    assert Select(languages=("zh-hans",)).reasons(columns)["language"].tolist() == [False, True, True, False, True]
    assert Select().reasons(columns) == {}


def test_a_list_that_is_not_utf8_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("编号".encode("gbk"))
    with pytest.raises(ConfigError, match="must be UTF-8"):
        Select(takedown_ids=str(tmp_path / "list.txt")).reasons(COLUMNS)


def test_block_lists_have_reasons_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("https://a.example.com/x\nhttps://a.example.com\n", encoding="utf-8")
    (tmp_path / "hosts.txt").write_text("# mirrors\nB.a.example.com\n", encoding="utf-8")
    select = Select(block_urls=str(tmp_path / "urls.txt"), block_hosts=str(tmp_path / "hosts.txt"))
    assert {reason: mask.tolist() for reason, mask in select.reasons(COLUMNS).items()} == {
        "blocked_url": [True, False, False, False, False],
        "blocked_host": [False, True, False, False, False],
    }
    assert select.files() == (str(tmp_path / "urls.txt"), str(tmp_path / "hosts.txt"))
    assert select.computed_by() == {}


@pytest.mark.parametrize(
    ("host", "hit"), [("example.com", [True, True, True]), ("a.example.com", [True, True, False]), ("com.", [False] * 3)]
)
def test_a_blocked_host_covers_its_subdomains_only(tmp_path: Path, host: str, hit: list[bool]) -> None:
    (tmp_path / "hosts.txt").write_text(host, encoding="utf-8")
    found = Select(block_hosts=str(tmp_path / "hosts.txt")).reasons(COLUMNS.slice(0, 3))
    assert (found["blocked_host"].tolist() if found else [False] * 3) == hit


def test_entries_that_name_a_document_are_told_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("9\n2\n2\n5\n", encoding="utf-8")
    (tmp_path / "urls.txt").write_text("https://a.example.com\n", encoding="utf-8")
    (tmp_path / "hosts.txt").write_text("org\nEXAMPLE.com\na.example.COM\n", encoding="utf-8")
    select = Select(takedown_ids=str(tmp_path / "ids.txt"), block_urls=str(tmp_path / "urls.txt"), block_hosts=str(tmp_path / "hosts.txt"))
    assert {name: listed for name, listed in select.listed.items() if listed} == {
        "takedown_ids": ["9", "2", "5"],
        "block_urls": ["https://a.example.com"],
        "block_hosts": ["org", "example.com", "a.example.com"],
    }
    assert select.matched(COLUMNS) == {"takedown_ids": [1, 2], "block_urls": [], "block_hosts": [1, 2]}
    assert select.matched(COLUMNS.slice(2, 1)) == {"takedown_ids": [], "block_urls": [], "block_hosts": [1]}
    assert Select().matched(COLUMNS) == {}


def test_a_url_may_be_taken_down_and_blocked(tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("https://a.example.com/x", encoding="utf-8")
    found = Select(takedown_urls=str(tmp_path / "urls.txt"), block_urls=str(tmp_path / "urls.txt")).reasons(COLUMNS)
    assert list(found) == ["takedown", "blocked_url"]


@pytest.mark.parametrize("listed", ["\ufeff2\n", "2\r\n", "\ufeff# comment\r\n2"])
def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_an_entry(tmp_path: Path, listed: str) -> None:
    (tmp_path / "list.txt").write_bytes(listed.encode())
    assert Select(takedown_ids=str(tmp_path / "list.txt")).reasons(COLUMNS)["takedown"].tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\x0b"])
def test_an_id_may_hold_what_python_takes_for_a_line_end(tmp_path: Path, separator: str) -> None:
    (tmp_path / "list.txt").write_bytes(f"1{separator}2\n".encode())
    columns = COLUMNS.set_column(0, "id", pa.array(["1", "2", "3", "4", f"1{separator}2"]))
    assert Select(takedown_ids=str(tmp_path / "list.txt")).reasons(columns)["takedown"].tolist() == [False] * 4 + [True]


def test_a_document_without_text_has_the_reason_empty_unless_it_has_a_fault() -> None:
    columns = COLUMNS.set_column(1, "num_chars", pa.array([0, 0, 1, 10, 10]))
    faults = pa.array([None, "bad_json", None, None, None], pa.string())
    columns = columns.set_column(columns.column_names.index("fault"), "fault", faults)
    assert Select().reasons(columns)["empty"].tolist() == [True, False, False, False, False]

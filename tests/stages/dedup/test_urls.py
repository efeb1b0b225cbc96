"""Which URLs are one."""

import pytest

from stages.dedup.urls import url_key


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a",
        "https://example.org/a",
        "https://www.example.org/a/",
        "https://EXAMPLE.org/a#part",
        "https://example.org:/a",
    ],
)
def test_scheme_www_case_fragment_and_last_slash_make_no_difference(url: str) -> None:
    assert url_key(url) == "example.org/a"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://example.org/a?id=1", "example.org/a?id=1"),
        ("https://example.org/A", "example.org/A"),
        ("https://example.org:8080/a", "example.org:8080/a"),
        ("https://例子.中国/新闻", "例子.中国/新闻"),
        ("https://example.org", "example.org"),
    ],
)
def test_query_path_and_port_do(url: str, key: str) -> None:
    assert url_key(url) == key


@pytest.mark.parametrize("url", [None, "", "no url", "mailto:a@example.org", "http://[broken", "http://example.org:port/"])
def test_what_has_no_host_has_no_key(url: str | None) -> None:
    assert url_key(url) is None

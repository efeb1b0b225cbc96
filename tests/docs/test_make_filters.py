"""The generated page on filters is current."""

from docs import make_filters


def test_the_page_on_filters_is_current() -> None:
    assert (make_filters.DOCS / "filters.md").read_text(encoding="utf-8") == make_filters.page()

"""Baichuan-7B's layout: one document per line, reversibly."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.writers.text_lines import escape_line, unescape_line


@given(st.text())
def test_any_text_fits_on_one_line_and_comes_back(text: str) -> None:
    line = escape_line(text)
    assert "\n" not in line
    assert "\r" not in line
    assert unescape_line(line) == text


def test_newlines_and_backslashes_are_escaped_as_documented() -> None:
    assert escape_line("一\n二\\n三\r") == "一\\n二\\\\n三\\r"

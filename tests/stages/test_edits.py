"""The policy on edits: both sides of each bound, texts that read, and texts that can be rebuilt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.edits import Decision, Span, decide, rebuild, remove


def cut(text: str, *parts: str) -> tuple[str, Decision]:
    """What is left of a text after a decision about the first occurrences of some parts."""
    data = text.encode()
    decision = decide([Span(data.index(p.encode()), data.index(p.encode()) + len(p.encode()), "rule") for p in parts], data)
    return remove(data, decision.cuts).decode(), decision


BODY = "甲" * 79 + "。"
A, B = "a" * 100 + ".", "b" * 100


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{A}\nX\n{B}", f"{A}\n{B}"),
        (f"{A}\n\nX\n\n{B}", f"{A}\n\n{B}"),
        (f"{A}\n\n\n\nX\n\n\n{B}", f"{A}\n\n{B}"),
        (f"{A}\n  X\n{B}", f"{A}\n{B}"),
        (f"X\n\n{A}", A),
        (f"\nX\n{A}", A),
        (f"{A}\n\nX", A),
        (f"{A}\nX\n", A),
        (f"{A} X {B}", f"{A} {B}"),
        (f"X {B}", B),
        (f"{A} X\n{B}", f"{A}\n{B}"),
    ],
)
def test_what_is_left_reads_without_doubled_blank_lines_or_spaces(text: str, left: str) -> None:
    assert cut(text, "X")[0] == left


def test_up_to_five_percent_go_also_from_the_middle_of_a_paragraph() -> None:
    five, six = "乙乙乙乙。", "乙乙乙乙乙。"
    text = "甲" * 46 + "。" + five + "甲" * 47 + "。"
    assert len(text) == 100
    left, decision = cut(text, five)
    assert left == text.replace(five, "")
    assert decision.edit_share == 0
    assert decision.cut_share == pytest.approx(0.05)
    longer = "甲" * 46 + "。" + six + "甲" * 46 + "。"
    assert len(longer) == 100
    left, decision = cut(longer, six)
    assert left == longer
    assert decision == Decision((), 0.06, 0.0)


def test_more_goes_if_it_is_whole_lines_at_the_edges_or_paragraphs_of_their_own() -> None:
    assert cut(f"首页 国内\n{BODY}\n版权所有", "首页 国内", "版权所有")[0] == BODY
    assert cut(f"{BODY}\n阅读全文\n{BODY}", "阅读全文")[0] == f"{BODY}\n{BODY}"
    assert cut(f"{BODY}\n点击查看更多的内容\n{BODY}", "点击查看更多的内容")[0] == f"{BODY}\n{BODY}"


def test_a_line_in_the_middle_of_wrapped_text_stays_and_marks_the_document() -> None:
    wrapped = f"{'word ' * 20}\nREMOVE THIS LINE, PLEASE\n{'word ' * 20}"
    left, decision = cut(wrapped, "REMOVE THIS LINE, PLEASE")
    assert left == wrapped
    assert decision.edit_share == pytest.approx(24 / len(wrapped))


def test_half_goes_and_more_than_half_does_not() -> None:
    assert cut("甲甲甲。\n乙乙乙乙乙", "乙乙乙乙乙")[0] == "甲甲甲。"
    assert cut("甲甲甲。\n乙乙乙乙乙乙", "乙乙乙乙乙乙")[1] == Decision((), 6 / 11, 0.0)


def test_nothing_is_cut_from_a_text_that_would_be_empty() -> None:
    text = "X" + " " * 50
    assert decide([Span(0, 1, "rule")], text.encode()) == Decision((), 1 / 51, 0.0)


def test_overlaps_are_cut_once_by_the_earlier_span() -> None:
    text = ("a" * 200 + ".\nXXYYZZ").encode()
    decision = decide([Span(202, 206, "first"), Span(204, 208, "second", "other", 0.9), Span(203, 205, "inner")], text)
    assert [(c.start, c.end, c.rule, c.partner) for c in decision.cuts] == [(201, 206, "first", None), (206, 208, "second", "other")]


def test_shares_count_characters_not_bytes() -> None:
    text = "a" * 90 + ".\n" + "汉" * 8
    assert len(text.encode()) == 116  # 24 of 116 bytes, 8 of 100 characters
    assert cut(text, "汉" * 8)[1].cut_share == pytest.approx(0.09)  # and its line end


LINES = st.lists(st.sampled_from(["", "甲。", "first sentence. second one.", "😀", " x", "阅读全文", "end"]), min_size=1, max_size=8)


@given(LINES, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=5))
def test_every_text_is_rebuilt_and_cuts_are_disjoint(lines: list[str], spans: list[tuple[int, int]]) -> None:
    text = "\n".join(lines)
    places = [len(text[:i].encode()) for i in range(len(text) + 1)]
    proposed = [Span(places[min(a, len(text))], places[min(a + b, len(text))], "r") for a, b in spans]
    data = text.encode()
    decision = decide([span for span in proposed if span.start < span.end], data)
    left = remove(data, decision.cuts)
    assert rebuild(left, [(c.start, data[c.start : c.end]) for c in decision.cuts]) == data
    assert all(a.end <= b.start for a, b in zip(decision.cuts, decision.cuts[1:], strict=False))
    left.decode()
    assert not decision.cuts or left.strip()
    assert decision.edit_share == 0 or not decision.cuts

"""The policy on edits: both sides of each bound, texts that read, and texts that can be rebuilt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.edits import CONTAMINATION, Decision, Span, decide, rebuild, remove


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


def test_a_frame_goes_also_where_repeats_of_others_stay() -> None:
    """Three quarters of the text stand elsewhere, too much to cut; the footer is no text in any case."""
    repeat, rest, footer = "b" * 90 + ".", "a" * 20 + ".", "footer 7"
    text = f"{rest}\n\n{repeat}\n\n{footer}".encode()
    start = text.index(b"b")
    spans = [Span(start, start + 91, "repeated_passage", "other", 1.0), Span(len(text) - 8, len(text), "boilerplate")]
    decision = decide(spans, text)
    assert remove(text, decision.cuts).decode() == f"{rest}\n\n{repeat}"
    assert decision.edit_share == pytest.approx(91 / len(text))
    assert decision.cut_share == pytest.approx(10 / len(text))
    assert decide(spans[:1], text) == Decision((), pytest.approx(91 / len(text)), 0.0)


def test_a_dateline_goes_from_a_short_text_though_it_is_no_whole_line() -> None:
    text = f"Title\n\nLONDON (Reuters) - {A}".encode()
    span = Span(7, 7 + 19, "edge_boilerplate")
    assert remove(text, decide([span], text).cuts).decode() == f"Title\n\n{A}"
    assert decide([span._replace(rule="rule")], text).cuts == ()
    middle = f"{A}{A} LONDON (Reuters) - {A}{A}".encode()
    at = middle.index(b"LONDON")
    assert decide([Span(at, at + 19, "edge_boilerplate")], middle[:300]).cuts == ()


def test_a_mask_is_applied_whatever_becomes_of_the_removals() -> None:
    text = ("甲" * 40 + "，写信到 a@b.example 。" + "乙" * 20 + "。").encode()
    at = text.index(b"a@b")
    mask = Span(at, at + 11, "email", replacement="<EMAIL>")
    masked = text.replace(b"a@b.example", b"<EMAIL>")
    decision = decide([mask], text)
    assert remove(text, decision.cuts) == masked
    assert (decision.edit_share, decision.cut_share) == (0, 0)
    refused = decide([Span(0, 60, "boilerplate"), mask], text)  # 20 of 79 characters, no whole line
    assert remove(text, refused.cuts) == masked
    assert refused.edit_share == pytest.approx(20 / 79)


def test_what_is_removed_needs_no_mask() -> None:
    text = (BODY + "\n写信到 a@b.example\n" + BODY).encode()
    line, at = text.index("写信".encode()), text.index(b"a@b")
    decision = decide([Span(line, at + 11, "boilerplate"), Span(at, at + 11, "email", replacement="<EMAIL>")], text)
    assert [cut.rule for cut in decision.cuts] == ["boilerplate"]
    assert remove(text, decision.cuts) == f"{BODY}\n{BODY}".encode()


def test_a_question_of_an_evaluation_set_goes_where_nothing_else_would_be_cut() -> None:
    text = ("甲" * 40 + "。问题在这里？" + "乙" * 20 + "。").encode()
    question = Span(text.index("问".encode()), text.index("乙".encode()), CONTAMINATION)
    refused = Span(0, 60, "boilerplate")
    decision = decide([question, refused], text)
    assert remove(text, decision.cuts) == ("甲" * 40 + "。" + "乙" * 20 + "。").encode()
    assert decision.cut_share == pytest.approx(6 / 68)
    assert decision.edit_share == pytest.approx(20 / 68)


def test_what_must_go_goes_on_both_sides_of_a_cut_within_it() -> None:
    text = (BODY + "\n问题一？\n阅读全文\n问题二？\n" + BODY).encode()
    start, end = text.index("问题一".encode()), text.index("问题二".encode())
    cut = text.index("阅读".encode())
    spans = [Span(start, end + 13, CONTAMINATION), Span(cut, cut + 12, "boilerplate")]
    assert remove(text, decide(spans, text).cuts) == f"{BODY}\n{BODY}".encode()


def test_what_may_go_stays_if_nothing_else_is_left() -> None:
    text = "问题一？\n阅读全文".encode()
    assert remove(text, decide([Span(0, 13, CONTAMINATION), Span(13, 25, "boilerplate")], text).cuts) == "阅读全文".encode()


LINES = st.lists(st.sampled_from(["", "甲。", "first sentence. second one.", "😀", " x", "阅读全文", "end"]), min_size=1, max_size=8)


@given(LINES, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from(["", "", "[X]", "〔邮箱〕"])), max_size=5))
def test_every_text_is_rebuilt_and_cuts_are_disjoint(lines: list[str], spans: list[tuple[int, int, str]]) -> None:
    text = "\n".join(lines)
    places = [len(text[:i].encode()) for i in range(len(text) + 1)]
    proposed = [Span(places[min(a, len(text))], places[min(a + b, len(text))], "r", replacement=mask) for a, b, mask in spans]
    data = text.encode()
    decision = decide([span for span in proposed if span.start < span.end], data)
    left = remove(data, decision.cuts)
    assert rebuild(left, [(c.start, data[c.start : c.end], c.replacement.encode()) for c in decision.cuts]) == data
    assert all(a.end <= b.start for a, b in zip(decision.cuts, decision.cuts[1:], strict=False))
    left.decode()
    assert not decision.cuts or left.strip()
    assert decision.edit_share == 0 or all(c.replacement for c in decision.cuts)

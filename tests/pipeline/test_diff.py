"""Diffs of long and of hostile texts."""

import random
import re
import time

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.diff import side_by_side, word_diff


def shown(left: str, right: str) -> str:
    console = Console(record=True, width=200)
    console.print(side_by_side(left, right, "[/a]", "b"))
    return console.export_text()


def words(seed: int, count: int) -> str:
    return " ".join(random.Random(seed).choices(["the", "of", "corpus", "data", "[/b]", "meadow"], k=count))


def test_texts_that_look_like_markup_are_shown_as_they_are() -> None:
    text = "\n".join(["[/b]", *"1234567", "[/b]"])
    assert shown(text, text).count("[/b]") == 4  # first and last of the folded lines, on both sides
    assert "7 equal lines" in shown(text, text)


def test_words_and_han_characters_are_what_is_marked() -> None:
    (left, right), *_ = zip(*(column._cells for column in side_by_side("the cat 好天", "the cow 坏天", "a", "b").columns), strict=True)
    assert [left.plain[span.start : span.end] for span in left.spans if span.style] == ["cat", "好"]
    assert [right.plain[span.start : span.end] for span in right.spans if span.style] == ["cow", "坏"]


def test_long_lines_are_said_to_be_long_with_their_first_difference() -> None:
    left = words(1, 200_000)
    assert len(left) > 900_000
    right = left[:500_000] + "X" + left[500_000:]
    start = time.perf_counter()
    table = shown(left, right)
    assert time.perf_counter() - start < 2
    assert f"line of {len(left):,} characters, first difference at 500,000" in " ".join(table.split())


def test_many_repeated_lines_are_compared_in_time() -> None:
    left, right = ("\n".join(random.Random(seed).choices("abcd", k=6000)) for seed in (1, 2))
    start = time.perf_counter()
    side_by_side(f"head\n{left}\ntail", f"head\n{right}\ntail", "a", "b")
    assert time.perf_counter() - start < 2


def test_equal_ends_around_a_long_middle_are_found() -> None:
    lines = [str(i) for i in range(2000)]
    table = shown("\n".join(lines), "\n".join([*lines[:1000], "new", *lines[1001:]]))
    assert "998 equal lines" in table
    assert "997 equal lines" in table


def test_a_word_diff_marks_words_and_han_characters_and_no_white_space() -> None:
    assert word_diff("The old cat\n sat.", "The new cat sat.").plain == "The [-old-]{+new+} cat sat."
    assert word_diff("今天好天。", "今天坏天。\n").plain == "今天[-好-]{+坏+}天。"
    assert word_diff("a b", "a b").plain == "the same text"
    assert word_diff("a  b\nc", "a b c").plain == "only white space differs"
    assert word_diff("", "new").plain == "{+new+}"
    assert word_diff("[/a] x", "[/a] y").plain == "[/a] [-x-]{+y+}"


def test_changes_that_are_far_apart_stand_on_lines_of_their_own() -> None:
    middle = " ".join(f"word{n}" for n in range(100))
    (first, second) = word_diff(f"old {middle} end", f"new {middle} END").plain.split("\n")
    assert first == f"[-old-]{{+new+}} {middle[:40]}…"
    assert second == f"…{middle[-39:]} [-end-]{{+END+}}"


def test_what_only_one_text_has_is_shown_by_its_ends() -> None:
    added = "x" * 1000
    assert word_diff("start", f"start {added}").plain == f"start {{+{'x' * 200}…{'x' * 200}+}}"


@given(st.lists(st.sampled_from(["the", "cat", "好", "天", "\n", " ", "。"])), st.lists(st.sampled_from(["the", "cat", "好", "坏", "\n"])))
def test_a_short_word_diff_gives_both_texts_back(old: list[str], new: list[str]) -> None:
    left, right = "".join(old), "".join(new)
    marked = word_diff(left, right).plain
    gone = re.sub(r"\{\+.*?\+\}", "", marked, flags=re.DOTALL)
    come = re.sub(r"\[-.*?-\]", "", marked, flags=re.DOTALL)
    if marked not in ("the same text", "only white space differs"):
        assert re.sub(r"\[-|-\]|\s", "", gone) == re.sub(r"\s", "", left)
        assert re.sub(r"\{\+|\+\}|\s", "", come) == re.sub(r"\s", "", right)
    else:
        assert "".join(left.split()) == "".join(right.split())


def test_texts_with_thousands_of_other_words_are_compared_by_lines_first() -> None:
    lines = [words(seed, 300) for seed in range(40)]
    shown = word_diff(
        "\n".join(["same", *lines, "the old end"]), "\n".join(["same", *(words(s, 300) for s in range(50, 90)), "the new end"])
    )
    assert shown.plain.count("\n") == 40
    assert "same" not in shown.plain.split("\n")
    assert shown.plain.endswith("the [-old-]{+new+} end")
    one, two = words(1, 9000), words(2, 9000)
    parted = word_diff(one, two).plain
    assert parted.startswith(f"[-[line of {len(one):,} characters, first difference at ")

"""Diffs of long and of hostile texts."""

import random
import time

from rich.console import Console

from pipeline.explain import side_by_side


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

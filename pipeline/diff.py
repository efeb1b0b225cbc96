"""Two texts compared: their lines, and in lines that differ their words, or characters where a script has no spaces."""

import difflib
import re
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text


def side_by_side(left: str, right: str, left_title: str, right_title: str) -> Table:
    """Two texts line against line, with the characters that differ marked; equal stretches of more than six lines are folded."""
    table = Table(show_lines=False, expand=True)
    table.add_column(Text(left_title))
    table.add_column(Text(right_title))
    for one, two in aligned(left, right):
        table.add_row(one, two)
    return table


def aligned(left: str, right: str) -> Iterator[tuple[Text, Text]]:
    """Lines of both texts beside each other. What only one has is `bold red` left and `bold green` right; of folded lines a `dim` note."""
    a, b = left.splitlines() or [""], right.splitlines() or [""]
    for tag, i1, i2, j1, j2 in _opcodes(a, b):
        if tag == "equal" and i2 - i1 > 6:
            yield Text(a[i1]), Text(b[j1])
            yield Text(f"… {i2 - i1 - 2} equal lines …", "dim"), Text()
            yield Text(a[i2 - 1]), Text(b[j2 - 1])
            continue
        for offset in range(max(i2 - i1, j2 - j1)):
            one = a[i1 + offset] if i1 + offset < i2 else ""
            two = b[j1 + offset] if j1 + offset < j2 else ""
            yield (Text(one), Text(two)) if tag == "equal" else _marked(one, two)


def word_diff(old: str, new: str) -> Text:
    r"""What turns `old` into `new`, a line for each place: `[-gone-]` and `{+come+}`, as git marks words, between some of what is equal.

    White space is not compared, as it is not in near-duplicates. Where thousands of words differ, lines are compared first.

    >>> word_diff("The old cat\n sat.", "The new cat sat.").plain
    'The [-old-]{+new+} cat sat.'
    """
    if old == new:
        return Text("the same text", "dim")
    first, second = _WORDS.findall(old), _WORDS.findall(new)
    if _num_compared(first, second) <= 2 * MOST_TOKENS:
        return _marked_words(first, second)
    shown = []
    a, b = old.splitlines(), new.splitlines()
    for tag, i1, i2, j1, j2 in _opcodes(a, b):
        if tag != "equal":
            both = min(i2 - i1, j2 - j1)
            shown += [_line_for_two(one, two) for one, two in zip(a[i1 : i1 + both], b[j1 : j1 + both], strict=True)]
            shown += [Text(_gone(line), "red") for line in a[i1 + both : i2]]
            shown += [Text(_come(line), "green") for line in b[j1 + both : j2]]
    return Text("\n").join(shown)


MOST_EXACT = 500
"""Longer lists are compared with difflib's `autojunk`: anything that is in more than 1 % of the places starts no match."""
_TOKENS = re.compile(r"[0-9A-Za-z\u00c0-\u024f]+|\s+|.", re.DOTALL)
MOST_TOKENS = 2000
"""Longer lines are not compared word by word: that takes time with the square of their length."""


def _opcodes(a: list[str], b: list[str]) -> list[tuple[str, int, int, int, int]]:
    """What turns `a` into `b`. Equal ends are taken off first; long middles ignore what they hold often, or 6,000 lines take minutes."""
    start = _num_equal(a, b)
    end = _num_equal(a[start:][::-1], b[start:][::-1])
    middle = a[start : len(a) - end], b[start : len(b) - end]
    long = max(map(len, middle)) > MOST_EXACT
    found = difflib.SequenceMatcher(None, *middle, autojunk=long).get_opcodes()
    codes: list[tuple[str, int, int, int, int]] = [(tag, i1 + start, i2 + start, j1 + start, j2 + start) for tag, i1, i2, j1, j2 in found]
    if start:
        codes.insert(0, ("equal", 0, start, 0, start))
    if end:
        codes.append(("equal", len(a) - end, len(a), len(b) - end, len(b)))
    return codes


def _num_equal(a: Sequence[str], b: Sequence[str]) -> int:
    """How many places from the start on are equal."""
    return next((i for i, (one, two) in enumerate(zip(a, b, strict=False)) if one != two), min(len(a), len(b)))


def _marked(one: str, two: str) -> tuple[Text, Text]:
    """Both lines with the words or Han characters that differ marked; of very long ones the place where they part."""
    left, right = Text(), Text()
    first, second = _TOKENS.findall(one), _TOKENS.findall(two)
    if len(first) + len(second) > 2 * MOST_TOKENS:
        return _where_they_part(one, two)
    for tag, i1, i2, j1, j2 in _opcodes(first, second):
        left.append("".join(first[i1:i2]), None if tag == "equal" else "bold red")
        right.append("".join(second[j1:j2]), None if tag == "equal" else "bold green")
    return left, right


def _where_they_part(one: str, two: str) -> tuple[Text, Text]:
    place = _num_equal(one, two)
    shown = slice(max(0, place - 100), place + 300)
    head = f"[line of {len(one):,} characters, first difference at {place:,}] …"
    return Text(head + one[shown]), Text(head.replace(f"{len(one):,}", f"{len(two):,}", 1) + two[shown])


_WORDS = re.compile(r"(?:[0-9A-Za-z\u00c0-\u024f]+|\S)\s*")
CONTEXT_CHARS = 40
"""Of what is equal beside a change so much is shown by `word_diff`."""
MOST_CHARS = 400
"""Of what only one text has so much is shown by `word_diff`."""


def _marked_words(first: list[str], second: list[str]) -> Text:
    """Words with the white space behind them. Changes that are far apart stand on lines of their own."""
    codes = _opcodes([word.rstrip() for word in first], [word.rstrip() for word in second])
    if all(tag == "equal" for tag, *_ in codes):
        return Text("only white space differs", "dim")
    shown = Text()
    for number, (tag, i1, i2, j1, j2) in enumerate(codes):
        gone, come = "".join(first[i1:i2]), "".join(second[j1:j2])
        if tag == "equal":
            head, tail = CONTEXT_CHARS * (number > 0), CONTEXT_CHARS * (number < len(codes) - 1)
            shown.append(_folded(come, head, tail, "…\n…" if head and tail else "…"))
            continue
        if gone:
            shown.append(_gone(gone), "red")
        if come:
            shown.append(_come(come), "green")
        shown.append(" " * (come or gone)[-1].isspace())
    shown.rstrip()
    return shown


def _line_for_two(one: str, two: str) -> Text:
    first, second = _WORDS.findall(one), _WORDS.findall(two)
    if _num_compared(first, second) <= 2 * MOST_TOKENS:
        return _marked_words(first, second)
    left, right = _where_they_part(one, two)
    return Text("\n").join([Text(f"[-{left.plain}-]", "red"), Text(f"{{+{right.plain}+}}", "green")])


def _num_compared(first: list[str], second: list[str]) -> int:
    """How many words lie between equal ends."""
    start = _num_equal(first, second)
    end = _num_equal(first[start:][::-1], second[start:][::-1])
    return len(first) + len(second) - 2 * (start + end)


def _gone(text: str) -> str:
    return f"[-{_folded(text.strip(), MOST_CHARS // 2, MOST_CHARS // 2, '…')}-]"


def _come(text: str) -> str:
    return f"{{+{_folded(text.strip(), MOST_CHARS // 2, MOST_CHARS // 2, '…')}+}}"


def _folded(text: str, head: int, tail: int, gap: str) -> str:
    """Both ends of a text with single spaces; all of it where that is hardly longer.

    >>> _folded("a long stretch of words", 6, 5, "…"), _folded("short", 2, 1, "…")
    ('a long…words', 'short')
    """
    text = re.sub(r"\s+", " ", text)
    if len(text) <= head + tail + 10:
        return text
    return f"{text[:head]}{gap}{text[len(text) - tail :]}"

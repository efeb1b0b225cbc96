"""Word lists: the kernel against a regular expression, and word boundaries."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.word_list import Listed, listed_words, word_list
from tests.stages.text.test_profile import buffer_of, documents

WORD = rb"[A-Za-z0-9]"


def searched(entries: list[str], *texts: bytes, max_bytes: int = 1 << 62) -> Listed:
    return listed_words(buffer_of(*texts), word_list(entries), max_bytes)


def matches(entries: list[str], text: bytes) -> list[bytes]:
    """Alternatives, longest first; letters and digits at an end of an entry need the end of a word."""
    parts = []
    for entry in sorted({entry.strip().encode() for entry in entries if entry.strip()}, key=len, reverse=True):
        before = rb"(?<!%s)" % WORD if re.match(WORD, entry) else b""
        after = rb"(?!%s)" % WORD if re.match(WORD, entry[-1:]) else b""
        parts.append(before + re.escape(entry) + after)
    return re.findall(b"|".join(parts), text, re.IGNORECASE) if parts else []


entries = st.lists(st.sampled_from(["a", "ab", "a b", "B1", "中", "中文", "文中a", "é", "-x", "x-", " ", "ba ab"]), max_size=5)
texts = st.lists(st.sampled_from(["a", "A", "b", "1", " ", "中", "文", "é", "-", "x", "\n"]), max_size=20).map(
    lambda x: "".join(x).encode()
)


@settings(max_examples=500)
@given(entries, st.lists(st.one_of(texts, documents), min_size=1, max_size=3))
def test_kernel_agrees_with_a_regular_expression(words: list[str], batch: list[bytes]) -> None:
    found = searched(words, *batch)
    expected = [matches(words, text) for text in batch]
    assert found.found.tolist() == list(map(len, expected))
    assert found.num_bytes.tolist() == [sum(map(len, hits)) for hits in expected]


@pytest.mark.parametrize(
    ("entry", "text", "found"),
    [("ass", "class assess", 0), ("ass", "an ASS.", 1), ("赌博", "网络赌博网站", 1), ("AB", "ab Ab aB xab", 3), ("É", "é", 0)],
)
def test_ascii_words_are_whole_and_in_either_case(entry: str, text: str, found: int) -> None:
    assert searched([entry], text.encode()).found.tolist() == [found]


def test_only_the_first_bytes_are_searched() -> None:
    assert searched(["ab"], b"ab ab ab", max_bytes=5).found.tolist() == [2]
    assert searched(["ab"], b"ab ab ab", max_bytes=4).found.tolist() == [1]


def test_an_empty_list_finds_nothing() -> None:
    assert searched([], b"ab", b"").found.tolist() == [0, 0]

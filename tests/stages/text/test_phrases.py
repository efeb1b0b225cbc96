"""The automaton finds what `in` finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.characters import character_classes
from stages.text.kernel import eight_bytes
from stages.text.phrases import compile_phrases, first_phrase, phrase_search, stands_alone

WORDS = st.text(alphabet="ab汉字 ", min_size=1, max_size=4)


@given(st.lists(WORDS, min_size=1, max_size=6, unique=True), st.text(alphabet="abAB汉字 ", max_size=30))
def test_all_phrases_are_found_where_they_end(words: list[str], text: str) -> None:
    phrases = compile_phrases(dict.fromkeys(words, 1))
    names = list(dict.fromkeys(words))
    data = text.encode()
    state, found = 0, set()
    for end, byte in enumerate(data, 1):
        state = phrases.moves[state, byte]
        here = state if phrases.found[state] >= 0 else phrases.shorter[state]
        assert phrases.ends_phrase[state] == (here > 0)
        while here > 0:
            found.add((names[phrases.found[here]], end))
            here = phrases.shorter[here]
    lowered = data.lower()
    expected = {(w, at + len(w.encode())) for w in names for at in range(len(data)) if lowered[at:].startswith(w.encode())}
    assert found == expected


@settings(deadline=None)
@given(
    st.lists(st.text(alphabet="abB汉字 ", min_size=1, max_size=5), min_size=1, max_size=6, unique_by=str.lower),
    st.text(alphabet="abAB汉字 ", max_size=30),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_no_phrase_is_passed_over(words: list[str], text: str, before: int, behind: int) -> None:
    searched = phrase_search(dict.fromkeys(words, 1))
    data = np.frombuffer(text.encode(), np.uint8)
    start, end = min(before, len(data)), max(len(data) - behind, 0)
    lowered = data[start:end].tobytes().lower()
    places = [start + at for word in words if (at := lowered.find(word.lower().encode())) >= 0]
    moves, ends_phrase = searched.phrases.moves, searched.phrases.ends_phrase
    found = first_phrase(data, eight_bytes(data), start, end, len(data), *searched.openings, moves, ends_phrase)
    assert (found >= 0) == bool(places)
    assert found <= min(places, default=-1)


@pytest.mark.parametrize(
    ("text", "word", "alone"),
    [
        ("a share", "share", True), ("shares", "share", False), ("/share/", "share", False), ("share.", "share", False),
        ("share, b", "share", True), ("新首页", "首页", False), ("（首页）", "首页", True),
        ("首页x", "首页", True), ("x分享y", "分享", True),
    ],
)  # fmt: skip
def test_a_word_stands_alone_or_is_part_of_another(text: str, word: str, alone: bool) -> None:
    data, start = np.frombuffer(text.encode(), np.uint8), text.encode().index(word.encode())
    assert stands_alone(data, start, start + len(word.encode()), 0, len(data), character_classes()) == alone

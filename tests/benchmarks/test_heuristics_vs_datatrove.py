"""The plain reference that is compared with datatrove: its words are ours, its shares by hand."""

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.stages.text import reference
from tests.stages.text.test_profile import documents

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from heuristics_vs_datatrove import our_words, top_by_their_definition


@settings(deadline=None)
@given(documents)
def test_words_are_those_of_the_profile(document: bytes) -> None:
    text = reference.decode(document)
    assert our_words(text) == [reference.fold(word) for word in reference.words(text)]


@pytest.mark.parametrize(
    ("text", "size", "share"),
    [
        ("a b a b", 2, 6 / 7),  # "a b" twice, three characters each
        ("ha ha ha", 2, 10 / 8),  # occurrences may overlap
        ("only words", 2, 1.0),  # one that occurs once is the top one
        ("bb cc a a b b", 2, 5 / 13),  # the first of those that are equally frequent, not the longest or the last
        ("word", 2, 0.0),
        ("", 3, 0.0),
    ],
)
def test_top_ngram_by_datatroves_definition(text: str, size: int, share: float) -> None:
    assert top_by_their_definition(our_words(text), len(text), size) == pytest.approx(share)

"""Edit similarity against the plain table of distances."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.dedup.edit_similarity import edit_similarity
from stages.text.buffers import TextBuffer, text_buffer
from stages.text.fold import IGNORED, class_of
from tests.stages.text.test_fold import reference_fold


def distance(a: str, b: str) -> int:
    """Levenshtein's distance, by its definition."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, above = [i], row
        for j, y in enumerate(b, 1):
            row.append(min(row[-1] + 1, above[j] + 1, above[j - 1] + (x != y)))
    return row[-1]


def view(text: str) -> str:
    """What is compared."""
    kept = (c for c in reference_fold(text) if class_of(c) != IGNORED)
    return " ".join("".join(" " if c <= " " or c in "\x85\u1680\u2028\u2029" else c for c in kept).split())


def similarity(a: str, b: str, at_least: float) -> float:
    a, b = view(a), view(b)
    if not a or not b:
        return 0.0
    found = 1 - distance(a, b) / max(len(a), len(b))
    return found if found >= at_least else 0.0


def buffer(texts: list[str]) -> TextBuffer:
    return text_buffer(pa.array(texts, pa.large_string()))


def all_pairs(num_texts: int) -> tuple[np.ndarray, np.ndarray]:
    left, right = np.indices((num_texts, num_texts)).reshape(2, -1)
    return left, right


def edited(text: str, num_edits: int, seed: int) -> str:
    """The text after so many random edits."""
    generator = random.Random(seed)
    characters = list(text)
    for _ in range(num_edits):
        at = generator.randrange(len(characters) + 1)
        kind = generator.randrange(3)
        characters[at : at + (kind > 0)] = generator.choice("abc ，中国") if kind < 2 else ""
    return "".join(characters)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4), st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]))
def test_any_texts_compare_as_the_reference_says(texts: list[str], at_least: float) -> None:
    left, right = all_pairs(len(texts))
    expected = [similarity(texts[a], texts[b], at_least) for a, b in zip(left, right, strict=True)]
    assert edit_similarity(buffer(texts), left, right, at_least).tolist() == expected


@given(st.lists(st.text("abＢ， \n中國国ﬁ\u00ad", max_size=200), min_size=1, max_size=3), st.sampled_from([0.0, 0.4, 0.8]))
def test_texts_of_few_characters_compare_as_the_reference_says(texts: list[str], at_least: float) -> None:
    left, right = all_pairs(len(texts))
    expected = [similarity(texts[a], texts[b], at_least) for a, b in zip(left, right, strict=True)]
    assert edit_similarity(buffer(texts), left, right, at_least).tolist() == expected


@given(
    st.text("ab 中文", min_size=1, max_size=400),
    st.integers(0, 120),
    st.integers(0, 10**6),
    st.sampled_from([0.0, 0.5, 0.7, 0.8, 0.9, 0.95]),
)
def test_edited_texts_compare_as_the_reference_says_on_both_sides_of_the_bound(text: str, edits: int, seed: int, at_least: float) -> None:
    other = edited(text, edits, seed)
    found = edit_similarity(buffer([text, other]), np.array([0, 1]), np.array([1, 0]), at_least)
    assert found.tolist() == [similarity(text, other, at_least)] * 2


@pytest.mark.parametrize("length", [63, 64, 65, 127, 128, 129, 700])
@pytest.mark.parametrize("at_least", [0.0, 0.6, 0.9])
def test_lengths_around_the_borders_of_words(length: int, at_least: float) -> None:
    base = ("一二三四五六七八九十abcdefg" * 50)[:length]
    texts = [base, base[1:] + "x", "y" + base, base[::-1], edited(base, length // 8, 3), edited(base, length // 3, 4)]
    left, right = all_pairs(len(texts))
    expected = [similarity(texts[a], texts[b], at_least) for a, b in zip(left, right, strict=True)]
    assert edit_similarity(buffer(texts), left, right, at_least).tolist() == expected


@pytest.mark.parametrize("moved", [10, 64, 100, 200, 300])
@pytest.mark.parametrize("at_least", [0.0, 0.1, 0.5, 0.8])
def test_a_long_beginning_that_moved_to_the_end(moved: int, at_least: float) -> None:
    # The best way goes down the first column for several words of rows, where nothing matches.
    generator = random.Random(moved)
    head, body, tail = ("".join(generator.choices(letters, k=k)) for letters, k in (("ab", moved), ("cd", 640 - moved), ("ef", moved)))
    texts = [head + body, body + tail]
    expected = similarity(*texts, at_least)
    assert edit_similarity(buffer(texts), np.array([0, 1]), np.array([1, 0]), at_least).tolist() == [expected] * 2


@pytest.mark.parametrize("seed", range(20))
def test_long_unrelated_texts(seed: int) -> None:
    generator = random.Random(seed)
    texts = ["".join(generator.choices("ab" if seed % 2 else "abcdefghijklmnop", k=generator.randrange(200, 900))) for _ in range(2)]
    for at_least in (0.0, 0.3, 0.5):
        expected = similarity(*texts, at_least)
        assert edit_similarity(buffer(texts), np.array([0, 1]), np.array([1, 0]), at_least).tolist() == [expected] * 2


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("kitten", "sitting", 1 - 3 / 7),
        ("１２３ ＡＢＣ", "123  abc", 1.0),
        ("中華民國", "中华民国", 1.0),
        ("ﬁve  \n\u3000 six ", "five six", 1.0),
        ("第一条，总则。", "第一条,总则。", 1.0),
        ("1.5", "15", 1 - 1 / 3),
        ("", "", 0.0),
        ("\u00ad \n", "a", 0.0),
        ("abc", "xyz", 0.0),
    ],
)
def test_similarity_of_a_pair(a: str, b: str, expected: float) -> None:
    assert edit_similarity(buffer([a, b]), np.array([0]), np.array([1]), 0.0).tolist() == [expected]


def test_the_bound_belongs_to_what_is_similar_enough() -> None:
    texts = buffer(["abcdefghij", "abcdefghxy", "abcdefgxyz"])
    assert edit_similarity(texts, np.array([0, 0]), np.array([1, 2]), 0.8).tolist() == [0.8, 0.0]
    assert edit_similarity(texts, np.array([0, 0]), np.array([1, 2]), 1.1).tolist() == [0.0, 0.0]


def test_characters_that_are_folded_to_many_find_room() -> None:
    texts = ["ﷺ" * n for n in (1, 20, 40)] + [reference_fold("ﷺ" * 20)]
    assert edit_similarity(buffer(texts), np.array([1, 1]), np.array([3, 2]), 0.0).tolist() == [1.0, 0.5]


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5))
def test_invalid_utf8_is_read_within_the_text(texts: list[bytes]) -> None:
    joined = text_buffer(pa.array(texts, pa.large_binary()))
    left, right = all_pairs(len(texts))
    together = edit_similarity(joined, left, right, 0.0)
    for a, b, found in zip(left, right, together, strict=True):
        alone = text_buffer(pa.array([texts[a], texts[b]], pa.large_binary()))
        assert edit_similarity(alone, np.array([0]), np.array([1]), 0.0).tolist() == [found]


def test_no_pairs_and_no_texts() -> None:
    none = np.zeros(0, np.int64)
    assert edit_similarity(buffer([]), none, none, 0.5).tolist() == []
    assert edit_similarity(buffer(["a"]), none, none, 0.5).tolist() == []

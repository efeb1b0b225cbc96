"""The repetition kernel against the plain definition, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.ngrams import DUPLICATE_SIZES, MAX_WINDOWS, TOP_SIZES, WINDOW_WORDS, ngram_shares
from tests.stages.text import reference
from tests.stages.text.test_profile import buffer_of, documents

repetitive = st.lists(st.sampled_from(["a ", "b ", "B ", "don't ", "中", "文", ", ", "long-word ", "\n"]), max_size=60).map(
    lambda parts: "".join(parts).encode()
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(repetitive, documents), min_size=1, max_size=4))
def test_kernel_agrees_with_the_plain_definition(batch: list[bytes]) -> None:
    found = ngram_shares(buffer_of(*batch))
    for index, document in enumerate(batch):
        assert found.top[:, index] == pytest.approx([reference.top_ngram_share(document, n) for n in TOP_SIZES])
        assert found.distinct[index] == np.float32(reference.distinct_word_share(document, WINDOW_WORDS, MAX_WINDOWS))
        assert found.duplicate[:, index] == pytest.approx([reference.duplicate_ngram_share(document, n) for n in DUPLICATE_SIZES])


def test_top_ngram_covers_its_occurrences() -> None:
    found = ngram_shares(buffer_of("甲乙丙，甲乙丁，甲乙戊".encode()))
    assert found.top[:, 0] == pytest.approx([6 / 9, 0, 0])


def test_an_ngram_that_occurs_once_is_no_repetition() -> None:
    assert ngram_shares(buffer_of(b"only words")).top.tolist() == [[0], [0], [0]]


def test_overlapping_occurrences_count_once() -> None:
    assert ngram_shares(buffer_of(b"ha ha ha", b"ha ha ha ha")).top[0].tolist() == [0, 1]


def test_a_passage_written_twice_is_half_duplicate() -> None:
    passage = b"one two three four five six seven eight nine ten "
    assert ngram_shares(buffer_of(passage * 2)).duplicate[:, 0] == pytest.approx([0.5, 22 / 78, 27 / 78, 32 / 78, 36 / 78, 0.5])


def test_case_does_not_hide_repetition() -> None:
    assert ngram_shares(buffer_of(b"Big Deal, big deal")).top[0, 0] == 1


def test_documents_do_not_see_each_other() -> None:
    text = "一二三四五六七八九十".encode()
    found = ngram_shares(buffer_of(text, text))
    assert not np.concatenate((found.top, found.duplicate)).any()
    assert found.distinct.tolist() == [1, 1]


def test_no_documents_and_documents_without_words() -> None:
    assert ngram_shares(buffer_of()).top.shape == (3, 0)
    found = ngram_shares(buffer_of(b"", b"...", b"\xff\xff"))
    assert not np.concatenate((found.top, found.duplicate, found.distinct[np.newaxis])).any()


def test_different_words_are_counted_within_windows() -> None:
    first = b"".join(b"w%d " % number for number in range(WINDOW_WORDS))
    found = ngram_shares(buffer_of(b"a a A b", first * 3, first + b"a " * WINDOW_WORDS, first + b"a " * (WINDOW_WORDS - 1)))
    assert found.distinct.tolist() == [0.5, 1, np.float32((1 + 1 / WINDOW_WORDS) / 2), 1]


def test_only_the_first_windows_are_counted() -> None:
    first = b"".join(b"w%d " % number for number in range(WINDOW_WORDS))
    assert ngram_shares(buffer_of(first * MAX_WINDOWS + b"a " * WINDOW_WORDS)).distinct.tolist() == [1]


@settings(max_examples=20)
@given(st.lists(st.integers(0, 300), min_size=200, max_size=900))
def test_windows_agree_with_the_plain_definition(numbers: list[int]) -> None:
    document = b" ".join(b"w%d" % number for number in numbers)
    expected = reference.distinct_word_share(document, WINDOW_WORDS, MAX_WINDOWS)
    assert ngram_shares(buffer_of(document)).distinct[0] == np.float32(expected)

"""The repetition kernel against the plain definition, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.ngrams import DUPLICATE_SIZES, TOP_SIZES, ngram_shares
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
    assert not np.concatenate(ngram_shares(buffer_of(text, text))).any()


def test_no_documents_and_documents_without_words() -> None:
    assert ngram_shares(buffer_of()).top.shape == (3, 0)
    assert not np.concatenate(ngram_shares(buffer_of(b"", b"...", b"\xff\xff"))).any()

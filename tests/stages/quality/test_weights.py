"""Our sums over a fastText model against fastText's own `predict`."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.quality.fasttext_process import train_fasttext
from stages.quality.tokens import REPEAT, UNENDED, spaced
from stages.quality.weights import GOOD, Sums, sums, weights
from stages.text.buffers import TextBuffer, text_buffer
from stages.text.sentences import Sentences, sentences
from tests.stages.quality.conftest import write_lines

PIECES = [
    "The river, and the menu. ",
    "Click | menu | click!",
    "我们点击。",
    "é 𠀀 ",
    "2024 ",
    "\n\n",
    "unknown words of 12 hours",
    "…",
    "\x00",
    "␞",
]
LOG_OFFSET = 1e-5
"""fastText gives exp(log(p + 1e-5))."""


def buffer(texts: list[str]) -> TextBuffer:
    return text_buffer(pa.array(texts, pa.large_string()))


def lines_of(text: TextBuffer, found: Sentences) -> tuple[list[str], list[str]]:
    """What fastText is given for each document and for each sentence."""
    tokens, _ = spaced(text, found)
    of_sentences = [tokens.document(number).decode() for number in range(len(tokens))]
    bounds = found.offsets.tolist()
    return ["".join(of_sentences[a:b]) for a, b in pairwise(bounds)], of_sentences


def predicted(model: Any, texts: list[str]) -> list[float]:
    """By fastText, list in, list out: a single str fails with NumPy 2."""
    labels, scores = model.predict(texts, k=2)
    return [float(score[label.index(GOOD)]) - LOG_OFFSET for label, score in zip(labels, scores, strict=True)]


def ours(found: Sums) -> list[float]:
    return list(1 / (1 + np.exp(-found.total / found.rows)))


@settings(max_examples=60)
@given(
    texts=st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), min_size=1, max_size=6), ngrams=st.sampled_from([1, 2, 3])
)
def test_documents_and_sentences_score_as_fasttext_predicts(make_model: Callable[..., Any], texts: list[str], ngrams: int) -> None:
    model, text = make_model(ngrams), buffer(texts)
    found = sentences(text)
    documents, parts = sums(text, found, weights(model))
    of_documents, of_sentences = lines_of(text, found)
    assert ours(documents) == pytest.approx(predicted(model, of_documents), abs=1e-5)
    assert not of_sentences or ours(parts) == pytest.approx(predicted(model, of_sentences), abs=1e-5)
    if not any(REPEAT in line for line in of_documents):
        assert documents.tokens.tolist() == [len(line.split()) - line.count(UNENDED) for line in of_documents]


def test_documents_of_ten_thousand_words_differ_by_rounding_alone(make_model: Callable[..., Any]) -> None:
    model, text = make_model(2), buffer(["The river, and the menu. 点击 | 我们 " * 1500])
    found = sentences(text)
    of_documents, _ = lines_of(text, found)
    assert len(of_documents[0].split()) > 10_000
    assert ours(sums(text, found, weights(model))[0]) == pytest.approx(predicted(model, of_documents), abs=1e-5)


def test_a_text_without_tokens_has_no_margin(make_model: Callable[..., Any]) -> None:
    text = buffer(["", " \n", "river"])
    documents, parts = sums(text, sentences(text), weights(make_model(2)))
    assert (documents.tokens.tolist(), documents.rows.tolist()) == ([0, 0, 1], [1, 1, 5])
    assert documents.margin[:2].tolist() == [0.0, 0.0]
    assert documents.margin[2] == parts.margin[-1] != 0.0


def test_the_batch_does_not_matter(make_model: Callable[..., Any]) -> None:
    texts = [
        "The river. The river and the menu and the river. The river and the menu and the river.",
        "The river and the menu and the river.",
    ]
    model = weights(make_model(2))
    together, _ = sums(buffer(texts), sentences(buffer(texts)), model)
    alone = [sums(buffer([text]), sentences(buffer([text])), model)[0] for text in texts]
    assert together.total.tolist() == [one.total[0] for one in alone]


def test_a_long_sentence_counts_as_a_repeat_the_second_time_and_in_its_own_document_only(make_model: Callable[..., Any]) -> None:
    text = buffer(["One two three four five six seven eight. One two three. One two three. One two three four five six seven eight.",
                   "One two three four five six seven eight.", "One two three four five six seven eight\n" * 2])  # fmt: skip
    of_documents, of_sentences = lines_of(text, sentences(text))
    assert of_sentences[3].split() == [REPEAT] * 9
    assert of_sentences[2].split() == ["one", "two", "three", "."]
    assert REPEAT not in of_documents[1]
    documents, parts = sums(text, sentences(text), weights(make_model(2)))
    assert of_documents[2].split() == [*of_documents[1].split()[:-1], UNENDED, *[REPEAT] * 9]
    assert (documents.tokens[2], parts.tokens.tolist()[-2:]) == (16, [8, 8])


def test_runs_of_sentences_are_added_up_each_by_itself() -> None:
    found = Sums(np.array([1e20, 0.1, 0.2, 1e20, 0.3]), np.arange(5), np.arange(5) * 2)
    runs = found.over(np.array([1, 3]), np.array([3, 5]))
    assert [values.tolist() for values in runs] == [[0.1 + 0.2, 1e20], [3, 7], [6, 14]]
    none = np.zeros(0, np.int64)
    assert [values.tolist() for values in Sums(np.zeros(0), none, none).over(none, none)] == [[], [], []]


def test_training_gives_the_same_bytes_each_time(tmp_path: Path) -> None:
    settings = {"lr": 0.5, "dim": 8, "epoch": 2, "wordNgrams": 2, "bucket": 1 << 10, "minCount": 1, "seed": 3}
    for name in ("a", "b"):
        assert train_fasttext(write_lines(tmp_path), tmp_path / name, settings) == 0.5
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

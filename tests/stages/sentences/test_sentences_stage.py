"""The stage: columns, reasons, and what holds for every text."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.edits import Span, decide, rebuild, remove
from stages.sentences.stage import Sentences
from stages.text.blocks import block_kinds
from stages.text.buffers import text_buffer
from stages.text.lines import lines
from tests.stages.sentences.proposing import annotated

AWKWARD = [
    "", "a", "中", "\n", " \n\t", "😀😀😀", "国" * 500, "x" * 100_000, "。", "a\nb\n" * 50, "\ufffd", "مرحبا", "\u0301", "{}" * 9, "责",
]  # fmt: skip
PIECES = [
    "首页 | 国内 | 财经", "Read more", "All rights reserved.", "http://example.com/", "<div>", "★☆★☆★☆★☆★☆★☆", "1664109102894", "续…全文",
    "```", "    code();", "- an item of more than thirty letters here", "第三条 版权所有", "“阅读全文”", "| 首页 | 国内 | 财经 |", "",
    "春天的河边有许多人在散步，他们谈论着今年的收成。", "A sentence that was wrapped by hand somewhere in",
    "the middle of it, as books were.", "\u3000展开",
]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=12).map(
    lambda parts: "\n".join(parts).encode(errors="ignore").decode()
)


def test_columns_are_as_declared() -> None:
    columns = annotated("Go. Up.\n首页 | 国内 | 财经")
    assert [columns.schema.field(f.name).type for f in Sentences().adds()] == [f.type for f in Sentences().adds()]
    assert columns["num_sentences"].to_pylist() == [3]
    assert columns["sentences_spans"].to_pylist() == [[{"start": 8, "end": 32, "rule": "boilerplate"}]]
    assert columns["boilerplate_char_share"].to_pylist() == [pytest.approx(12 / 20)]


@pytest.mark.parametrize(("text", "rejected"), [("甲甲。\n阅读全文", False), ("甲。\n阅读全文", True)])
def test_a_document_of_more_than_half_boilerplate_is_rejected(text: str, rejected: bool) -> None:
    columns = pa.Table.from_batches([annotated(text)])
    assert columns["boilerplate_char_share"].to_pylist() == [pytest.approx(4 / len(text))]  # of 8 and of 7 characters
    assert Sentences().reasons(columns) == ({"mostly_boilerplate": np.array([True])} if rejected else {})
    assert Sentences(max_boilerplate_share=0.4).reasons(columns)["mostly_boilerplate"].tolist() == [True]


@pytest.mark.parametrize("text", AWKWARD, ids=lambda text: repr(text[:8]))
def test_awkward_texts_have_a_share_and_whole_spans(text: str) -> None:
    check(text)


@given(TEXTS)
def test_proposals_leave_protected_blocks_and_parts_of_sentences_alone(text: str) -> None:
    check(text)


def check(text: str) -> None:
    columns = annotated(text)
    spans = columns["sentences_spans"].to_pylist()[0]
    assert 0 <= columns["boilerplate_char_share"][0].as_py() <= 1
    data = text.encode()
    buffer = text_buffer(pa.array([text], pa.large_string()))
    found = lines(buffer)
    protected = np.flatnonzero(block_kinds(buffer, found))
    for span in spans:
        assert 0 <= span["start"] < span["end"] <= len(data)
        data[span["start"] : span["end"]].decode()
        assert not any(found.start[i] < span["end"] and span["start"] < found.end[i] for i in protected)
    decision = decide([Span(**span) for span in spans], data)
    left = remove(data, decision.cuts)
    assert rebuild(left, [(cut.start, data[cut.start : cut.end], b"") for cut in decision.cuts]) == data
    assert left.strip() or not data.strip()
    rest = iter(text)
    assert all(character in rest for character in left.decode())  # a subsequence


@given(st.lists(TEXTS, max_size=5), st.integers(0, 5))
def test_batch_size_does_not_matter(texts: list[str], at: int) -> None:
    whole, first, rest = annotated(*texts), annotated(*texts[:at]), annotated(*texts[at:])
    for field in Sentences().adds():
        assert whole[field.name].to_pylist() == first[field.name].to_pylist() + rest[field.name].to_pylist()


def test_a_line_of_wrapped_prose_is_no_boilerplate_of_its_own() -> None:
    wrapped = (
        "He had seen in the window of the shop a card with the words\n"
        "all rights reserved, which made him laugh as he went on his way\nto the station in the rain."
    )
    assert annotated(wrapped)["sentences_spans"].to_pylist() == [[]]


def test_the_plan_says_what_will_be_looked_for() -> None:
    (line,) = Sentences().describe()
    assert "flagged: off" in line
    assert "boilerplate, digit_run, flagged, fragment, markup, symbol_run, url_line" in line

"""The profile kernel: hand-computed counts, the plain reference on random bytes, and damage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.buffers import TextBuffer
from stages.text.characters import SIMPLIFIED_ONLY, TRADITIONAL_ONLY
from stages.text.profile import Profile, profile
from tests.stages.text import reference

PIECES = [
    "the", "The", "and", "of", "cat", "3", "don", "'", "-", "’", " ", "\n", "\n\n", "\t", "\r", "中", "国", "國", "的", "的",
    "这", "か", "ー", "한", "é", "e\u0301", "…", ".", "...", "。", "。。。", "展开", "更多", "•", "- ", "# ", "{", "}",
    "，", "！", "”", "😀", "\u200b", "\ue000", "\ufffd", "\u3000", "\u00a0", "𠀀", "①", "x" * 31,
    "line of text.\n", "line of text.\n", "\U000e0001", "\x80",
]  # fmt: skip
documents = st.one_of(st.lists(st.sampled_from(PIECES), max_size=40).map(lambda parts: "".join(parts).encode()), st.binary(max_size=60))


def buffer_of(*documents: bytes) -> TextBuffer:
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    return TextBuffer(np.frombuffer(b"".join(documents) or b"\0", np.uint8)[: offsets[-1]], offsets)


def profile_of(document: str | bytes) -> dict[str, int]:
    data = document.encode() if isinstance(document, str) else document
    return {name: int(counts[0]) for name, counts in profile(buffer_of(data))._asdict().items()}


@settings(max_examples=400, deadline=None)
@given(st.lists(documents, min_size=1, max_size=4))
def test_kernel_agrees_with_the_plain_reference(batch: list[bytes]) -> None:
    found = profile(buffer_of(*batch))
    for index, document in enumerate(batch):
        expected = reference.profile_of(document)
        del expected["short_lines"]
        assert {name: int(getattr(found, name)[index]) for name in expected} == expected


@given(st.lists(st.sampled_from(["a" * 30, "b" * 31, "中" * 10, "文" * 11, "", "  "]), max_size=6))
def test_a_line_is_short_up_to_thirty_bytes(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert profile_of(text)["short_lines"] == reference.short_lines(text.encode())


def test_counts_of_an_english_text_by_hand() -> None:
    found = profile_of("- The cat, 3 don't-knows...\n\n# well-known {x}!\n")
    assert found["num_words"] == 6  # The cat 3 don't-knows well-known x
    assert found["word_chars"] == 3 + 3 + 1 + 11 + 10 + 1
    assert found["words_with_letter"] == 5
    assert found["longest_word"] == 11
    assert (found["num_lines"], found["newlines"], found["num_paragraphs"]) == (2, 3, 2)
    assert (found["bullet_lines"], found["ellipsis_lines"], found["terminal_lines"]) == (1, 1, 2)
    assert (found["hashes"], found["ellipses"], found["curly_brackets"]) == (1, 1, 2)
    assert (found["gopher_words"], found["english_words"]) == (1, 1)


def test_counts_of_a_chinese_text_by_hand() -> None:
    found = profile_of("国家的法律。\n第2条，国家的事……\n国家的法律。\n点击查看更多")
    assert (found["han"], found["digits"], found["punctuation"]) == (22, 1, 5)
    assert found["num_words"] == 23
    assert (found["num_lines"], found["terminal_lines"], found["ellipsis_lines"]) == (4, 3, 2)
    assert (found["duplicate_lines"], found["duplicate_line_chars"]) == (1, 6)
    assert found["ellipses"] == 1
    assert found["chinese_stop_characters"] == 1
    assert found["simplified_only"] == sum("国家的法律第条国家的事国家的法律点击查看更多".count(c) for c in SIMPLIFIED_ONLY)
    assert found["traditional_only"] == 0


def test_repeated_lines_and_paragraphs_are_counted_after_the_first() -> None:
    found = profile_of("ab\ncd\n\n ab \ncd\n\n\ncd\nab\n\nab\ncd")
    assert (found["num_lines"], found["duplicate_lines"], found["duplicate_line_chars"]) == (8, 6, 12)
    assert (found["num_paragraphs"], found["duplicate_paragraphs"], found["duplicate_paragraph_chars"]) == (4, 2, 8)


def test_lines_of_one_document_do_not_repeat_those_of_another() -> None:
    assert profile(buffer_of(b"same", b"same", b"same\nsame")).duplicate_lines.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("line", "is_bullet"),
    [("- x", True), ("-x", False), ("-", False), ("• x", True), ("•x", True), ("* x", True), ("——x", False), ("+\tx", True)],
)
def test_a_dash_starts_a_bullet_only_before_white_space(line: str, is_bullet: bool) -> None:
    assert profile_of(line)["bullet_lines"] == is_bullet


def test_classes_partition_the_characters() -> None:
    text = "".join(PIECES)
    found = profile_of(text)
    assert sum(found[name] for name in Profile._fields[:14]) == found["num_chars"] == len(text)


@pytest.mark.parametrize("data", [b"\xff", b"\xe4\xb8", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"\x80"])
def test_each_invalid_byte_is_one_replacement_character(data: bytes) -> None:
    found = profile_of(b"a" + data)
    assert (found["replacements"], found["num_chars"]) == (len(data), 1 + len(data))


def test_a_truncated_character_does_not_read_its_successor() -> None:
    found = profile(TextBuffer(np.frombuffer("中".encode(), np.uint8), np.array([0, 2, 3])))
    assert (found.replacements.tolist(), found.han.tolist()) == ([2, 1], [0, 0])


def test_no_documents_and_empty_documents() -> None:
    assert all(len(counts) == 0 for counts in profile(buffer_of()))
    assert all(counts.tolist() == [0, 0] for counts in profile(buffer_of(b"", b"")))


def test_a_slice_of_a_larger_column_counts_its_own_documents() -> None:
    whole = buffer_of(b"one", "二三".encode(), b"four five")
    assert profile(TextBuffer(whole.data, whole.offsets[1:])).num_words.tolist() == [2, 2]


def test_distinguishing_characters_exist_in_one_script_only() -> None:
    assert len(set(SIMPLIFIED_ONLY)) == len(set(TRADITIONAL_ONLY)) == len(SIMPLIFIED_ONLY)
    assert not set(SIMPLIFIED_ONLY) & set(TRADITIONAL_ONLY)

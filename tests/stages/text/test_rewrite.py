"""The rewriting kernel, through `Normalize`: what goes, what stays, and what it counts."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.buffers import string_array
from stages.text.rewrite import actions, rewrite, unlike_normal_form
from tests.stages.text.reference import character_class, decode
from tests.stages.text.test_profile import buffer_of, documents

INVISIBLE = "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a\u202e\u2060\u2064\u206f\ufeff\ufff9\ufdd0\uffff\x00\x08\x1c\x7f\x80"
PIECES = [
    *INVISIBLE, " ", "\t", "\u3000", "\u00a0", "\r", "\r\n", "\n", "\v", "\f", "\x85", "\u2028", "a", "中", "😀",
    "❤\ufe0f", "\u200d", "\u200c", "\u0645", "\u0915\u094d",
]  # fmt: skip
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=20).map("".join), st.text(max_size=20))


def plainly_rewritten(text: str) -> str:
    """The rules of `stages.text.rewrite`, one character after the other."""
    kept = ""
    for place, character in enumerate(text):
        following = text[place + 1 : place + 2]
        if character == "\r":
            kept += "" if following == "\n" else "\n"
        elif character in "\v\f\x85\u2028\u2029":
            kept += "\n"
        elif character in "\u200c\u200d":
            previous = kept[-1:] or "\0"
            spelled = "\u0590" <= previous < "\u1b00" or "\ua800" <= previous < "\uac00"
            emoji = character == "\u200d" and following != "" and character_class(following) == "emoji"
            if spelled or (emoji and (previous == "\ufe0f" or character_class(previous) == "emoji")):
                kept += character
        elif ord(character) >= 0x20000 or actions()[ord(character)] == 0:
            kept += character
    lines = kept.split("\n")
    for place, line in enumerate(lines):
        while line and character_class(line[-1]) == "spaces":
            line = line[:-1]  # noqa: PLW2901
        lines[place] = line
    return "\n".join(lines)


def rewritten(data: bytes) -> tuple[str, int]:
    result = rewrite(buffer_of(data), actions())
    return result.text.document(0).decode(), int(result.changed[0])


@settings(max_examples=400, deadline=None)
@given(texts)
def test_kernel_agrees_with_the_plain_rules(text: str) -> None:
    assert rewritten(text.encode())[0] == plainly_rewritten(text)


@given(st.lists(st.one_of(texts.map(str.encode), documents), max_size=4))
def test_rewriting_twice_changes_nothing_more(batch: list[bytes]) -> None:
    once = rewrite(buffer_of(*batch), actions())
    twice = rewrite(once.text, actions())
    assert twice.text is once.text
    assert not twice.changed.any()


@given(st.lists(st.one_of(texts.map(str.encode), documents), min_size=1, max_size=4))
def test_documents_do_not_influence_each_other(batch: list[bytes]) -> None:
    together = rewrite(buffer_of(*batch), actions())
    for index, document in enumerate(batch):
        assert (together.text.document(index).decode(), int(together.changed[index])) == rewritten(document)


@given(st.binary(max_size=40))
def test_broken_bytes_become_valid_utf8(data: bytes) -> None:
    result = rewrite(buffer_of(data), actions())
    string_array(result.text.data, result.text.offsets).validate(full=True)
    assert rewritten(data)[0] == plainly_rewritten(decode(data))


@pytest.mark.parametrize(
    ("text", "expected", "changed"),
    [
        ("a\r\nb\rc\n", "a\nb\nc\n", 2),
        ("  code \t\n\tmore　\n", "  code\n\tmore\n", 3),
        ("end  ", "end", 2),
        ("zero\u200bwidth\ufeff", "zerowidth", 2),
        ("👩\u200d🔬 a\u200db", "👩\u200d🔬 ab", 1),
        ("می\u200cخواهم x\u200c", "می\u200cخواهم x", 1),
        ("\x00\x1b[0m\ttab", "[0m\ttab", 2),
        ("a\u2028b\x85c\fd", "a\nb\nc\nd", 3),
        ("   \n", "\n", 3),
        ("as it is\n\n", "as it is\n\n", 0),
    ],
)
def test_what_goes_and_what_stays(text: str, expected: str, changed: int) -> None:
    assert rewritten(text.encode()) == (expected, changed)


def test_a_bad_byte_becomes_a_replacement_character_and_counts_one() -> None:
    assert rewritten(b"a\xffb\xe4\xb8") == ("a\ufffdb\ufffd\ufffd", 3)


def test_clean_text_is_the_very_same_buffer() -> None:
    text = buffer_of("clean 干净\n".encode(), b"")
    assert rewrite(text, actions()).text is text


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@given(text=st.text(max_size=12))
def test_no_text_outside_the_normal_form_escapes_the_check(form: str, text: str) -> None:
    suspect = unlike_normal_form(form)
    if not unicodedata.is_normalized(form, text):  # type: ignore[arg-type]
        assert any(ord(character) >= 0x20000 or suspect[ord(character)] for character in text)


@pytest.mark.parametrize("text", ["e\u0301", "\u1112\u1161", "가\u11a8", "\u0344", "\u2126", "\uf900", "a\u0323\u0307", "\u30ab\u3099"])
def test_known_denormal_sequences_are_checked(text: str) -> None:
    assert any(unlike_normal_form("NFC")[ord(character)] for character in text)


def test_ordinary_english_and_chinese_is_not_checked() -> None:
    assert not unlike_normal_form("NFC")[[ord(character) for character in "Plain text, naïve café. 中文，标点！𝟘😀"]].any()


def test_arrow_slices_are_rewritten_alone() -> None:
    whole = pa.array(["a ", "b ", "c "], pa.large_string()).slice(1, 2)
    offsets = np.frombuffer(whole.buffers()[1], np.int64)[1:4]
    result = rewrite(buffer_of(b"a ", b"b ", b"c ")._replace(offsets=offsets), actions())
    assert [result.text.document(i) for i in range(2)] == [b"b", b"c"]

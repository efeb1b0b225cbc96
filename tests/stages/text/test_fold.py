"""The view that texts are compared on, against a plain reference, and its table against the rules that it stands for."""

import unicodedata
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text import fold as module
from stages.text.fold import (
    ALONE,
    CLASS_SHIFT,
    CODE,
    EXPANDED,
    IGNORED,
    LETTER,
    SEPARATOR,
    class_of,
    entry_at,
    fold,
    simplified,
    token_classes,
)

EVERY_CHARACTER = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)


def reference_fold(text: str) -> str:
    """The view, said plainly: each character's compatibility form in lower case, with Han simplified."""
    return "".join(map(reference_character, text))


@cache
def reference_character(character: str) -> str:
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())
    form = unicodedata.normalize("NFKC", form.casefold())
    if len(form) > 1 and form.startswith(" "):  # a spacing mark
        return character
    return "".join(pairs().get(c, c) for c in form)


@cache
def pairs() -> dict[str, str]:
    words = "".join(
        line for line in Path(module.__file__).with_name("simplified.txt").read_text("utf-8").splitlines(True) if line[0] != "#"
    )
    return {word[0]: word[1] for word in words.split()}


def test_every_character_is_folded_as_the_reference_says() -> None:
    assert fold(EVERY_CHARACTER) == reference_fold(EVERY_CHARACTER)


def test_the_view_of_a_view_is_itself() -> None:
    once = fold(EVERY_CHARACTER)
    assert fold(once) == once


def test_kernels_read_every_character_as_the_reference_says() -> None:
    data = np.frombuffer(EVERY_CHARACTER.encode(), np.uint8)
    classes = token_classes()
    at = 0
    for character in EVERY_CHARACTER:
        entry, width = entry_at(data, np.uint64(at), np.uint64(len(data)), classes)
        kind, value = entry >> CLASS_SHIFT, int(entry & CODE)
        entries = classes[value + 1 : value + 1 + classes[value]].tolist() if kind == EXPANDED else [entry]
        folded = reference_character(character)
        assert [e & CODE for e in entries] == list(map(ord, folded)), hex(ord(character))
        assert [e >> CLASS_SHIFT for e in entries] == list(map(class_of, folded)), hex(ord(character))
        at += width
    assert at == len(data)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ﬁne eﬃcient Straße ŉ Ǆ", "fine efficient strasse ʼn dž"),
        ("ＧＤＰ　２０２０ ｶﾅ", "gdp 2020 カナ"),
        ("㈱ ½ ㌖ ㋿ ① ㎏", "(株) 1⁄2 キロメートル 令和 1 kg"),
        ("𝐀𝔟𝟙 \U0002f800 🄰", "ab1 丽 a"),
        ("臺灣 髮 發 乾坤 看著 衞生", "台湾 发 发 干坤 看着 卫生"),
        ("什么 金 車 ⾔", "什么 金 车 言"),
        ("İΐΣς", "i̇ΐσσ"),
        ("don´t ¨ ゛", "don´t ¨ ゛"),
        ("e\u0301 ｶﾞ", "e\u0301 カ\u3099"),
    ],
)
def test_what_the_view_makes_of_a_text(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text(max_size=60))
def test_a_text_without_marks_is_folded_as_nfkc_and_lower_case_with_simplified_han(text: str) -> None:
    # Where nothing is composed across characters and no spacing mark stands, the view is NFKC of the whole.
    text = "".join(c for c in text if not any(map(unicodedata.combining, unicodedata.normalize("NFKD", c))))
    text = "".join(c for c in text if unicodedata.normalize("NFC", c + "\u1161") == c + "\u1161" and not "\u1161" <= c <= "\u11ff")
    whole = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    assert fold(text) == "".join(pairs().get(c, c) for c in whole)


@pytest.mark.parametrize(
    ("character", "kind"),
    [("a", LETTER), ("9", LETTER), ("\u0301", LETTER), ("中", ALONE), ("の", ALONE), ("\U00020000", ALONE), ("\U0001b000", ALONE),
     ("\ue000", ALONE), ("\u00ad", IGNORED), ("\ufe0f", IGNORED), ("\U000e0100", IGNORED), ("，", SEPARATOR), ("😀", SEPARATOR),
     ("\ufffd", SEPARATOR), ("\U0001d400", LETTER), ("\U00010428", LETTER)],
)  # fmt: skip
def test_class_of_a_character(character: str, kind: int) -> None:
    assert class_of(character) == kind


def test_simplified_forms_are_final_and_have_one_character() -> None:
    found = simplified()
    assert found == pairs()
    assert len(found) == 4128
    assert not set(found) & set(found.values())
    assert [found[c] for c in "國學體麼"] == list("国学体么")

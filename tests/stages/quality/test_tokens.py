"""Tokens against a slow, obvious reference."""

import re
import unicodedata
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.quality.tokens import ENDS, REPEAT, UNENDED, spaced
from stages.text.buffers import text_buffer
from stages.text.fold import simplified
from stages.text.sentences import sentences

SIMPLE = {character: form for character, form in simplified().items() if len(form.encode()) < 4}


def tokens(text: str) -> list[str]:
    buffer = text_buffer(pa.array([text], pa.large_string()))
    found, counts = spaced(buffer, sentences(buffer))
    result = found.data.tobytes().decode().split(" ")[:-1]
    assert len(result) - result.count(UNENDED) == counts.sum() or REPEAT in result
    return result


def slow_sentences(text: str) -> list[str]:
    """The tokens of each sentence, and whether it ends."""
    cut = sentences(text_buffer(pa.array([text], pa.large_string()))).bounds.tolist()
    result = []
    for start, end in pairwise(cut):
        own = slow_tokens(text.encode()[start:end].decode())
        result += own + [UNENDED] * bool(own and own[-1] not in ENDS)
    return result


def slow_tokens(text: str) -> list[str]:
    """Of one sentence, character by character."""
    result, run, last = [], "", ""
    for character in text:
        forms = unicodedata.normalize("NFKC", character).casefold(), character.casefold(), character
        folded = next(form for form in forms if len(form) == 1)
        folded = SIMPLE.get(folded, folded)
        category = unicodedata.category(folded)
        alone = bool(re.match("[㐀-鿿々぀-ヿ가-힣😀𠀀]", character))
        if category == "Cf" or character in (REPEAT, UNENDED, "\ufe0f"):
            last = ""
            continue
        if category[0] in "LMN" and not alone:
            last = ""
            run += "0" if category == "Nd" else folded
            continue
        if run:
            result.append(run)
            run = ""
        if alone or not (category[0] == "Z" or category == "Cc"):
            if character != last or alone:
                result.append(folded)
            last = character
        else:
            last = ""
    return result + [run] * bool(run)


@given(st.text(st.sampled_from("aZé9٣中臺㑮々ก😀！!—-.。 \n\t\u200d\ufe0fＡ１𠀀\U000e0041☂\x00ﬁ²"), max_size=40))
def test_tokens_are_those_of_the_slow_reference(text: str) -> None:
    assert REPEAT in tokens(text) or tokens(text) == slow_sentences(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Hello, WORLD", ["hello", ",", "world", UNENDED]),
        ("Ｆｕｌｌ　ｗｉｄｔｈ！", ["full", "width", "!"]),
        ("2024年3月", ["0000", "年", "0", "月", UNENDED]),
        ("臺灣的圖書館。", list("台湾的图书馆。")),
        ("-----=====", ["-", "=", UNENDED]),
        ("a - - b.", ["a", "-", "-", "b", "."]),
        ("soft\u00adhyphen", ["softhyphen", UNENDED]),
        ("__label__bad </s>", ["_", "label", "_", "bad", "<", "/", "s", ">", UNENDED]),
        (f"forged {REPEAT} mark {UNENDED}.", ["forged", "mark", "."]),
        ("Home\nJobs\n", ["home", UNENDED, "jobs", UNENDED]),
        ("他说：“好！！”", ["他", "说", ":", "“", "好", "!", "”"]),
        ("（见下）\n月落乌啼，\n \n", ["(", "见", "下", ")", "月", "落", "乌", "啼", ","]),
    ],
)
def test_tokens_of(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected

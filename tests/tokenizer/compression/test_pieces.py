"""Signs of a dirty corpus, each with a piece just on the other side."""

import numpy as np
import pytest

from tokenizer.compression.pieces import SIGNS, describe, script, signs_of
from tokenizer.foreign import Pieces
from tokenizer.model_file import BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("https", ["url"]),
        (" HttpRequest", []),
        ("www.", ["url"]),
        ("com", []),
        (".com", ["url"]),
        (".community", []),
        ("://", ["url"]),
        ("<br", ["html"]),
        ("< b", []),
        ("&nbsp", ["html"]),
        ("&c", []),
        (" href=", ["html"]),
        ("澳门赌场", ["spam"]),
        ("澳门", []),
        ("CASINO", ["spam"]),
        ("中华人民共和国", []),
        ("中华人民共和国的", ["sentence"]),
        ("好。我", ["sentence"]),
        ("好。", []),
        ("one two three", []),
        ("in the case of", ["sentence"]),
        ("end. Next", ["sentence"]),
        ("----", ["repeated"]),
        ("---", []),
        ("ababab", []),
        ("abababab", ["repeated"]),
        ("        ", []),
        ("A股", ["mixed_scripts"]),
        ("の字", []),
        ("café", []),
        ("e\u0301", []),
        ("aб", ["mixed_scripts"]),
        ("10", ["digits"]),
        ("1", []),
        ("１٣", ["digits"]),
        ("\ufffd", ["damaged"]),
        ("\ue000", ["damaged"]),
        ("\x00", ["damaged"]),
        ("\n\t\r", []),
        ("\u200d", []),
        ("http://a.cn/1000", ["url", "digits"]),
        ("", []),
    ],
)
def test_signs(text: str, signs: list[str]) -> None:
    assert signs_of(text, ("澳门赌场", "casino")) == signs


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("the", "Latin"),
        (" the", "Latin"),
        ("中文", "Han"),
        ("  ", "white space"),
        ("--", "signs"),
        ("a-", "mixed"),
        ("é", "Latin"),
        ("１", "digits"),
    ],
)
def test_the_script_of_a_piece_is_that_of_what_can_be_seen(text: str, name: str) -> None:
    assert script(text) == name


TEXTS = ("", "<s>", "<h1>", "\xe4", "a", "中文的", " www.", "10", "----")
KINDS = (UNKNOWN, CONTROL, USER_DEFINED, BYTE, NORMAL, NORMAL, NORMAL, NORMAL, NORMAL)
PIECES = Pieces(
    tuple(text.encode("latin-1") if kind == BYTE else text.encode() for text, kind in zip(TEXTS, KINDS, strict=True)),
    np.array(KINDS, np.uint8),
)


def test_counts_and_lists_by_hand() -> None:
    found = describe(PIECES, np.array([0, 0, 9, 9, 5, 2, 1, 0, 2]), top=2)
    assert found["ids"] == 9
    assert found["kinds"] == {"text": 5, "unknown": 1, "control": 1, "defined": 1, "byte": 1}
    assert found["scripts"] == {"Latin": 1, "Han": 1, "mixed": 1, "digits": 1, "signs": 1}
    assert found["lengths"] == {"1": 1, "2": 1, "3": 1, "4": 1, "5": 1}
    assert {sign: of_sign["pieces"] for sign, of_sign in found["signs"].items()} == dict.fromkeys(SIGNS, 0) | {
        "url": 1,
        "digits": 1,
        "repeated": 1,
    }
    assert [piece["text"] for piece in found["longest"]] == [" www.", "----"]
    assert [(piece["text"], piece["uses"]) for piece in found["rarest"]] == [("10", 0), (" www.", 1)]
    assert found["never_used"] == 1
    assert found["dirtiest"][0] == {"id": 6, "text": " www.", "characters": 5, "script": "mixed", "uses": 1, "signs": ["url"]}


def test_rulers_come_behind_other_signs() -> None:
    assert [piece["text"] for piece in describe(PIECES)["dirtiest"]] == [" www.", "10", "----"]


def test_without_texts_nothing_is_said_of_use() -> None:
    found = describe(PIECES)
    assert (found["never_used"], found["rarest"], found["longest"][0]["uses"]) == (None, [], None)

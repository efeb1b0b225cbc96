"""Character tables."""

import pytest

from stages.text.characters import (
    CONTROL,
    DIGIT,
    EMOJI,
    HAN,
    HANGUL,
    KANA,
    LATIN,
    LETTER,
    PRIVATE,
    PUNCTUATION,
    REPLACEMENT,
    SPACE,
    SYMBOL,
    character_classes,
)


@pytest.mark.parametrize(
    ("characters", "expected"),
    [
        ("中々〇㐀豈", HAN),
        ("あアーｱ", KANA),
        ("한ㄱ", HANGUL),
        ("aZéＡﬁ", LATIN),
        ("яαא\u0301", LETTER),
        ("0９①Ⅳ½", DIGIT),
        (" \t\n\u3000\u2028\x85", SPACE),
        ("，。“”—…《＋", PUNCTUATION),
        ("×°©→", SYMBOL),
        ("😀★❤\U0001f1e8\U0001f3fb", EMOJI),
        ("\ue000", PRIVATE),
        ("\ufffd", REPLACEMENT),
        ("\x00\x7f\u200b\ufe0f\uffff", CONTROL),
    ],
)
def test_class_of_characters(characters: str, expected: int) -> None:
    classes = character_classes()
    assert {character: int(classes[ord(character)]) for character in characters} == dict.fromkeys(characters, expected)

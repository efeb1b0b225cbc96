"""What the pieces of a vocabulary look like: the longest, the rarest, and those that show that the corpus was dirty.

A vocabulary learns what repeats. So a menu, an advertisement or a template that stands thousands of times in a corpus becomes a piece,
long after it was thought to be filtered: pieces are a sample of what is left. Signs, each a hint and no proof:

- `url`: a part of an address;
- `html`: a tag, an entity or an attribute that is no defined symbol;
- `spam`: a phrase of the lists of advertising, fraud and porn;
- `sentence`: eight Han characters, four words, or text behind a sentence's end;
- `repeated`: the same one to four characters four times in a row;
- `mixed_scripts`: letters of two scripts;
- `digits`: two digits, which a vocabulary with digits one by one has not;
- `damaged`: replacement, private-use, unassigned or control characters but for white space.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.text import characters
from stages.text.characters import character_classes, class_of
from tokenizer.foreign import Pieces
from tokenizer.model_file import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED

SIGNS = ("url", "html", "spam", "sentence", "repeated", "mixed_scripts", "digits", "damaged")
SENTENCE_HAN = 8
"""中华人民共和国 has seven; what is longer is a name of an office, or a sentence."""
SENTENCE_WORDS = 4

_KINDS = {NORMAL: "text", UNKNOWN: "unknown", CONTROL: "control", USER_DEFINED: "defined", UNUSED: "unused", BYTE: "byte"}
_SCRIPTS = {
    characters.HAN: "Han",
    characters.KANA: "kana",
    characters.HANGUL: "Hangul",
    characters.LATIN: "Latin",
    characters.LETTER: "other letters",
    characters.DIGIT: "digits",
    characters.SPACE: "white space",
    characters.EMOJI: "emoji",
    characters.PRIVATE: "private use",
    characters.REPLACEMENT: "replacement",
    characters.CONTROL: "control",
}
_LETTERS = ("Han", "kana", "Hangul", "Latin", "other letters")
_URL = re.compile(r"https?(?![a-z])|www\.|://|\.(?:com|cn|net|org|html?|php|aspx?|jpe?g|png|gif)(?![a-z])|@\w+\.", re.IGNORECASE)
_HTML = re.compile(r"</?[a-z!]|/>|&(?:nbsp|amp|lt|gt|quot|#\d)|(?:href|src|class|style)=", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[。！？；!?;…][^\W\d_]|\.\s+[^\W\d_]")
_REPEATED = re.compile(r"(\S{1,4}?)\1{3}")


def describe(pieces: Pieces, uses: npt.NDArray[np.int64] | None = None, spam: Sequence[str] = (), top: int = 20) -> dict[str, Any]:
    """Counts of all pieces by kind, script and length, and the `top` longest, rarest and dirtiest of those that were learnt.

    `uses` is how often each id stood in some texts; without it nothing is said about use. `spam` are phrases, in lower case. A piece is
    listed with id, text, characters, uses and signs.
    """
    texts = {number: pieces.surfaces[number].decode() for number in np.flatnonzero(pieces.kinds == NORMAL).tolist()}
    signs = {number: of_piece for number, text in texts.items() if (of_piece := signs_of(text, spam))}
    scripts = {number: script(text) for number, text in texts.items()}

    def rows(numbers: Iterable[int]) -> list[dict[str, Any]]:
        return [
            {
                "id": number,
                "text": texts[number],
                "characters": len(texts[number]),
                "script": scripts[number],
                "uses": None if uses is None else int(uses[number]),
                "signs": signs.get(number, []),
            }
            for number in list(numbers)[:top]
        ]

    def longest_first(number: int) -> tuple[int, int]:
        return -len(texts[number]), number

    def dirtiest_first(number: int) -> tuple[int, bool, int, int]:
        is_ruler = signs[number] == ["repeated"] and scripts[number] == "signs"
        return -len(signs[number]), is_ruler, *longest_first(number)

    with_sign = {sign: sorted((number for number in signs if sign in signs[number]), key=longest_first) for sign in SIGNS}
    worded = [number for number in texts if scripts[number] != "white space"]
    found: dict[str, Any] = {
        "ids": len(pieces.kinds),
        "kinds": {_KINDS[kind]: int((pieces.kinds == kind).sum()) for kind in _KINDS if (pieces.kinds == kind).any()},
        "scripts": dict(Counter(scripts.values()).most_common()),
        "lengths": {str(length): count for length, count in sorted(Counter(map(len, texts.values())).items())},
        "signs": {sign: {"pieces": len(of_sign), "longest": rows(of_sign)} for sign, of_sign in with_sign.items()},
        "longest": rows(sorted(worded, key=longest_first)),
        "dirtiest": rows(sorted(signs, key=dirtiest_first)),
        "never_used": None,
        "rarest": [],
    }
    if uses is not None:
        found["never_used"] = sum(int(uses[number]) == 0 for number in texts)
        found["rarest"] = rows(sorted(texts, key=lambda number: (int(uses[number]), -number)))
    return found


def signs_of(text: str, spam: Sequence[str] = ()) -> list[str]:
    """The signs of a piece, in the order of `SIGNS`."""
    scripts = {_script_of(character) for character in text}
    lower = text.lower()
    holds = {
        "url": bool(_URL.search(text)),
        "html": bool(_HTML.search(text)),
        "spam": any(phrase in lower for phrase in spam),
        "sentence": bool(_SENTENCE_END.search(text))
        or sum(_script_of(character) == "Han" for character in text) >= SENTENCE_HAN
        or sum(word.isalpha() for word in text.split()) >= SENTENCE_WORDS,
        "repeated": bool(_REPEATED.search(text)),
        "mixed_scripts": len(scripts & set(_LETTERS) - ({"kana"} if "Han" in scripts else set())) > 1,
        "digits": sum(unicodedata.category(character) == "Nd" for character in text) > 1,
        "damaged": any(_is_damage(character) for character in text),
    }
    return [sign for sign in SIGNS if holds[sign]]


def script(text: str) -> str:
    """The script of a piece without its white space and accents: one name, or `mixed`."""
    found = {_script_of(character) for character in text}
    found = found - {"white space", "marks"} or found
    return found.pop() if len(found) == 1 else "mixed"


@cache
def _script_of(character: str) -> str:
    if unicodedata.category(character)[0] == "M":
        return "marks"
    return _SCRIPTS.get(int(class_of(ord(character), character_classes())), "signs")


def _is_damage(character: str) -> bool:
    return character == "\ufffd" or (unicodedata.category(character) in ("Cc", "Cn", "Co") and not character.isspace())

"""The view that texts are compared on: each character in compatibility form, lower case, and simplified Han.

`fold(text)` is that view, and defines it: for each character NFKC and case folding until nothing changes (ﬁ → fi, ß → ss, ㈱ → (株),
½ → 1⁄2, 𝐀 → a, Ａ → a), then the simplified form of each Han character, by `simplified.txt` (4,128 pairs from OpenCC's dictionaries,
written by `data/make_simplified.py`; no package is needed). Kernels read the same from the table of `token_classes`.

Two differences from NFKC of the whole text. Nothing is composed or reordered across characters: e + U+0301 is not é, which `normalize`
mends before anything is compared, and ｶ + ﾞ is not ガ, which it mends with `form: NFKC`. And a sign whose compatibility form is a space
with a mark, as ´ ¨ ￣, stays that sign: the t of don´t would begin with a lone mark.

Han is folded character by character, so the view is for comparing, never for writing: 乾坤 becomes 干坤 in both scripts. What remains
different are forms that only phrases tell, as 了解 and 瞭解 (`docs/dedup_kernels.md`).
"""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numba import njit

SEPARATOR, IGNORED, LETTER, ALONE, EXPANDED = range(5)
"""Classes of characters: between tokens; as if it were not there; part of a word; a token by itself; folded to several characters."""

CLASS_SHIFT = 21
CODE = (1 << CLASS_SHIFT) - 1

_kernel = njit(cache=True, nogil=True, _nrt=False)  # see `stages.text.sentences`
_1, _2, _3, _4, _6, _8, _12, _18 = (np.uint64(n) for n in (1, 2, 3, 4, 6, 8, 12, 18))
_07, _0F, _1F, _3F, _FF = (np.uint64(n) for n in (0x07, 0x0F, 0x1F, 0x3F, 0xFF))

_PLANE = 1 << 16
_NUM_PAGES = 0x2000  # four bytes can spell numbers up to 0x1FFFFF, be they characters or not
_PAGE = 256
_PAGES = np.uint64(_PLANE)
_SIMPLIFIED = Path(__file__).with_name("simplified.txt")

_UNSPACED = re.compile(
    "["
    "\u0e00-\u0fff"  # Thai, Lao, Tibetan
    "\u1000-\u109f"  # Burmese
    "\u1100-\u11ff"  # hangul jamo
    "\u1780-\u17ff"  # Khmer
    "\u2e80-\u2fdf"  # Han radicals
    "\u3005-\u3007"  # 々〆〇
    "\u3040-\u318f"  # kana, bopomofo, hangul jamo
    "\u31a0-\u31ff"  # bopomofo, strokes, kana
    "\u3400-\u4dbf"  # Han extension A
    "\u4e00-\u9fff"  # Han
    "\ua960-\ua97f"  # hangul jamo
    "\uac00-\ud7ff"  # hangul
    "\uf900-\ufaff"  # Han compatibility
    "\U00016fe0-\U00018dff"  # Tangut, Khitan
    "\U0001aff0-\U0001b2ff"  # kana, Nushu
    "\U00020000-\U0003ffff"  # Han extensions
    "]"
)


def fold(text: str) -> str:
    """The view of a text, character by character.

    >>> fold("ﬁne Straße ㈱２０２０ 臺灣")
    'fine strasse (株)2020 台湾'
    """
    return "".join(map(_folded, text))


def simplified() -> dict[str, str]:
    """The simplified form of each Han character that has another one, itself never a key."""
    lines = _SIMPLIFIED.read_text(encoding="utf-8").splitlines()
    return {pair[0]: pair[1] for line in lines if not line.startswith("#") for pair in line.split()}


@lru_cache(maxsize=1)
def token_classes() -> npt.NDArray[np.int32]:
    """What `entry_at` reads: for each character, class << 21 | what it is folded to.

    The entries of the characters below U+10000 come first. The next 8,192 values say where the 256 entries of each page of further
    characters begin, in which 0 stands for the character itself. Last come the expansions, each after its length: of an `EXPANDED`
    character the entry holds not a character but where its expansion begins.
    """
    table = np.zeros(_PLANE + _NUM_PAGES, np.int32)
    pages: dict[bytes, int] = {}
    tail: list[npt.NDArray[np.int32]] = []
    size = len(table)

    def append(values: npt.NDArray[np.int32]) -> int:
        nonlocal size
        tail.append(values)
        size += len(values)
        return size - len(values)

    def entry(character: str) -> int:
        folded = _folded(character)
        if len(folded) == 1:
            return class_of(folded) << CLASS_SHIFT | ord(folded)
        values = [class_of(c) << CLASS_SHIFT | ord(c) for c in folded]
        return EXPANDED << CLASS_SHIFT | append(np.array([len(values), *values], np.int32))

    for code in range(_PLANE):
        table[code] = entry(chr(code))
    for page in range(_NUM_PAGES):
        first = page * _PAGE
        values = np.full(_PAGE, class_of(chr(min(first, 0x10FFFF))) << CLASS_SHIFT, np.int32)
        if _PLANE <= first < 2 * _PLANE or 0x2F800 <= first < 0x2FB00:
            for code in range(first, first + _PAGE):
                value = entry(chr(code))
                values[code - first] = value - code if value & CODE == code else value
        elif 0x20000 <= first < 0x40000:
            for code in range(first, first + _PAGE):
                if chr(code) in _pairs():
                    values[code - first] = entry(chr(code))
        key = values.tobytes()
        if key not in pages:
            pages[key] = append(values)
        table[_PLANE + page] = pages[key]
    return np.concatenate([table, *tail])


def class_of(character: str) -> int:
    """The class of a character that is folded to itself."""
    category = unicodedata.category(character)
    if category == "Cf" or "\ufe00" <= character <= "\ufe0f" or "\U000e0000" <= character <= "\U000effff":
        return IGNORED  # joiners, soft hyphens, variation selectors, tags
    if category == "Co" or character >= "\U000f0000":  # private use: mostly rare Han characters in old fonts
        return ALONE
    if "\U00020000" <= character <= "\U0003ffff":  # Han, also what a newer Unicode will assign
        return ALONE
    if category[0] not in "LMN":
        return SEPARATOR
    return ALONE if _UNSPACED.match(character) else LETTER


@lru_cache(maxsize=1)
def _pairs() -> dict[str, str]:
    return simplified()


def _folded(character: str) -> str:
    form = character
    while not unicodedata.is_normalized("NFKC", form) or form.casefold() != form:
        before = form
        form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", form).casefold())
        if form == before:  # ΐ is folded to three characters, which NFKC composes again
            break
    if len(form) > 1 and form[0] == " ":
        return character
    pairs = _pairs()
    return pairs.get(form, form) if len(form) == 1 else "".join(pairs.get(c, c) for c in form)


@_kernel
def entry_at(data, at, end, classes):  # type: ignore[no-untyped-def]
    """The entry of the character at `data[at]`, at < end, and its bytes; `classes` is `token_classes()`, places are unsigned.

    Of the entry, `>> CLASS_SHIFT` is the class and `& CODE` what the character is folded to, or where its expansion begins.
    Invalid UTF-8 is read as some character, never from outside `at:end`; a sequence that is cut off there is a separator.
    """
    code = np.uint64(data[at])
    if code < 0x80:
        return np.int64(classes[code]), _1
    if 0xE0 <= code < 0xF0 and at + _2 < end:
        return np.int64(classes[three_byte_code(data, at)]), _3
    if 0xC0 <= code < 0xE0 and at + _1 < end:
        return np.int64(classes[(code & _1F) << _6 | (np.uint64(data[at + _1]) & _3F)]), _2
    if 0xF0 <= code < 0xF8 and at + _3 < end:
        code = (code & _07) << _18 | (np.uint64(data[at + _1]) & _3F) << _12
        code |= (np.uint64(data[at + _2]) & _3F) << _6 | (np.uint64(data[at + _3]) & _3F)
        entry = np.int64(classes[np.uint64(classes[_PAGES + (code >> _8)]) + (code & _FF)])
        return (entry if entry & CODE else entry | np.int64(code)), _4
    return np.int64(0), _1


@_kernel
def three_byte_code(data, at):  # type: ignore[no-untyped-def]
    """The number that three bytes from `at` on spell; the places are unsigned."""
    return (np.uint64(data[at]) & _0F) << _12 | (np.uint64(data[at + _1]) & _3F) << _6 | (np.uint64(data[at + _2]) & _3F)

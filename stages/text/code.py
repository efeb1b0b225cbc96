r"""How much of a text is program code, and how much is formulas in LaTeX, so that these can be judged by rules of their own.

A *formula* is what stands between `$` and `$` on one line (as Pandoc reads it: no white space inside the signs, no digit behind the
second, so prices are none), or, over any lines, between `$$` and `$$`, `\[` and `\]`, `\(` and `\)`, or from `\begin{equation}` and
its like to the next `\end{...}`; of at most 500 bytes on one line, 2,000 over several. Its line ends do not end a line.

A line is *code* if it is in a Markdown fence (``` or ~~~); if it has at least two signs of code outside formulas, and one for each 40
characters; or if it is indented and follows a line of code. Each of these is a sign: an operator that prose lacks
(`== != <= >= += -= *= -> => := :: && || ++ << >> () // /* */`), `word(`, `word[`, `snake_case`, ` = `, the first `word.word` of the
line in lower case, an end in `;`, `{`, `}` or `):`, and a keyword at the start (`def`, `return`, `int`, ...). A line of nothing but
closing brackets, or of a key in lower case and a colon (`spec:`), has two. What follows `://` up to white space, a bracket, a quote
or a character beyond ASCII is no sign: URLs. So a paragraph that names a function or two is prose, and comments inside of blocks are
code. HTML is neither: prose is full of it. Telling the programming language was rejected: it needs a model, and nothing here depends
on it.

A document in which fewer than one character in 25 is ASCII punctuation is not looked at and has 0: most prose costs nothing.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer, read_only
from stages.text.kernel import HIGHS, alphanumeric, eight_bytes, kernel, leading, three_bytes
from stages.text.profile import Profile

MIN_PUNCTUATION_SHARE = 0.04
CHARS_PER_SIGN = 40
KEYWORDS = (  # noqa: SIM905
    "assert async auto await bool break case catch char class const continue def define del do double elif else end endif enum except "
    "export extern final finally float fn for from func function global if ifdef ifndef impl import in include inline int interface "
    "let local long match mod module mut namespace new nonlocal package pass print printf private protected pub public raise require "
    "return select self short signed sizeof static std string struct super switch template this throw throws trait try type typedef "
    "typename union unsigned use using var virtual void while with yield"
).split()
"""Lower-case words that begin lines of code in C, C++, Java, JavaScript, Go, Rust, Python, SQL and their relatives."""


class CodeShares(NamedTuple):
    """Shares of the characters that are not white space, float32 of shape (n,) in [0, 1]; 0 for a document without any."""

    code: npt.NDArray[np.float32]
    math: npt.NDArray[np.float32]


def code_shares(text: TextBuffer, profile: Profile) -> CodeShares:
    r"""Code and formulas of each document.

    >>> from stages.text.profile import profile
    >>> data = np.frombuffer(b"if (x == 1) {\n  y += 2;\n}\nThe end.", np.uint8)
    >>> text = TextBuffer(data, np.array([0, len(data)]))
    >>> code_shares(text, profile(text)).code  # 15 of 22 visible characters
    array([0.6818182], dtype=float32)
    """
    text = text.read_only()
    shares = np.zeros((2, len(text)), np.float32)
    looked_at = profile.ascii_punctuation >= MIN_PUNCTUATION_SHARE * profile.num_chars
    _shares(text.data, eight_bytes(text.data), text.offsets, looked_at, *_tables(), shares)
    return CodeShares(*shares)


_SLOTS = 1024
_STEP = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(54)
_INLINE_BYTES, _DISPLAY_BYTES = 500, 2000
_TAB, _NEWLINE, _RETURN, _SPACE = 0x09, 0x0A, 0x0D, 0x20
_ENVIRONMENTS = (b"equa", b"alig", b"gath", b"mult", b"eqna", b"math", b"disp")
_OPERATORS = "== != <= >= += -= *= -> => := :: && || ++ << >> () // /* */".split()  # noqa: SIM905


def _packed(text: bytes) -> int:
    return int.from_bytes(text, "big")


_BEGIN, _END = _packed(b"\\begin{"), _packed(b"\\end{")
_ENVIRONMENT_CODES = tuple(map(_packed, _ENVIRONMENTS))
_DOLLARS, _SLASHES = _packed(b"$$"), _packed(b"//")
_OPEN_BRACKET, _CLOSE_BRACKET, _OPEN_PARENTHESIS, _CLOSE_PARENTHESIS = map(_packed, (rb"\[", rb"\]", rb"\(", rb"\)"))


@lru_cache(maxsize=1)
def _tables() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Keywords packed, last byte lowest, in an open hash table, (1024,); which bytes are in words, (256,); operators, (65536,)."""
    keywords = np.zeros(_SLOTS, np.uint64)
    for word in KEYWORDS:
        packed = _packed(word.encode()[-8:])
        slot = (packed * int(_STEP) & (1 << 64) - 1) >> int(_SHIFT)
        while keywords[slot]:
            slot = (slot + 1) % _SLOTS
        keywords[slot] = packed
    in_word = np.array([byte < 0x80 and chr(byte).isalnum() for byte in range(256)])
    operators = np.zeros(1 << 16, np.bool_)
    operators[[_packed(operator.encode()) for operator in _OPERATORS]] = True
    return read_only(keywords), read_only(in_word), read_only(operators)


@kernel
def _shares(data, chunks, offsets, looked_at, keywords, in_word, operators, shares):  # type: ignore[no-untyped-def]
    for document in range(len(offsets) - 1):
        if not looked_at[document]:
            continue
        end = offsets[document + 1]
        at = offsets[document]
        code, math, total = 0, 0, 0
        fence = 0
        after_code = False
        while at < end:
            indent = 0
            while at < end and (data[at] == _SPACE or data[at] == _TAB):
                indent += 2 if data[at] == _TAB else 1
                at += 1
            opens_fence = at + 2 < end and data[at] in (0x60, 0x7E) and data[at] == data[at + 1] and data[at] == data[at + 2]
            if fence > 0 or (opens_fence and _is_alone(data, at + 3, end, data[at])):
                if opens_fence:
                    fence = 0 if fence == data[at] else data[at] if fence == 0 else fence
                chars, at = _skip_line(data, at, end)
                code += chars
                total += chars
                continue
            line_chars, line_math, signs, at = _scan_line(data, chunks, at, end, keywords, in_word, operators)
            if line_chars == 0:
                continue
            plain = line_chars - line_math
            after_code = (signs >= 2 and signs * CHARS_PER_SIGN >= plain) or (after_code and indent >= 2)
            total += line_chars
            math += line_math
            code += plain if after_code else 0
        shares[0, document] = code / max(total, 1)
        shares[1, document] = math / max(total, 1)


@kernel
def _is_alone(data, at, end, fence):  # type: ignore[no-untyped-def]
    """Whether a fence does not close on its own line."""
    while at < end and data[at] == fence:
        at += 1
    while at < end and data[at] != _NEWLINE:
        if data[at] == fence:
            return False
        at += 1
    return True


@kernel
def _skip_line(data, at, end):  # type: ignore[no-untyped-def]
    """Visible characters up to the end of the line, and the place behind it."""
    chars = 0
    while at < end and data[at] != _NEWLINE:
        chars += _is_visible(data[at])
        at += 1
    return chars, at + 1


@kernel
def _is_visible(byte):  # type: ignore[no-untyped-def]
    """Whether a byte begins a character other than ASCII white space."""
    return byte & 0xC0 != 0x80 and byte != _SPACE and not _TAB <= byte <= _RETURN


@kernel
def _scan_line(data, chunks, at, end, keywords, in_word, operators):  # type: ignore[no-untyped-def]
    """Visible characters, those in formulas, signs of code, and the place behind the line."""
    chars, math, brackets = 0, 0, 0
    signs = 2 if _is_key(data, at, end, in_word) else _starts_with_keyword(data, at, end, keywords, in_word)
    last, second_last = np.int64(0), np.int64(0)  # visible bytes outside formulas
    before = np.int64(0)  # the byte before, 0 behind a formula and behind an operator
    dotted = False
    while at < end and data[at] != _NEWLINE:
        chunk = chunks[at] if at + 8 <= end else np.uint64(0)
        while three_bytes(chunk) >= 0:  # nor are these signs
            chars += 1
            second_last, last = last, np.int64(data[at])
            before = np.int64(data[at + 2])
            at += 3
            chunk = chunks[at] if at + 8 <= end else np.uint64(0)
        if at >= end or data[at] == _NEWLINE:
            break
        length = leading(~alphanumeric(chunk) & HIGHS)
        if length > 0:  # letters and digits are no signs
            chars += length
            second_last = np.int64(data[at + length - 2]) if length > 1 else last
            before = last = np.int64(data[at + length - 1])
            at += length
            continue
        byte = np.int64(data[at])
        if byte == 0x24 or byte == 0x5C:  # noqa: PLR1714, a tuple is slower here
            behind = _formula_end(data, at, end)
            if behind > at:
                for place in range(at, behind):
                    math += _is_visible(data[place])
                at = behind
                before, last, second_last = np.int64(0), np.int64(0), np.int64(0)
                continue
        following = np.int64(data[at + 1] if at + 1 < end else 0)
        if _is_visible(byte):
            chars += 1
            brackets += byte in (0x29, 0x5D, 0x7D, 0x3B, 0x2C)
            second_last, last = last, byte
        if not in_word[byte] and byte < 0x80:
            if operators[byte << 8 | following]:
                if byte << 8 | following == _SLASHES:
                    if before == 0x3A:
                        url_chars, at = _skip_url(data, at, end)
                        chars += url_chars
                        before, last, second_last = np.int64(0), np.int64(0), np.int64(0)
                        continue
                    signs -= before == 0x2F or (at + 2 < end and data[at + 2] == 0x2F)  # a ruler of slashes
                signs += 1
                chars += 1  # both bytes are visible
                brackets += following in (0x29, 0x5D, 0x7D, 0x3B, 0x2C)
                second_last, last = byte, following
                before = np.int64(0)
                at += 2
                continue
            if byte in (0x28, 0x5B):  # ( [
                signs += in_word[before] and before > 0x39
            elif byte == 0x5F:
                signs += in_word[before] and in_word[following]
            elif byte == 0x2E and not dotted:
                dotted = bool(0x61 <= before <= 0x7A and 0x61 <= following <= 0x7A)
                signs += dotted
            elif byte == 0x3D:
                signs += before == _SPACE and following == _SPACE
        before = byte
        at += 1
    if last in (0x3B, 0x7B, 0x7D) or (second_last == 0x29 and last == 0x3A):
        signs += 1
    if chars > 0 and math == 0 and brackets == chars:
        signs = max(signs, 2)
    return chars + math, math, signs, at + 1


@kernel
def _skip_url(data, at, end):  # type: ignore[no-untyped-def]
    """Visible characters of the rest of a URL, and the place behind it."""
    first = at
    while at < end and 0x20 < data[at] < 0x7F and data[at] not in (0x22, 0x27, 0x28, 0x29, 0x3C, 0x3E, 0x5B, 0x5D, 0x7B, 0x7D):
        at += 1
    return at - first, at


@kernel
def _is_key(data, at, end, in_word):  # type: ignore[no-untyped-def]
    """Whether a line is a key in lower case and a colon, perhaps behind `- `."""
    if at + 1 < end and data[at] == 0x2D and data[at + 1] == _SPACE:
        at += 2
    if at >= end or not 0x61 <= data[at] <= 0x7A:
        return False
    while at < end and (in_word[data[at]] or data[at] in (0x2D, 0x5F)):
        at += 1
    return at < end and data[at] == 0x3A and (at + 1 >= end or data[at + 1] == _NEWLINE)


@kernel
def _starts_with_keyword(data, at, end, keywords, in_word):  # type: ignore[no-untyped-def]
    packed = np.uint64(0)
    if at < end and data[at] == 0x23:  # #include
        at += 1
    while at < end and 0x61 <= data[at] <= 0x7A:
        packed = packed << np.uint64(8) | np.uint64(data[at])
        at += 1
    if packed == 0 or (at < end and (in_word[data[at]] or data[at] == 0x5F)):
        return 0
    slot = packed * _STEP >> _SHIFT
    while keywords[slot] > 0:
        if keywords[slot] == packed:
            return 1
        slot = (slot + np.uint64(1)) % np.uint64(_SLOTS)
    return 0


@kernel
def _formula_end(data, at, end):  # type: ignore[no-untyped-def]
    """The place behind the formula that starts at `at`; `at` if none does."""
    opening = _read(data, at, end, 2)
    limit = min(end, at + _DISPLAY_BYTES)
    if opening == _DOLLARS:
        return _behind(data, at, limit, _DOLLARS)
    if opening == _OPEN_BRACKET:
        return _behind(data, at, limit, _CLOSE_BRACKET)
    if opening == _OPEN_PARENTHESIS:
        return _behind(data, at, limit, _CLOSE_PARENTHESIS)
    if _read(data, at, end, 7) == _BEGIN:
        name = _read(data, at + 7, end, 4)
        for environment in _ENVIRONMENT_CODES:
            if name == environment:
                return _behind_environment(data, at, limit)
        return at
    if data[at] != 0x24 or at + 1 >= end or not _is_ink(data[at + 1]):
        return at
    for place in range(at + 2, min(end, at + _INLINE_BYTES)):
        if data[place] == _NEWLINE:
            break
        if data[place] == 0x24 and _is_ink(data[place - 1]) and not (place + 1 < end and 0x30 <= data[place + 1] <= 0x39):
            return place + 1
    return at


@kernel
def _is_ink(byte):  # type: ignore[no-untyped-def]
    return byte != _SPACE and not _TAB <= byte <= _RETURN


@kernel
def _behind(data, at, limit, closing):  # type: ignore[no-untyped-def]
    for place in range(at + 2, limit - 1):
        if _read(data, place, limit, 2) == closing:
            return place + 2
    return at


@kernel
def _behind_environment(data, at, limit):  # type: ignore[no-untyped-def]
    for place in range(at + 11, limit):
        if data[place] == 0x5C and _read(data, place, limit, 5) == _END:
            for closing in range(place + 5, limit):
                if data[closing] == 0x7D:
                    return closing + 1
            return at
    return at


@kernel
def _read(data, at, end, num_bytes):  # type: ignore[no-untyped-def]
    """Bytes as one number, first byte highest; 0 if they are cut off."""
    if at + num_bytes > end:
        return np.int64(0)
    packed = np.int64(0)
    for place in range(at, at + num_bytes):
        packed = packed << 8 | np.int64(data[place])
    return packed

"""Code and formulas: the kernel against regular expressions, lines by hand, and what is no code."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.buffers import TextBuffer
from stages.text.code import KEYWORDS, CodeShares, code_shares
from stages.text.profile import profile
from tests.stages.text.test_profile import buffer_of, documents

FORMULA = re.compile(
    rb"\$\$(?s:.)*?\$\$|\\\[(?s:.)*?\\\]|\\\((?s:.)*?\\\)"
    rb"|\\begin\{(?:equa|alig|gath|mult|eqna|math|disp)(?s:.)*?\\end\{[^}]*\}"
    rb"|\$(?=[^\s$])[^\n][^\n]*?(?<=\S)\$(?![0-9])"
)
SIGNS = [
    rb"(?<=[A-Za-z])\((?!\))|(?<=[A-Za-z])\[",
    rb"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])",
    rb"(?<= )=(?= )",
]
OPERATORS = ("==", "!=", "<=", ">=", "+=", "-=", "*=", "->", "=>", ":=", "::", "&&", "||", "++", "<<", ">>", "()", "//", "/*", "*/")


def looked_at_shares(text: TextBuffer) -> CodeShares:
    """Without the gate of ASCII punctuation."""
    counts = profile(text)
    return code_shares(text, counts._replace(ascii_punctuation=counts.num_chars))


def code_of(text: str) -> float:
    return float(looked_at_shares(buffer_of(text.encode())).code[0])


def visible(data: bytes) -> int:
    return sum(byte & 0xC0 != 0x80 and byte not in b" \t\n\v\f\r" for byte in data)


def math_characters(data: bytes) -> int:
    return sum(visible(match[0]) for match in FORMULA.finditer(data))


def signs_of(line: bytes) -> int:
    """Signs of a line that holds no formula and no URL."""
    if re.fullmatch(rb"(?:- )?[a-z][A-Za-z0-9_-]*:", line):
        return 2
    signs = bool(re.match(rb"#?(?:%s)(?![A-Za-z0-9_])" % "|".join(KEYWORDS).encode(), line))
    rest = line
    for operator in re.findall(b"|".join(re.escape(sign.encode()) for sign in OPERATORS), line):
        signs += 1
        rest = rest.replace(operator, b"\x00\x00", 1)
    signs += sum(len(re.findall(sign, rest)) for sign in SIGNS)
    signs += bool(re.search(rb"[a-z]\.[a-z]", rest))
    signs += line.rstrip().endswith((b";", b"{", b"}", b"):"))
    closing = line.replace(b" ", b"")
    return max(signs, 2) if closing and not closing.strip(b")]};,") else signs


def code_characters(data: bytes) -> int:
    total, after_code = 0, False
    for line in data.split(b"\n"):
        stripped = line.lstrip(b" \t")
        if not visible(stripped):
            continue
        signs = signs_of(stripped)
        indent = len(line[: len(line) - len(stripped)].expandtabs(2)) if b"\t" not in line else 2
        after_code = (signs >= 2 and 40 * signs >= visible(stripped)) or (after_code and indent >= 2)
        total += visible(stripped) if after_code else 0
    return total


lines = st.lists(
    st.sampled_from(
        ["x = f(y)", "return a_b;", "a == b", "def g():", "}", "});", "spec:", "the end", "中文。", "if so", "  ", "    ",
         "i.e. so", "a.b.c", "\n", "\n", "A(1)", " = ", "; ", "p[0]", "word ", "_", "f()", "#include", "class Ab"]
    ),
    max_size=14,
).map(lambda parts: "".join(parts).encode())  # fmt: skip
formulas = st.lists(
    st.sampled_from(["$", "$$", "x", " ", "5", "\n", r"\[", r"\]", r"\(", r"\)", r"\begin{align}", r"\end{align}", "中", "\\"]), max_size=16
).map(lambda parts: "".join(parts).encode())


@settings(max_examples=400)
@given(lines)
def test_lines_of_code_agree_with_regular_expressions(data: bytes) -> None:
    found = looked_at_shares(buffer_of(data))
    assert found.code[0] == np.float32(code_characters(data) / max(visible(data), 1))


@settings(max_examples=400)
@given(formulas)
def test_formulas_agree_with_regular_expressions(data: bytes) -> None:
    found = looked_at_shares(buffer_of(data))
    assert found.math[0] == np.float32(math_characters(data) / max(visible(data), 1))


@given(st.lists(documents, min_size=1, max_size=4))
def test_documents_do_not_see_each_other(batch: list[bytes]) -> None:
    together = looked_at_shares(buffer_of(*batch))
    alone = [looked_at_shares(buffer_of(document)) for document in batch]
    assert together.code.tolist() == [shares.code[0] for shares in alone]
    assert together.math.tolist() == [shares.math[0] for shares in alone]


@pytest.mark.parametrize(
    ("line", "is_code"),
    [
        ("if (x == 1) {", True),
        ("return 5;", True),
        ("return 5", False),  # one sign
        ("x = f(y)", True),
        ("});", True),
        ("- name:", True),
        ("Contents:", False),
        ("The function f(x) has one sign.", False),
        ("See https://example.com/a/b_c.html?x==1&&y_z", False),
        ("第三章 the_name(x) 是一个函数", True),
        ("a" * 74 + " f(x) g(y)", False),  # 84 visible characters need three signs
        ("a" * 70 + " f(x) g(y)", True),
        ("////////////////", False),
        ("It costs 5; see (a)(1) of § 3(b).", False),
    ],
)
def test_a_line_of_code_has_two_signs_and_one_for_forty_characters(line: str, is_code: bool) -> None:
    assert code_of(line) == is_code


def test_indented_lines_follow_code_and_fences_hold_code() -> None:
    assert code_of("def f(x):\n    The words.\nprose") == pytest.approx(17 / 22)
    assert code_of("one\n```\nplain words\n```\ntwo") == pytest.approx(16 / 22)
    assert code_of("one\n```not a fence```\ntwo") == 0
    assert code_of("~~~\nopen to the end\n```\n") == 1


@pytest.mark.parametrize(
    ("text", "share"),
    [("$x^2$ ab", 5 / 7), ("it is $5 and $6", 0), ("$5 and$6", 0), ("$$\na\n$$b", 5 / 6), (r"\[a\] b", 5 / 6), ("$ x$", 0),
     (r"\begin{align}x\end{align}y", 25 / 26), (r"\begin{itemize}x\end{itemize}", 0),
     ("$" + "x" * 499 + "$", 0), ("$" + "x" * 498 + "$", 1)],
)  # fmt: skip
def test_formulas(text: str, share: float) -> None:
    assert looked_at_shares(buffer_of(text.encode())).math[0] == np.float32(share)


@pytest.mark.parametrize(("letters", "looked_at"), [(70, True), (71, False)])
def test_text_without_punctuation_is_not_looked_at(letters: int, looked_at: bool) -> None:
    text = buffer_of(("a" * letters + "f(x);").encode())  # 3 of 75 characters are punctuation
    assert bool(code_shares(text, profile(text)).code[0]) is looked_at

"""Sentences: a table of tricky texts, the plain reference on random texts, tiling, and damage."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text import sentences as rules
from stages.text.buffers import TextBuffer
from stages.text.sentences import MAX_HELD_BYTES, Sentences, sentences

WRAPPED = "A line of English prose that an editor has wrapped at about seventy\nletters goes on in the next line, and ends there."
LONG_QUOTE = "“" + "他说了很多话。" * 100 + "”"

# A bar marks each boundary. Most English cases follow the Golden Rules of Pragmatic Segmenter, the rest is from real documents.
CASES = [
    "Hello World. |My name is Jonas.",
    "What is your name? |My name is Jonas.",
    "There it is! |I found it.",
    "My name is Jonas E. Smith.",
    "Please turn to p. 55.",
    "Were Jane and co. at the party?",
    "They closed the deal with Pitt, Briggs & Co. at noon.",
    "Let's ask Jane and co. |They should know.",
    "I can see Mt. Fuji from here.",
    "St. Michael's Church is on 5th st. near the light.",
    "That is JFK Jr.'s book.",
    "I visited the U.S.A. last year.",
    "I live in the U.S. |How about you?",
    "I work for the U.S. Government in Virginia.",
    "At 5 a.m. Mr. Smith went to the bank.",
    "She has $100.00 in her bag.",
    "She has $100.00. |It is in her bag.",
    "He teaches science (He worked for 5 years as an engineer.) at the university.",
    "He left. |(She stayed.) |Then it rained.",
    "Her email is Jane.Doe@example.com. |I sent her an email.",
    "The site is https://www.example.50.com/new-site/awesome.html?q=1!a. |Please check it out.",
    'She turned to him, "This is great." she said.',
    "She turned to him, 'This is great. Really.' she said.",
    'She turned to him, "This is great. Really." |She left.',
    '"Go! Now!" he cried, "or I shall."',
    "Hello!! |Is that you?! |Yes.",
    "We make a good team, you and I. |Did you see Albert I. Jones yesterday?",
    "“The laws of the universe will appear less complex. . . .”",
    "I never meant that.... |She left the store.",
    "I wasn't really ... well, what I mean...see . . . what I'm saying, I didn't mean it.",
    "Wait… what? |No… |Yes.",
    "See No. 5, vol. II and Fig. 3, cf. Smith et al. 2010, i.e. The Book.",
    "Was it he? |No. |He left.",
    "It was the 1930's. |Prosperity came.",
    "Version 1.2.3 of setup.py is out. |Run v2.0.1, not node.js.",
    "It failed.[1][2] |Then it worked.[3]",
    "1. First item. |2. Second item.\n|3. Third item\n|A. Last",
    "# Title\n|- one\n|- two. |And more.\n|(3) three\n|• four",
    "CHAPTER I\n\n|It was late.\n\n\n|He slept.",
    WRAPPED,
    "def f(x):\n    |return x.y\n|print(f(1))\n",
    "Dear all:\n|the house is sold.",
    "他来了。|她走了！|真的吗？|是。",
    "“走吧。快！”|他说。",
    "他说：“走吧。快走！”|然后他走了。",
    "「走吧。」|他說。|『好！』",
    "“好！”，他说，“走。”",
    "“他『性』子急。走！”|她走了。",
    "他想（其实没有。）走。",
    "（他走了。她来了。）|好。",
    "《你好！》很好看。",
    "真的吗？！|真的！！！|好……",
    "她笑了……然后走了。|完。。。|好",
    "一是效率；二是公平。|都重要。",
    "见第3.5节。|2020年，v1.2发布。|iPhone卖得好。",
    "酒店不错.|建议用别的路线.|房间简单.",
    "题解．|首先，取３．１４．",
    "2.苹果很好。|（二）梨。|一、总则。",
    "他说hello world. |This is 中文。|OK！|好",
    "第一条　总则\n|第二条　分则。\n|第三条",
    "床前明月光，\n疑是地上霜。\n|举头望明月，\n低头思故乡。",
    "已有研究表明。[12]|但是，仍有争议。[3]\n",
    "没有标点",
    "。。。",
    "？",
    "  \n\n 前面有空白。|后面 \n ",
    LONG_QUOTE.replace("。", "。|").replace("|”", "”"),
]
KNOWN_FAILURES = [
    "You can find it at N°. 1026.253.553.",
    "He left the bank at 6 P.M. |Mr. Smith then went to the store.",  # a title opens the sentence
    "She works at Yahoo! in the accounting department.",
    "1) The first item |2) The second item",
    "He took vitamin C. |Oranges have it.",
    "It is impossible.--|Your friend, Rosaline",
    "他喊着“加油！”的口号跑了。",
]


def buffer_of(*documents: bytes) -> TextBuffer:
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    return TextBuffer(np.frombuffer(b"".join(documents) or b"\0", np.uint8)[: offsets[-1]], offsets)


def pieces_of(text: TextBuffer, found: Sentences, document: int = 0) -> list[bytes]:
    bounds = found.bounds[found.offsets[document] : found.offsets[document + 1] + 1]
    return [text.data[start:end].tobytes() for start, end in pairwise(bounds.tolist())]


def split(document: str | bytes) -> list[str]:
    text = buffer_of(document.encode() if isinstance(document, str) else document)
    return [piece.decode(errors="surrogateescape") for piece in pieces_of(text, sentences(text))]


@pytest.mark.parametrize("case", CASES)
def test_tricky_text_is_cut_at_the_bars(case: str) -> None:
    assert split(case.replace("|", "")) == case.split("|")


@pytest.mark.parametrize("case", KNOWN_FAILURES)
@pytest.mark.xfail(strict=True, reason="known failure, see docs/sentences.md")
def test_known_failures(case: str) -> None:
    assert split(case.replace("|", "")) == case.split("|")


def test_nine_of_ten_tricky_texts_are_cut_right() -> None:
    assert (len(CASES), len(KNOWN_FAILURES)) == (67, 7)


def test_documents_have_their_sentences_lines_and_paragraphs() -> None:
    text = buffer_of("一。二\n\n三\n四。".encode(), b"", b"\n One. Two.")
    found = sentences(text)
    assert found.bounds.tolist() == [0, 6, 11, 15, 21, 28, 32]
    assert found.offsets.tolist() == [0, 4, 4, 6]
    assert found.lines.tolist() == [0, 0, 2, 3, 1, 1]
    assert found.paragraphs.tolist() == [0, 0, 1, 1, 0, 0]


def test_sentences_are_the_documents_of_a_text_buffer() -> None:
    text = buffer_of(b"One. Two.")
    each = TextBuffer(text.data, sentences(text).bounds)
    assert (len(each), each.document(0), each.document(1)) == (2, b"One. ", b"Two.")


@pytest.mark.parametrize(("held_bytes", "num_pieces"), [(MAX_HELD_BYTES, 1), (MAX_HELD_BYTES + 1, 2)])
def test_a_quotation_is_held_together_up_to_its_limit(held_bytes: int, num_pieces: int) -> None:
    assert len(split("“One. " + "X" * (held_bytes - len("“One. .".encode())) + ".”")) == num_pieces


@pytest.mark.parametrize(("length", "num_pieces"), [(39, 2), (40, 1), (130, 1), (131, 2)])
def test_a_line_of_prose_may_be_wrapped_between_its_limits(length: int, num_pieces: int) -> None:
    assert len(split(("abcd " * 30)[: length - 1] + "e\nand on")) == num_pieces


@pytest.mark.parametrize(("num_han", "num_pieces"), [(29, 2), (30, 1), (80, 1), (81, 2)])
def test_a_line_of_han_may_be_wrapped_between_its_limits(num_han: int, num_pieces: int) -> None:
    assert len(split("国" * num_han + "\n家")) == num_pieces


@pytest.mark.parametrize(("longer", "num_pieces"), [(24, 1), (25, 2)])
def test_a_line_is_not_wrapped_when_the_next_one_is_much_longer(longer: int, num_pieces: int) -> None:
    line = "the heading of a section about some heads"
    assert len(split(line + "\n" + "x" * (len(line) + longer))) == num_pieces


def test_no_documents() -> None:
    found = sentences(buffer_of())
    assert (found.bounds.tolist(), found.offsets.tolist(), len(found.lines), len(found.paragraphs)) == ([0], [0], 0, 0)


def test_a_truncated_character_does_not_read_its_successor() -> None:
    data = np.frombuffer("a。b".encode(), np.uint8)
    found = sentences(TextBuffer(data, np.array([0, 3, 5])))
    assert (found.bounds.tolist(), found.offsets.tolist()) == ([0, 3, 5], [0, 1, 2])


def test_a_sentence_may_be_a_single_byte() -> None:
    assert split(b"a\n!\x80\n!\x80") == ["a\n", "!", "\udc80\n", "!", "\udc80"]


def test_a_slice_of_a_larger_column_has_its_own_sentences() -> None:
    whole = buffer_of(b"One. Two.", b"Three. Four.")
    found = sentences(TextBuffer(whole.data, whole.offsets[1:]))
    assert (found.bounds.tolist(), found.offsets.tolist()) == ([9, 16, 21], [0, 2])


PIECES = [
    "He", " He ", "the", " a ", "A", " Mr", "No", "p.m", "U.S", " etc", "3", "12", " 5 ", "IV", "word and so on ", "x" * 10 + " ",
    "第", "国家", "一", "国" * 31, "x" * 600, "x" * 1300,
    "a line of English prose wrapped at some column,\nwhich goes on ", "é", "😀", "\ufffd", "３",
    ".", ". ", "...", "!", "? ", "。", "！", "？", "．", "…", ",", "，", "、", ":", ";", "；", "-", "- ", "* ", "#", "|", "> ", "•",
    "'", "’", "‘", '"', "“", "”", "「", "」", "『", "』", "(", ")", "（", "）", "[1]", "[", "]", "《", "》", "\\", "}",
    "\n", "\n", "\n\n", "\r\n", " ", "\t", "\u3000", "\xa0",
]  # fmt: skip
DAMAGE = [b"\xe3\x80", b"\xe2", b"\xff", b"\x82", b"\xef\xbc", b"\xed\xa0\x80"]
documents = st.one_of(
    st.lists(st.sampled_from([piece.encode() for piece in PIECES]), max_size=40).map(b"".join),
    st.lists(st.sampled_from([piece.encode() for piece in PIECES] + DAMAGE), max_size=30).map(b"".join),
    st.binary(max_size=60),
)


@settings(max_examples=1000, deadline=None)
@given(documents)
def test_kernel_agrees_with_the_plain_reference(document: bytes) -> None:
    text = buffer_of(document)
    found = sentences(text)
    pieces = zip(pieces_of(text, found), found.lines.tolist(), found.paragraphs.tolist(), strict=True)
    assert list(pieces) == reference_sentences(document)


@settings(deadline=None)
@given(st.lists(documents, max_size=4))
def test_sentences_tile_the_text_whatever_the_batch(batch: list[bytes]) -> None:
    text = buffer_of(*batch)
    found = sentences(text)
    assert found.offsets[0] == 0
    assert found.bounds[0] == 0
    assert found.bounds[-1] == text.offsets[-1]
    assert (np.diff(found.bounds) > 0).all()
    for index, document in enumerate(batch):
        pieces, alone = pieces_of(text, found, index), buffer_of(document)
        assert b"".join(pieces) == document
        assert pieces == pieces_of(alone, sentences(alone))


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["He came. ", "“走。快！”", "他说：“好。”", "Is it?\n\n", "No. 5 (e.g. this) is v1.2. ", "好。\n"]), max_size=8
    )
)
def test_a_sentence_has_one_sentence(parts: list[str]) -> None:
    for piece in split("".join(parts)):
        assert split(piece) == [piece]


# The plain reference: one character after the other, in strings and lists.

ROLES = {sign: role for role, signs in rules._SIGNS.items() for sign in signs}
CLOSERS = dict(zip("“‘「『〝﹁﹃", "”’」』〞﹂﹄", strict=True))
SPACES = rules._SIGNS[rules._SPACE] + "\n"
ABBREVIATIONS = {
    kind: set(words.split())
    for kind, words in (("never", rules.NEVER_FINAL), ("number", rules.BEFORE_NUMBERS), ("rarely", rules.RARELY_FINAL))
}
HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"


def reference_sentences(data: bytes) -> list[tuple[bytes, int, int]]:
    """Bytes, line and paragraph of each sentence."""
    text = data.decode(errors="surrogateescape")  # a stray byte is one character
    if not text:
        return []
    first = len(text) - len(text.lstrip(SPACES))
    cuts = [first]
    opened: tuple[str, int] | None = None
    brackets: list[int] = []
    at, ended = first, False

    def held(start: int, end: int) -> bool:
        return size(text[start:end]) <= MAX_HELD_BYTES

    def uncut(start: int, end: int) -> None:
        if held(start, end):
            cuts[:] = [cut for cut in cuts if cut <= start]

    while at < len(text):
        sign, role = text[at], ROLES.get(text[at])
        after, cut = at + 1, False
        if sign == "\n":
            after = at + len(text[at:]) - len(text[at:].lstrip(SPACES))
            hard = text[at:after].count("\n") > 1 or not wraps(text, at, after, ended)
            cut, ended = hard or ended, False
            if hard:
                opened, brackets = None, []
        elif role == rules._OPEN_BRACKET:
            brackets = [*brackets, at] if brackets and held(brackets[0], at) else [at]
        elif sign in "'’" and re.match("[A-Za-z0-9]", text[after:]):
            if opened is None and sign == "'" and not re.search("[A-Za-z0-9]$", text[:at]):
                opened = (sign, at)
        elif role == rules._OPEN_QUOTE or (sign == '"' and (opened is None or opened[0] != '"')):
            if opened is None or not held(opened[1], at) or (opened[0] in "'’" and sign != "‘"):
                opened = (CLOSERS.get(sign, sign), at)
        elif role is not None and role >= rules._STOP:
            after, terminals, terminal_at, quoted, bracket = at, "", at, False, -1
            while after < len(text) and (role := ROLES.get(sign := text[after], 0)) >= rules._STOP:
                if role <= rules._FULL:
                    terminals, terminal_at, quoted, bracket = terminals + sign, after, False, -1
                elif role == rules._CLOSE_BRACKET:
                    if len(brackets) == 1:
                        bracket = brackets[0]
                        uncut(bracket, after)
                    brackets = brackets[:-1]
                else:
                    closes = opened is not None and opened[0] == sign
                    if not closes and sign in "'’\"" and re.match("[A-Za-z0-9]", text[after + 1 :]):
                        break
                    quoted = True
                    if closes and opened:
                        uncut(opened[1], after)
                        opened = None
                after += 1
            if terminals:
                after += len(re.match(r"(\[[0-9]{1,4}\])*", text[after:])[0])  # type: ignore[index]
                follower = after + len(text[after:]) - len(text[after:].lstrip(SPACES))
                cut = bracket in (-1, cuts[-1]) and ends(text, cuts[-1], terminals, terminal_at, after, follower, quoted)
                if "\n" in text[after:follower]:
                    cut, ended = False, cut
                else:
                    after = follower
        if cut and after < len(text):
            cuts.append(after)
        at = after
    starts = [0, *cuts[1:]]
    return [
        (
            text[start:end].encode(errors="surrogateescape"),
            text[:place].count("\n"),
            len(re.findall(f"\n[{SPACES}]*\n", text[first:place])),
        )
        for start, end, place in zip(starts, [*starts[1:], len(text)], cuts, strict=True)
    ]


def size(text: str) -> int:
    return len(text.encode(errors="surrogateescape"))


def ends(text: str, start: int, terminals: str, terminal_at: int, after: int, follower: int, quoted: bool) -> bool:
    rest, spaced = text[follower:], follower > after
    if not rest or (rest[0] not in "'’\"" and ROLES.get(rest[0], 0) in (rules._PAUSE, *range(rules._STOP, rules._CLOSE_QUOTE + 1))):
        return False
    kinds = {ROLES[terminal] for terminal in terminals}
    if rules._FULL in kinds:
        return True
    if rules._MARK not in kinds and (len(terminals) > 1 or rules._ELLIPSIS in kinds):
        return spaced and re.match("[A-Z]", rest) is not None
    is_stop = rules._MARK not in kinds
    if is_stop and not spaced and re.match("[０-９]", rest):
        return False
    if re.match("[a-z]", rest) and (quoted or is_stop):
        return False
    if not spaced and rest[0] < "\x80" and text[terminal_at] < "\x80" and not starts_sentence(rest):
        return False
    return not (is_stop and abbreviates(text[start:terminal_at], rest, spaced))


def abbreviates(before: str, rest: str, spaced: bool) -> bool:
    word = re.search("[A-Za-z0-9.]*$", before)[0]  # type: ignore[index]
    if not 1 <= len(word) <= 8:
        return False
    opens = word == before
    if word.isdigit():
        if opens and len(word) <= 3:
            return True
        marks = not opens and len(word) <= 2 and not spaced and not re.search(f"[{HAN}]$", before[: -len(word)])
        return marks or (not spaced and re.match("[0-9]", rest) is not None)
    if opens and (len(word) == 1 or re.fullmatch("[IVXL]+", word)):
        return True
    if len(word) == 1 and before[-2] in "'’":
        return False
    lower = word.lower()
    if lower in ABBREVIATIONS["never"]:
        return True
    if lower in ABBREVIATIONS["number"]:
        return re.match("[0-9]", rest) is not None
    initials = len(word) == 2 * word.count(".") + 1 and not re.search("[0-9]", word)
    return (initials or lower in ABBREVIATIONS["rarely"]) and not starts_sentence(rest.lstrip('("'))


def starts_sentence(rest: str) -> bool:
    word = re.match("[A-Za-z]*", rest)[0]  # type: ignore[index]
    return word[:1].isupper() and word.lower() in rules.STARTERS.split()


def wraps(text: str, newline: int, follower: int, ended: bool) -> bool:
    line, rest = text[text.rfind("\n", 0, newline) + 1 : newline], text[follower:]
    stripped = line.strip(SPACES)
    if not rest or not stripped or starts_item(rest):
        return False
    indent, next_indent = size(line) - size(line.lstrip(SPACES)), size(text[text.rfind("\n", 0, follower) + 1 : follower])
    if next_indent > indent and not starts_item(stripped):
        return False
    if stripped[-1] in "，、":
        return True
    to_han = re.match(f"[{HAN}]", rest)
    shortest, longest = rules.HAN_WRAP_BYTES if to_han else rules.PROSE_WRAP_BYTES
    if to_han and not ended and not re.search(f"[{HAN}]$", stripped):
        return False
    if not to_han and (re.match("[\u2e80-\ud7ff\ue000-\U0010ffff]", rest) or stripped[-1] in ":{}\\" or stripped[0] in "#|"):
        return False
    if not shortest <= size(stripped) <= longest:
        return False
    if not to_han and len(re.findall(" (?! )", stripped)) * rules.MAX_PROSE_WORD_BYTES < size(stripped):
        return False
    return size(rest.split("\n")[0]) <= size(stripped) + rules.WRAP_SLACK_BYTES


def starts_item(text: str) -> bool:
    if ROLES.get(text[0]) == rules._BULLET or re.match("[-*+][ \t]", text):
        return True
    numerals = "0-9" + "".join(map(chr, rules._HAN_NUMERALS))
    opens, closes = (re.escape(rules._SIGNS[role]) for role in (rules._OPEN_BRACKET, rules._CLOSE_BRACKET))
    patterns = (
        f"[{opens}][{numerals}A-Za-z]{{1,4}}[{closes}]",
        f"[{numerals}]{{1,4}}[{closes}]",
        f"[{numerals}]{{1,3}}(、|[.．](?![A-Za-z0-9]))",
    )
    return any(re.match(pattern, text) for pattern in patterns)

"""Mojibake: the kernel against regular expressions made from Python's codecs, and each sign by hand."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.text.mojibake import mojibake_counts
from tests.stages.text.reference import decode
from tests.stages.text.test_profile import buffer_of, documents


def misread(text: str) -> int:
    return int(mojibake_counts(buffer_of(text.encode())).misread[0])


def of_bytes(codec: str, low: int, high: int) -> str:
    """A character class: what the bytes low..high are in a codec; in Windows-1252, also what they are in Latin-1 from A0 on."""
    found = {bytes([byte]).decode(codec, "ignore") or chr(byte) for byte in range(low, high + 1)}
    return "[" + "".join(re.escape(character) for character in sorted(found - {"×", "÷"})) + "]"


def halves(*wanted: tuple[int, int]) -> str:
    """A character class: characters whose two GBK bytes are in the two ranges."""
    (low, high), (second_low, second_high) = wanted
    pairs = (bytes([first, second]) for first in range(low, high + 1) for second in range(second_low, second_high + 1))
    found = {pair.decode("gbk", "ignore"): pair for pair in pairs}
    return "[" + "".join(character for character, pair in found.items() if character.encode("gbk") == pair) + "]"


TAIL, LEAD = (0x80, 0xBF), (0xE2, 0xEF)
UPPER, LETTER = of_bytes("cp1252", 0x80, 0xFF), of_bytes("cp1252", 0xC0, 0xFF)
WINDOWS_TAIL, MAC_TAIL = of_bytes("cp1252", *TAIL), of_bytes("mac-roman", *TAIL)
THREE = halves(LEAD, TAIL) + halves(TAIL, LEAD) + halves(TAIL, TAIL)
SIGN = re.compile(
    f"(?=(?:{UPPER}*{LETTER}){{2}}){UPPER}{{4,}}"
    f"|{of_bytes('cp1252', 0xC2, 0xDF)}{WINDOWS_TAIL}|{of_bytes('cp1252', 0xE0, 0xEF)}{WINDOWS_TAIL}{{2}}"
    f"|{of_bytes('cp1252', 0xF0, 0xF4)}{WINDOWS_TAIL}{{3}}"
    f"|{of_bytes('mac-roman', *LEAD)}{MAC_TAIL}{{2}}"
    f"|(?:{THREE}){{2,}}|锟斤拷|鈥{halves(TAIL, (0x40, 0xFE))}?|烫{{3,}}|屯{{3,}}"
)

signs = st.lists(
    st.sampled_from("ÃÂâäåé©€™œ¸–‡¡¬√‚Äôº∏‰ÄãºÃÊ鍦ㄧ嚎锟斤拷鈥檚烫屯婵娟。中文a’”\n\ufffd½×"), max_size=12
).map(lambda characters: "".join(characters).encode())  # fmt: skip


@settings(max_examples=500)
@given(st.lists(st.one_of(signs, documents), min_size=1, max_size=3))
def test_kernel_agrees_with_regular_expressions(batch: list[bytes]) -> None:
    found = mojibake_counts(buffer_of(*batch)).misread.tolist()
    assert found == [sum(len(match[0]) for match in SIGN.finditer(decode(data))) for data in batch]


@pytest.mark.parametrize(
    ("text", "written", "read"),
    [
        ("Ça fait l’été", "utf-8", "cp1252"),
        ("线上有一台机器", "utf-8", "latin-1"),
        ("线上有一台机器", "utf-8", "mac-roman"),
        ("线上有一台机器", "gbk", "latin-1"),
        ("线上有一台机器", "utf-8", "gbk"),
    ],
)
def test_misread_text_has_a_third_and_more(text: str, written: str, read: str) -> None:
    broken = text.encode(written).decode(read, "replace")
    assert misread(text) == 0
    assert misread(broken) >= len(broken) / 3


@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("customerâ€™s", 3),
        ("defendant鈥檚", 2),
        ("the end 鈥?", 1),
        ("plaintiff‚Äôs", 3),
        ("锟斤拷", 3),
        ("烫烫", 0),
        ("烫烫烫", 3),
        ("屯屯屯屯", 4),
        ("婵娟。", 0),
        ("婵娟。婵娟。", 6),
        ("ÄãºÃ", 4),
        ("ÄãÃ", 0),
        ("“…”—’é", 0),
        ("café’s √π 2×½ naïve", 0),
        ("国國說说", 0),
    ],
)
def test_signs(text: str, characters: int) -> None:
    assert misread(text) == characters


def test_rare_characters_are_in_neither_common_set() -> None:
    counts = mojibake_counts(buffer_of("国國龘鱻".encode(), "的".encode(), b"", "峈妦繫珛翋".encode()))
    assert counts.rare_han.tolist() == [2, 0, 0, 4]

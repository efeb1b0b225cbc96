"""Lines: their places, counts, and protected blocks."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text.blocks import KINDS, block_kinds, blocks
from stages.text.buffers import text_buffer
from stages.text.lines import HAS_MARKUP, HAS_URL, SHORT_BYTES, lines


def kinds(text: str) -> list[str]:
    buffer = text_buffer(pa.array([text], pa.large_string()))
    return [KINDS[kind] for kind in block_kinds(buffer, lines(buffer))]


def test_a_line_is_described() -> None:
    buffer = text_buffer(pa.array(["", " \t汉字ab 12|\t…\n\nhttp://x <b>", "end"], pa.large_string()))
    found = lines(buffer)
    assert found.document.tolist() == [0, 1, 1, 1, 2]
    assert [bytes(buffer.data[a:b]).decode() for a, b in zip(found.start, found.end, strict=True)] == [
        "", "汉字ab 12|\t…", "", "http://x <b>", "end",
    ]  # fmt: skip
    assert found.begin.tolist() == [0, 0, 19, 20, 32]
    assert found.blank.tolist() == [True, False, True, False, False]
    line = found.take(pa.array([1]).to_numpy())
    assert (line.chars[0], line.han[0], line.letters[0], line.digits[0], line.symbols[0]) == (8, 2, 4, 2, 2)
    assert (line.pipes[0], line.tabs[0], line.indent[0]) == (1, 1, 5)
    assert (chr(line.first[0]), chr(line.last[0]), chr(line.second_last[0])) == ("汉", "…", "\t")
    assert found.flags.tolist() == [0, 0, 0, HAS_URL | HAS_MARKUP, 0]


@pytest.mark.parametrize(("size", "chars"), [(SHORT_BYTES, SHORT_BYTES), (SHORT_BYTES + 1, 0)])
def test_long_lines_have_no_counts(size: int, chars: int) -> None:
    found = lines(text_buffer(pa.array(["x" * size], pa.large_string())))
    assert found.chars.tolist() == [chars]
    assert chr(found.last[0]) == "x"


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_lines_tile_any_bytes_and_do_not_depend_on_neighbours(texts: list[bytes]) -> None:
    whole = lines(text_buffer(pa.array(texts, pa.large_binary())))
    expected = [line for text in texts for line in text.split(b"\n")]
    assert len(whole.start) == len(expected)
    alone = [lines(text_buffer(pa.array([text], pa.large_binary()))) for text in texts]
    assert whole.chars.tolist() == [n for found in alone for n in found.chars.tolist()]
    assert (whole.begin <= whole.start).all()
    assert (whole.start <= whole.end).all()


ITEM = "an item of more than thirty letters"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n```\nb\n\nc\n```\nd", ["", "code", "code", "", "code", "code", ""]),
        ("a\n    b\n    c", ["", "code", "code"]),
        ("a\n    b\nc", ["", "", ""]),
        ("x = f(a);\ny = g(b);\nz = h(c);", ["code"] * 3),
        ("x = f(a);\ny = g(b);", ["", ""]),
        ("| a | b |\n|---|---|", ["table", "table"]),
        ("a | b | c", [""]),
        ("a\t1\nb\t2", ["table", "table"]),
        ("12 34\n5 6\n78", ["table"] * 3),
        (f"- {ITEM}\n\n- b", ["list", "", "list"]),
        (f"- {ITEM}", [""]),
        ("- Home\n- News", ["", ""]),
        (f"1. {ITEM}\n2. b", ["list", "list"]),
        ("（一）为依法惩治违反本条规定的行为\n（二）其他", ["list", "list"]),
        ("床前明月光\n疑是地上霜\n举头望明月\n低头思故乡", ["verse"] * 4),
        ("床前明月光\n疑是地上霜\n举头望明月", [""] * 3),
        ("大江东去，\n浪淘尽，\n千古风流人物。\n故垒西边，人道是，三国周郎赤壁。", ["", "", "", ""]),
        ("大江东去，\n浪淘尽啊，\n千古风流人物。\n故垒西边，人道是，三国周郎赤壁。", ["verse"] * 4),
        ("Shall I compare thee to a day,\nThou art more lovely and mild:\nRough winds do shake the buds\nAnd summer's lease is short",
         ["verse"] * 4),
        ("第十二条 承租人\n第三者说\nSection 4 Powers\nsectional sofa\n§ 3", ["statute", "", "statute", "", "statute"]),
        ("“走吧。”\n> quoted\n——他说\n- 一", ["quote", "quote", "quote", ""]),
    ],
)  # fmt: skip
def test_blocks_are_told_by_their_form(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


def test_blocks_are_spans_within_their_documents() -> None:
    buffer = text_buffer(pa.array([f"x\n- {ITEM}\n\n- b\ny", "“a”", "“b”"], pa.large_string()))
    found = lines(buffer)
    spans = blocks(found, block_kinds(buffer, found))
    assert [(d, bytes(buffer.data[a:b]).decode(), KINDS[k]) for d, a, b, k in zip(*spans, strict=True)] == [
        (0, f"- {ITEM}\n\n- b", "list"), (1, "“a”", "quote"), (2, "“b”", "quote"),
    ]  # fmt: skip

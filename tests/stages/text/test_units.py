"""Sentences as units: what is equal, what is free, where a unit stands in its line and document."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text.buffers import text_buffer
from stages.text.sentences import sentences
from stages.text.units import Floor, Units, units

WHITE = " \t\n\r\v\f\u3000\xa0"


def of(*texts: str) -> Units:
    return units(text_buffer(pa.array(texts, pa.large_string())))


def shown(*texts: str) -> list[str]:
    data = "".join(texts).encode()
    found = of(*texts)
    return [data[start:end].decode() for start, end in zip(found.start, found.end, strict=True)]


def test_a_unit_is_a_sentence_without_the_white_space_around() -> None:
    assert shown("  One came.  Two went.\n\n　三人都走了。\xa0四人留下。\n") == ["One came.", "Two went.", "三人都走了。", "四人留下。"]


@given(st.lists(st.text(st.sampled_from("ab。. \n\u3000\xa0，：）“”#1我"), max_size=40), max_size=4))
def test_units_are_the_stripped_sentences_of_each_document(texts: list[str]) -> None:
    buffer = text_buffer(pa.array(texts, pa.large_string()))
    cut = sentences(buffer)
    wanted = [bytes(buffer.data[a:b]).decode().strip(WHITE) for a, b in zip(cut.bounds[:-1], cut.bounds[1:], strict=True)]
    assert shown(*texts) == wanted
    assert units(buffer).offsets.tolist() == cut.offsets.tolist()


@given(st.lists(st.text(st.sampled_from("ab。. \n第条一1(a)|-“”、，我们"), max_size=40), max_size=4), st.integers(0, 4))
def test_units_do_not_depend_on_the_batch(texts: list[str], at: int) -> None:
    whole, first, second = of(*texts), of(*texts[:at]), of(*texts[at:])
    for field in Units._fields[3:]:
        halves = np.concatenate([getattr(first, field), getattr(second, field)])
        assert getattr(whole, field).tolist() == halves.tolist(), field


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("He left, at last.", "HE LEFT -- AT LAST!", True),
        ("他终于走了。", "他，终于走了！", True),
        ("ＡＢＣ公司成立了。", "ABC公司成立了。", True),
        ("It grew by 1.5 percent.", "It grew by 15 percent.", False),
        ("He left at last.", "He left atlast.", False),
        ("人咬狗。", "狗咬人。", False),
        ("aa bb.", "bb aa.", False),
    ],
)
def test_sentences_of_the_same_tokens_are_equal(one: str, other: str, equal: bool) -> None:
    first, second = of(one, other).hashes.tolist()
    assert (first == second) == equal


def test_words_and_characters_are_counted_apart() -> None:
    found = of("GDP grew 5 percent. 他在2020年说 hello。")
    assert found.words.tolist() == [4, 2]
    assert found.characters.tolist() == [0, 4]


def test_a_sentence_without_a_token_is_not_free() -> None:
    found = of("。。。\n\n！\n\n他走了很远。")
    assert found.free.tolist()[-1:] == [True]
    assert not found.free[:-1].any()
    assert found.hashes[~found.free].tolist() == [0] * int((~found.free).sum())


PROTECTED = {
    "code": "```\nx = 1. y = 2.\n```",
    "table": "| a | b |\n|---|---|\n| 1 | 2 |",
    "list": "- the first item of a list that is long enough\n- the second",
    "verse": "床前明月光，\n疑是地上霜。\n举头望明月，\n低头思故乡。",
    "quote": "“我走了。”他说。",
    "statute": "第一条　为了保护权利，制定本法。",
}


@pytest.mark.parametrize("kind", PROTECTED)
def test_nothing_in_a_protected_block_is_free(kind: str) -> None:
    prose = "这是一段没有任何格式的正文，它比诗行长得多，因此谁也不会把它当成诗或者别的什么东西"
    text = f"{prose}，在前面。\n\n{PROTECTED[kind]}\n\n{prose}，在后面。"
    found, texts = of(text), shown(text)
    assert [found.free[texts.index(s)] for s in (texts[0], texts[-1])] == [True, True]
    assert not found.free[1:-1].any()


def test_a_document_with_several_articles_is_a_statute_from_its_title_to_its_last_paragraph() -> None:
    more = "，并且这一句写得很长，比一行诗要长得多，免得被当成诗。"
    lines = ["某某法", "第一条 为了规范行为，制定本法", "本条有第二款", "第二条 本法适用于全国", "第三条 本法自公布之日起施行", "另有说明"]
    law = "\n".join(line + more for line in lines)
    assert not of(law).free.any()
    two = law.replace("第三条 ", "")
    assert of(two).free.tolist() == [True, False, True, False, True, True]
    assert of(law + f"\n这里是一段正文{more}" * 30).free.sum() > 25  # three articles quoted in a long text


def test_lines_that_are_nothing_but_an_enumerator_make_a_statute_too() -> None:
    text = "A member of the board shall serve for two years from the day on which he or she was elected by the council"
    section = f"1-309.34\n Terms.\n (a)\n {text}.\n (b)\n {text} again.\n (iv)\n {text} once more."
    assert not of(section).free.any()
    assert of(section.replace("(iv)", "(seventeen)")).free.any()


def test_places_in_lines_and_documents() -> None:
    found = of("标题在这里\n\n第一句。第二句。\n第三句。")
    assert found.opens.tolist() == [True, True, False, True]
    assert found.closes.tolist() == [True, False, True, True]
    assert found.from_top.tolist() == [0, 1, 1, 2]
    assert found.from_bottom.tolist() == [2, 1, 1, 0]


@pytest.mark.parametrize(
    ("line", "heads"),
    [
        ("## 新闻摘要", True),
        ("国内快讯", True),
        ("会议强调：", True),
        ("Related work", True),
        ("(b)", True),
        ("The Board shall:", True),
        ("他走了。", False),
        ("“他走了”", False),
        ("（他走了）", False),
        ("He left (at last)", False),
        ("Really?", False),
        ("word " * 30, False),
    ],
)
def test_what_belongs_to_the_text_below_it_is_a_heading(line: str, heads: bool) -> None:
    assert bool(of(f"{line}\n\n下面是一段正文。").heads[0]) == heads


def test_a_floor_adds_words_and_characters_up() -> None:
    floor = Floor(50, 100)
    words, characters = np.array([50, 49, 0, 0, 25, 25]), np.array([0, 0, 100, 99, 50, 49])
    assert floor.reached(words, characters).tolist() == [True, False, True, False, True, False]

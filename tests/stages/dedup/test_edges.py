"""Edge boilerplate: datelines go, what the text says stays."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.dedup.edges import Counts, boilerplate, count, pieces
from stages.text.buffers import text_buffer
from stages.text.units import units

BODY = "这是第{}条消息的正文，说了一件别处没有说过的事情。"


def cut(texts: list[str], min_documents: int = 4, min_share: float = 0.5, sources: list[int] | None = None) -> list[str]:
    """What would be cut, in order; each text counted as a batch of its own."""
    sources = sources or [0] * len(texts)
    found, counted = [], []
    for text, source in zip(texts, sources, strict=True):
        buffer = text_buffer(pa.array([text], pa.large_string()))
        candidates = pieces(buffer, units(buffer))
        found.append((text.encode(), candidates))
        counted.append(count(candidates, np.zeros(len(candidates.unit), np.int64), source))
    together = Counts(*(np.concatenate(fields) for fields in zip(*counted, strict=True)))
    hashes = boilerplate(together, np.bincount(sources), min_documents, min_share)
    assert hashes.tolist() == sorted(set(hashes.tolist()))
    shown = []
    for data, candidates in found:
        mask = candidates.at_edge & np.isin(candidates.hashes, hashes)
        shown += [data[a:b].decode() for a, b in zip(candidates.start[mask], candidates.end[mask], strict=True)]
    return shown


def news(opening: str, number: int, title: str = "标题{}") -> str:
    return title.format(number) + "\n\n" + opening + BODY.format(number)


@pytest.mark.parametrize(
    "opening",
    [
        "央视网消息（新闻联播）：",
        "【本报特别报道】",
        "（本报记者张三）",
        "LONDON (Reuters) - ",
        "BEIJING, Jan. 5 (Xinhua) -- ",
        "新华社北京电——",
    ],
)
def test_an_opening_of_many_documents_is_cut_with_its_sign(opening: str) -> None:
    texts = [news(opening, number) for number in range(4)]
    assert cut(texts, min_share=1.1) == [opening] * 4
    assert cut(texts[:3], min_share=1.1) == []


def test_an_opening_is_cut_also_where_it_stands_on_its_own_line() -> None:
    texts = [news("央视网消息（新闻联播）：", number) for number in range(4)] + [news("央视网消息（新闻联播）：\n", 4)]
    assert cut(texts, min_share=1.1) == ["央视网消息（新闻联播）："] * 5


def test_the_longest_opening_wins_when_both_are_boilerplate() -> None:
    texts = [news("央视网消息（新闻联播）：（本台记者报道）", number) for number in range(4)]
    found = cut(texts, min_share=1.1)
    assert found == ["央视网消息（新闻联播）：", "央视网消息（新闻联播）：（本台记者报道）"] * 4  # `stages.edits` unites them


def test_what_also_opens_sentences_in_mid_text_stays() -> None:
    saying = "老夫子又说道："
    texts = [
        f"{saying}{BODY.format(n)}\n\n其一。\n\n其二。\n\n其三。\n\n{saying}另有第{n}句话。\n\n其四。\n\n其五。\n\n其六。" for n in range(9)
    ]
    assert cut(texts, min_share=1.1) == []
    assert cut([text.partition("\n")[0] for text in texts], min_share=1.1) == [saying] * 9


@pytest.mark.parametrize(
    "title",
    ["Who is at risk for Parasites - Number {} ?", "Linux有问必答：第{}个问题", "What is (are) Number{} ?", "12:30 到 13:45 是第{}场。"],
)
def test_titles_questions_and_numbers_have_no_opening(title: str) -> None:
    assert cut([news("", number, title) for number in range(9)], min_share=1.1) == []


@pytest.mark.parametrize("label", ["答：", "注意：", "Note: ", "Q: "])
def test_short_labels_are_part_of_the_text(label: str) -> None:
    assert cut([news(label, number) for number in range(9)], min_share=1.1) == []


def test_a_line_goes_only_if_a_large_share_of_one_source_has_it() -> None:
    footer = "版权归河边日报社所有"
    framed = [news("", number) + f"\n\n{footer}" for number in range(5)]
    plain = [news("", number) for number in range(5, 12)]
    assert cut(framed + plain, min_share=0.5) == []
    assert cut(framed + plain, min_share=0.4) == [footer] * 5
    assert cut(framed + plain, min_share=0.5, sources=[0] * 5 + [1] * 7) == [footer] * 5
    assert cut(framed + plain, min_documents=6, min_share=0.1) == []


def test_the_bracket_that_closes_many_documents_of_a_source_goes() -> None:
    texts = [news("", number) + "（全文完）" for number in range(5)]
    assert cut(texts, min_share=1) == ["（全文完）"] * 5
    assert cut(texts, min_share=1.1) == []


def test_nothing_in_protected_lines_is_a_piece() -> None:
    text = "```\nLONDON (Reuters) - x.\n```"
    buffer = text_buffer(pa.array([text], pa.large_string()))
    assert len(pieces(buffer, units(buffer)).unit) == 0


@given(st.lists(st.text(st.sampled_from("（ab）：:- 我【】。\n1"), max_size=30), max_size=5))
def test_counts_of_parts_add_up_to_the_counts_of_the_whole(texts: list[str]) -> None:
    def counted(some: list[str]) -> Counts:
        buffer = text_buffer(pa.array(some, pa.large_string()))
        found = units(buffer)
        candidates = pieces(buffer, found)
        return count(candidates, np.searchsorted(found.offsets, candidates.unit, "right") - 1, 0)

    whole = counted(texts)
    sums: dict[int, np.ndarray] = {}
    for text in texts:
        for row in zip(*counted([text]), strict=True):
            sums[int(row[0])] = sums.get(int(row[0]), np.zeros(4, np.int64)) + np.array(row[2:])
    assert {int(row[0]): list(map(int, row[2:])) for row in zip(*whole, strict=True)} == {h: s.tolist() for h, s in sums.items()}


@given(st.text(st.sampled_from("（(ab)）：:- 我【】。\n1—"), max_size=60))
def test_pieces_lie_at_the_ends_of_their_sentences(text: str) -> None:
    buffer = text_buffer(pa.array([text], pa.large_string()))
    found = units(buffer)
    candidates = pieces(buffer, found)
    for unit, start, end in zip(candidates.unit, candidates.start, candidates.end, strict=True):
        assert found.start[unit] <= start < end <= found.end[unit]
        assert start == found.start[unit] or end == found.end[unit]
        buffer.data[start:end].tobytes().decode()  # whole characters

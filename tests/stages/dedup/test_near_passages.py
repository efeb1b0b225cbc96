"""Near-repeats: what is compared, who stays, and that numbers must agree."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.dedup.near_passages import best_of, near_units, numbers
from stages.text.buffers import text_buffer
from stages.text.units import Floor, units

FLOOR = Floor(10, 20)
SHORT, LONG = "这一句很短。", "这一句话写得比较长，足足有二十多个字，所以它自己就够了。"


def compared(*texts: str) -> list[str]:
    buffer = text_buffer(pa.array(texts, pa.large_string()))
    found = units(buffer)
    near = near_units(found, FLOOR)
    return [bytes(buffer.data[found.start[a] : found.end[b]]).decode() for a, b in zip(near.first, near.last, strict=True)]


def test_long_sentences_and_long_paragraphs_are_compared() -> None:
    assert compared(f"{SHORT}\n{LONG}\n{SHORT}{LONG}{SHORT}\n{SHORT}{SHORT}") == [LONG, f"{SHORT}{LONG}{SHORT}", LONG]
    assert compared(SHORT * 4 + "\n" + SHORT * 5) == [SHORT * 4, SHORT * 5]
    assert compared(SHORT * 3, SHORT * 2) == []


def test_protected_lines_are_in_no_paragraph() -> None:
    assert compared(f"{LONG}{SHORT}\n“{LONG}{LONG}”\n{SHORT}{LONG}") == [f"{LONG}{SHORT}", LONG, f"{SHORT}{LONG}", LONG]


def test_contents_are_equal_for_equal_sentences() -> None:
    texts = [LONG + SHORT, LONG.replace("，", " ") + SHORT, SHORT + LONG]
    buffer = text_buffer(pa.array(texts, pa.large_string()))
    found = units(buffer)
    near = near_units(found, FLOOR)
    paragraphs = near.contents[near.last > near.first].tolist()
    assert paragraphs[0] == paragraphs[1] != paragraphs[2]


Edge = tuple[int, int, float]


def reference(num_units: int, edges: list[Edge]) -> list[tuple[int, float]]:
    fates: list[tuple[int, float]] = []
    for unit in range(num_units):
        close: list[tuple[float, int]] = []
        for left, right, similarity in edges:
            other = {left, right} - {unit}
            if unit in (left, right) and other and min(other) < unit and fates[min(other)][0] < 0:
                close.append((similarity, -min(other)))
        fates.append((-max(close)[1], max(close)[0]) if close else (-1, 0.0))
    return fates


edges_strategy = st.integers(1, 8).flatmap(
    lambda n: st.tuples(
        st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.sampled_from([0.9, 0.95, 1.0])), max_size=16)
    )
)


@given(edges_strategy)
def test_who_stays_is_what_the_reference_says(case: tuple[int, list[Edge]]) -> None:
    num_units, edges = case
    edges = [(a, b, s) for a, b, s in edges if a != b]
    left, right, similarity = (np.array([edge[i] for edge in edges], t) for i, t in enumerate((np.int64, np.int64, np.float64)))
    kept = best_of(num_units, left, right, similarity)
    assert list(zip(kept.partner.tolist(), kept.similarity.tolist(), strict=True)) == reference(num_units, edges)
    for unit, partner in enumerate(kept.partner.tolist()):
        assert partner < unit  # owners only get better
        assert partner < 0 or kept.partner[partner] < 0  # and stay


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("新增1200例", "新增１２００例", True),
        ("新增1200例", "新增1350例", False),
        ("1.5 percent", "15 percent", False),
        ("in 12 of 3", "in 1 of 23", False),
        ("no digits", "none at all", True),
        ("5 of 7", "7 of 5", False),
        ("5, then 7", "five 5 and 7", True),
        ("确诊一百二十例", "确诊三百五十例", False),
        ("二〇二〇年", "二〇二一年", False),
        ("二〇二〇年", "二零二０年", True),
        ("兩萬五千億元，廿一日", "两万五千亿元，廿一日", True),
        ("壹佰贰拾元", "壹佰叁拾元", False),
        ("十五人，十三人", "十三人，十五人", False),
        ("三十、五十", "三十五、十", False),
        ("3万人", "3亿人", False),
        ("三万人", "三亿人", False),
        ("第三次", "第五次", True),  # one alone is no number
        ("一些", "有些", True),
        ("等了12", "等了十二", False),
        ("去年十二月三", "今年十二月五", True),
        ("共二", "共二十", False),
    ],
)
def test_numbers_must_agree(one: str, other: str, agree: bool) -> None:
    first, second = numbers(text_buffer(pa.array([one, other], pa.large_string()))).tolist()
    assert (first == second) == agree

"""Safety scores: a plain reference, windows, context, and what scores do."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError
from configs.loader import SettingError
from stages.batch import Batch
from stages.safety.density import compile_weighted, densest_window
from stages.safety.stage import KINDS, Safety, read_list
from stages.text.buffers import text_buffer

WEIGHTS = {"百家乐": 1.0, "送彩金": 1.0, "online casino": 1.0, "casino": 0.5, "警方": -2.0}


def scores(*texts: str, weights: dict[str, float] = WEIGHTS, window: int = 600) -> list[float]:
    return densest_window(text_buffer(pa.array(texts, pa.large_string())), compile_weighted([weights]), window)[:, 0].tolist()


def reference(text: str, weights: dict[str, float], window: int) -> float:
    """All hits by plain search; every window that ends with a hit."""
    data, hits = text.encode(), []
    for phrase in weights:
        at = data.find(phrase.encode())
        while at >= 0:
            hits.append((at + len(phrase.encode()), -len(phrase.encode()), phrase, at))
            at = data.find(phrase.encode(), at + 1)
    hits.sort()
    best = 0.0
    for last, (_, _, _, end) in enumerate(hits):
        inside = {phrase for _, _, phrase, begin in hits[: last + 1] if end - begin <= window}
        best = max(best, sum(weights[phrase] for phrase in inside))
    return best


def test_each_phrase_counts_once_in_a_window() -> None:
    assert scores("百家乐百家乐百家乐", "百家乐，送彩金", "", "nothing of the kind") == [1.0, 2.0, 0.0, 0.0]


def test_longer_and_shorter_phrases_both_count() -> None:
    assert scores("the best Online Casino of all") == [1.5]


def test_a_word_in_letters_stands_alone() -> None:
    assert scores("mycasino.example casinos") == [0.0]


def test_phrases_add_up_only_within_the_window() -> None:
    near, far = "百家乐" + "文" * 100 + "送彩金", "百家乐" + "文" * 300 + "送彩金"
    assert scores(near, far) == [2.0, 1.0]
    assert scores("百家乐" + "a" * 9 + "送彩金", window=18) == [2.0]
    assert scores("百家乐" + "a" * 10 + "送彩金", window=18) == [1.0]


def test_who_writes_about_it_is_not_who_does_it() -> None:
    assert scores("警方查处一个网络赌场，其网站以百家乐和送彩金为名") == [0.0]


def test_scores_do_not_leak_into_the_next_document() -> None:
    assert scores("百家乐", "送彩金", "百家乐") == [1.0, 1.0, 1.0]


@given(
    st.lists(st.lists(st.sampled_from(["百家乐", "送彩金", "警方", "文", " ", "字字字"]), max_size=30).map("".join), max_size=5),
    st.integers(0, 60),
)
def test_scores_equal_the_plain_reference(texts: list[str], window: int) -> None:
    weights = {phrase: weight for phrase, weight in WEIGHTS.items() if not phrase.isascii()}
    assert scores(*texts, weights=weights, window=window) == pytest.approx([reference(text, weights, window) for text in texts])


def table(*texts: str, stage: Safety) -> pa.Table:
    batch = stage.annotate(Batch(pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string())})))
    return pa.Table.from_batches([batch.columns])


SPAM = "真人娱乐城百家乐时时彩，注册送彩金，首存优惠，开户送钱"


def test_scores_reject_or_lower_the_weight() -> None:
    columns = table(SPAM, "今天天气很好。", "买彩票中了彩金", stage=Safety())
    assert columns.column_names[1:] == [f"safety_{kind}" for kind in KINDS]
    assert {reason: mask.tolist() for reason, mask in Safety().reasons(columns).items()} == {"safety_gambling": [True, False, False]}
    assert Safety(reject_from={}).reasons(columns) == {}
    assert Safety().weights(columns) is None
    score = columns["safety_gambling"][0].as_py()
    assert Safety(down_weight_from={"gambling": 2.0}).weights(columns).tolist() == [2.0 / score, 1.0, 1.0]


def test_own_lists_and_kinds(tmp_path: Path) -> None:
    path = tmp_path / "politics.txt"
    path.write_text("# ours\n选举 结果 2\nelection 0.5\n", encoding="utf-8")
    assert Safety(lists={"politics": (str(path),)}).reasons(table("选举 结果", stage=Safety(lists={"politics": (str(path),)}))) == {}
    stage = Safety(lists={"politics": (str(path),)}, reject_from={"politics": 2})
    columns = table("选举 结果", "The election", stage=stage)
    assert columns["safety_politics"].to_pylist() == [2.0, 0.5]
    assert stage.reasons(columns)["safety_politics"].tolist() == [True, False]


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"empty.txt: no phrase"):
        Safety(lists={"porn": (str(empty),)}, reject_from={}).check()
    with pytest.raises(SettingError, match="wanted one of porn"):
        Safety(lists={"porn": (str(empty),)}, reject_from={"gambling": 1})
    with pytest.raises(SettingError, match="it names a column"):
        Safety(lists={"Porn!": (str(empty),)}, reject_from={})
    with pytest.raises(SettingError, match="it names a column"):
        Safety(models={"Porn!": {"zh": ("x",)}})
    with pytest.raises(SettingError, match="wanted a model for each language"):
        Safety(models={"porn": {"zh": ()}})
    with pytest.raises(SettingError, match="kinds of `models`: none is given"):
        Safety(reject_from_probability={"porn": 0.5})
    with pytest.raises(SettingError, match="column of the model of 'porn'"):
        Safety(lists={"porn_probability": (str(empty),)}, models={"porn": {"zh": ("x",)}})
    with pytest.raises(SettingError, match="no scores either"):
        Safety(lists={})


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_lists_are_sound(kind: str) -> None:
    weights = read_list((f"safety/{kind}.txt",)).values()
    assert len(weights) >= 15
    assert min(weights) < 0
    assert max(map(abs, weights)) <= 3


def test_lists_are_scored_apart_also_where_they_share_phrases() -> None:
    weighted = compile_weighted([{"百家乐": 1.0, "警方": -2.0}, {"刷单": 1.0, "百家乐": 0.5}])
    text = text_buffer(pa.array(["百家乐刷单", "警方百家乐刷单"], pa.large_string()))
    assert densest_window(text, weighted, 600).tolist() == [[1.0, 1.5], [0.0, 1.5]]

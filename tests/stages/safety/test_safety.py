"""Safety scores: a plain reference, windows, context, and what scores do."""

from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError
from configs.loader import SettingError
from stages.batch import Batch
from stages.safety.density import compile_weighted, densest_window, single_folds
from stages.safety.stage import KINDS, Safety, read_list
from stages.text.buffers import TextBuffer, text_buffer
from stages.text.fold import fold

WEIGHTS = {"百家乐": 1.0, "送彩金": 1.0, "家乐送": 0.25, "online casino": 1.0, "casino": 0.5, "警方": -2.0, "查处": -0.5}


def scores(*texts: str, weights: dict[str, float] = WEIGHTS, window: int = 600) -> list[float]:
    return densest_window(text_buffer(pa.array(texts, pa.large_string())), compile_weighted([weights]), window)[:, 0].tolist()


def reference(text: str, weights: dict[str, float], window: int) -> float:
    """All hits by plain search; every window from one phrase of a weight above 0 to another, and what counts against it nearby."""
    shown = "".join(folded if len(folded := fold(character)) == 1 else character for character in text)
    starts = list(accumulate((len(character.encode()) for character in text), initial=0))
    places = [(starts[at], phrase) for phrase in weights for at in range(len(text)) if shown.startswith(phrase, at)]
    signs = [at for at, phrase in places if weights[phrase] > 0]
    best = 0.0
    for first in signs:
        for last in signs:
            if 0 <= last - first <= window:
                inside = {phrase for at, phrase in places if first <= at <= last and weights[phrase] > 0}
                near = {phrase for at, phrase in places if first - window <= at <= last + window and weights[phrase] < 0}
                best = max(best, sum(weights[phrase] for phrase in inside | near))
    return best


def test_each_phrase_counts_once_in_a_window() -> None:
    assert scores("百家乐百家乐百家乐", "百家乐，送彩金", "", "nothing of the kind") == [1.0, 2.0, 0.0, 0.0]


def test_longer_and_shorter_phrases_both_count() -> None:
    assert scores("the best Online Casino of all") == [1.5]


def test_a_word_in_letters_stands_alone() -> None:
    assert scores("mycasino.example casinos", "casino.example", "a.casino", "casino.7") == [0.0, 0.0, 0.0, 0.0]


def test_a_full_stop_ends_a_word_in_letters() -> None:
    assert scores("A casino.", "A casino. And more", "A casino.\nMore", "A casino.”", "A casino.百家乐") == [0.5, 0.5, 0.5, 0.5, 1.5]


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("博彩網站", 1.0), ("代開發票", 1.0), ("代開发票", 1.0), ("澳門新葡京", 1.0), ("ＰＫ１０", 1.0),
        ("Ｏｎｌｉｎｅ　ＣＡＳＩＮＯ", 1.5), ("黑發", 0.5), ("黑髮", 0.5), ("xＰＫ１０", 0.0), ("ＰＫ１０Ｓ", 0.0), ("𝐂𝐚𝐬𝐢𝐧𝐨", 0.5),
        ("🎰", 0.25), ("½價", 0.125), ("警方：博彩網站", 0.0),
    ],
)  # fmt: skip
def test_either_script_and_any_width_is_found(text: str, score: float) -> None:
    simplified = dict.fromkeys(["博彩网站", "代开发票", "澳门新葡京", "pk10"], 1.0)
    weights = WEIGHTS | simplified | {"黑发": 0.5, "🎰": 0.25, "½价": 0.125}
    assert scores(text, weights=weights) == [score]
    assert scores(text, weights={"".join(map(str.upper, traditional(phrase))): weight for phrase, weight in weights.items()}) == [score]


def traditional(text: str) -> str:
    return text.translate(str.maketrans("网开发门价", "網開發門價"))


def test_texts_are_read_as_fold_shows_them() -> None:
    folds = single_folds()
    for code in (*range(0xD800), *range(0xE000, 0x10000), *range(0x1D400, 0x1D800), 0x1F3B0, 0x2F800, 0x10FFFF):
        shown = fold(chr(code))
        assert folds[code] == (ord(shown) if len(shown) == 1 else code)


def test_an_end_in_letters_stands_alone_and_one_in_han_need_not() -> None:
    weights = {"av在线": 1.0, "免费av": 1.0, "a货包包": 1.0}
    assert scores("看av在线观看", "mav在线", "全免费av", "免费avatar", "出售A貨包包批發", weights=weights) == [1.0, 0.0, 1.0, 0.0, 1.0]


def test_phrases_add_up_only_within_the_window() -> None:
    near, far = "百家乐" + "文" * 100 + "送彩金", "百家乐" + "文" * 300 + "送彩金"
    assert scores(near, far) == [2.0, 1.0]
    assert scores("百家乐" + "a" * 9 + "送彩金", window=18) == [2.0]
    assert scores("百家乐" + "a" * 10 + "送彩金", window=18) == [1.0]


def test_who_writes_about_it_is_not_who_does_it() -> None:
    assert scores("警方查处一个网络赌场，其网站以百家乐和送彩金为名") == [0.0]


WARNING = "骗子以刷单兼职、日赚千元、稳赚不赔为诱饵，已有多人上当。警方提醒：谨防诈骗。"


def test_a_warning_counts_before_what_it_warns_of_and_behind_it() -> None:
    advert, warning = WARNING.split("。")[:2]
    columns = table(advert, warning + advert, WARNING, stage=Safety())
    assert columns["safety_fraud"].to_pylist() == [3.0, 0.0, 0.0]


def test_shipped_lists_on_warnings_and_adverts() -> None:
    """14 warnings and reports, 19 adverts: the figures of docs/safety.md."""
    lines = (Path(__file__).parent / "cases.txt").read_text(encoding="utf-8").split("# warn\n")[1].split("# advert\n")
    warnings, adverts = (table(*part.splitlines(), stage=Safety()) for part in lines)
    rejected = [sum(np.logical_or.reduce(list(Safety().reasons(columns).values()))) for columns in (warnings, adverts)]
    assert (warnings.num_rows, adverts.num_rows) == (14, 19)
    assert rejected == [5, 19]


def test_a_warning_counts_as_far_as_a_window_is_long() -> None:
    weights = {"甲甲": 1.0, "乙乙": 1.0, "警方": -2.0}
    for sides in (("甲甲乙乙", "警方"), ("警方", "甲甲乙乙")):
        texts = [("文" * far).join(sides) for far in (3, 4, 5, 6)]
        assert scores(*texts, weights=weights, window=21) == [0.0, 1.0, 1.0, 2.0]  # beyond 3 the far one stands free, beyond 5 both


def test_bytes_that_are_no_text_end_a_phrase() -> None:
    data = [b"a\0b", b"a\x80b", "百家".encode() + b"\xff" + "乐".encode(), "百家乐".encode()[:-1], b"\x80\x80" + "百家乐".encode()]
    offsets = np.concatenate([[0], np.cumsum(list(map(len, data)))]).astype(np.int64)
    text = TextBuffer(np.frombuffer(b"".join(data), np.uint8), offsets)
    weighted = compile_weighted([{"a\0b": 1.0, "百家乐": 1.0}])
    assert densest_window(text, weighted, 600)[:, 0].tolist() == [1.0, 0.0, 0.0, 0.0, 1.0]


def test_scores_do_not_leak_into_the_next_document() -> None:
    assert scores("百家乐", "送彩金", "百家乐") == [1.0, 1.0, 1.0]


@given(
    st.lists(
        st.lists(st.sampled_from(["百家乐", "百家樂", "送彩金", "家乐送", "警方", "查处", "查處", "文", " ", "é", "𝐀"]), max_size=30).map(
            "".join
        ),
        max_size=5,
    ),
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


@pytest.mark.parametrize(
    ("entry", "phrase", "weight"), [("bet 365", "bet", "365"), ("casino -888", "casino", "-888"), ("x 100.5", "x", "100.5")]
)
def test_a_number_that_is_no_weight_is_refused_with_its_line(tmp_path: Path, entry: str, phrase: str, weight: str) -> None:
    path = tmp_path / "bets.txt"
    path.write_text(f"# ours\n\nroulette 100\npolice -100\n  {entry} \n", encoding="utf-8")
    said = rf"bets\.txt:5: '{entry}' gives '{phrase}' the weight {weight}, wanted -100 to 100; .*: '{entry} 1'"
    with pytest.raises(ConfigError, match=said):
        Safety(lists={"bets": (str(path),)}).check()
    path.write_text(f"roulette 100\n{entry} 1\n", encoding="utf-8")
    assert read_list((str(path),)) == {"roulette": 100.0, entry: 1.0}


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

"""What is found, against hand-made cases and a slow reference of the definition."""

import random
import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.decontaminate.benchmarks import Question
from stages.decontaminate.index import CORE, PART, SEED, SIZE, START, STEM, WHOLE, Index, Questions, prepare
from stages.decontaminate.scan import LOWEST_SHARE, scan
from stages.decontaminate.tokens import token_hashes
from stages.text.buffers import text_buffer
from stages.text.fold import fold

ZH = Question(
    "zh", "zh:1", "", "某地居民发现井水含氟超标，长期饮用这种井水最可能引起哪一种疾病？", ("氟斑牙", "夜盲症", "佝偻病", "坏血病")
)
EN = Question(
    "en",
    "en:1",
    "",
    "Which instrument would a surveyor most likely use in order to measure the horizontal angle between two distant landmarks?",
    ("a theodolite", "a barometer", "a sextant", "a gyroscope"),
)
SHORT = Question("zh", "zh:2", "", "临溪河上游的镇是", ("白", "石", "青", "柳"))
OPEN = Question("en", "en:2", "", "How many moons does the planet Zorblax have?", ())
QUESTIONS = (ZH, EN, SHORT, OPEN)


def index(*questions: Question, ngram: int = 13, min_tokens: int = 8, max_questions: int = 10) -> Questions:
    return prepare(questions, ngram, min_tokens, max_questions)


def found(questions: Questions, *texts: str) -> list[dict[str, float]]:
    """Of each text, the best share of each question found."""
    matches = scan(text_buffer(pa.array(texts, pa.large_string())), questions.arrays)
    best: list[dict[str, float]] = [{} for _ in texts]
    for document, unit, share in zip(matches.document.tolist(), matches.unit.tolist(), matches.share.tolist(), strict=True):
        place = questions.place[unit].as_py()
        best[document][place] = max(share, best[document].get(place, 0.0))
    return best


def matched(questions: Questions, text: str) -> list[str]:
    matches = scan(text_buffer(pa.array([text], pa.large_string())), questions.arrays)
    return [text.encode()[start:end].decode() for start, end in zip(matches.start.tolist(), matches.end.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("text", "place", "share"),
    [
        ("前文。某地居民发现井水含氟超标，长期饮用这种井水最可能引起哪一种疾病？后文。", "zh:1", 1),
        ("某地居民發現井水含氟超標 長期飲用這種井水 最可能引起哪一種疾病", "zh:1", 1),
        ("某地居民发现井水含氟严重超标，长期饮用这种水最可能引起哪种疾病？", "zh:1", 29 / 30),
        (EN.stem.upper().replace(" MOST LIKELY ", " -- most likely, ").replace(" IN ", "\nin "), "en:1", 1),
        ("临溪河上游的镇是\nA. 柳 B. 青 C. 石 D. 白", "zh:2", 1),
        ("Well: how many moons does the planet Zorblax have? None.", "en:2", 1),
        ("How many moons does the planet Zorblax have", "en:2", 1),
    ],
)
def test_a_question_is_found_in_other_marks_script_order_and_words(text: str, place: str, share: float) -> None:
    assert found(index(*QUESTIONS), text) == [{place: pytest.approx(share)}]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "某地居民发现井水",
        "临溪河上游的镇是白塔，人口不多。",
        "临溪河上游的镇是\nA. 柳 B. 青 C. 石 D. 大",
        "I asked how many moons does the planet Zorblax have today.",
        "How many moons does the planet Zorblax really have?",
    ],
)
def test_parts_of_a_question_and_changed_short_ones_are_not_found(text: str) -> None:
    assert found(index(*QUESTIONS), text) == [{}]


def test_a_match_reaches_to_the_end_of_the_options() -> None:
    text = f"前文。{ZH.stem}\nA. 坏血病\nB. 佝偻病\nC. 夜盲症\nD. 氟斑牙\n答案见下页。"
    assert matched(index(ZH), text) == [text[3 : text.index("\n答案")]]
    assert matched(index(ZH), f"前文。{ZH.stem}后文说的是别的事情，和这里没有关系。") == [ZH.stem[:-1]]
    short = "临溪河上游的镇是\n(1) 柳 (2) 青 (3) 石 (4) 白"
    assert matched(index(SHORT), f"一。{short}。二") == [short]


def test_each_time_that_a_question_stands_in_a_text_is_found() -> None:
    assert matched(index(ZH), f"{ZH.stem}\n隔开的一句话说别的。\n{ZH.stem}") == [ZH.stem[:-1]] * 2


def test_more_matches_than_there_was_room_for() -> None:
    text = "\n".join([OPEN.stem] * 3000)
    assert len(matched(index(OPEN), text)) == 3000


def test_a_long_passage_is_found_by_a_part_of_it() -> None:
    rng = random.Random(5)
    words = ["".join(rng.choice("abcdefghij") for _ in range(6)) for _ in range(300)]
    question = Question("set", "p:1", " ".join(words), "What does the writer of this passage think of his own plan?", ())
    questions = index(question)
    assert questions.arrays.units[:, CORE].tolist() == [64, 64, 64, 108, 12]
    assert found(questions, " ".join(words[64:128]))[0] == {"p:1#passage": 1.0}
    assert found(questions, " ".join(words[100:140])) == [{}]


def test_parts_of_a_question_have_names_of_their_own() -> None:
    rng = random.Random(6)
    stem, passage = ([" ".join("".join(rng.choices("abcdefghij", k=6)) for _ in range(64)) for _ in range(number)] for number in (3, 3))
    questions = index(Question("set", "p#1.csv:1", " ".join(passage), f"{' '.join(stem)} What follows from this?", ("one", "two")), ZH)
    assert questions.place.to_pylist() == [*["p#1.csv:1#passage"] * 3, *(f"p#1.csv:1#{piece}" for piece in (1, 2, 3)), "zh:1"]
    for piece, text in enumerate(stem, 1):
        assert found(questions, text) == [{f"p#1.csv:1#{piece}": 1.0 if piece < 3 else pytest.approx(64 / 68)}]
    places = ["p#1.csv:1#passage", "p#1.csv:1#12", "p#1.csv:1", "p#1.csv:12"]
    assert [re.sub(PART, "", place) for place in places] == ["p#1.csv:1"] * 3 + ["p#1.csv:12"]


def test_what_many_questions_share_finds_nothing() -> None:
    rng = random.Random(7)
    frame = "下列关于{}的说法中正确的是"
    names = ["".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(4)) for _ in range(12)]
    options = ["".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(8)) for _ in range(48)]
    asked = [Question("s", f"s:{i}", "", frame.format(name), tuple(options[4 * i : 4 * i + 4])) for i, name in enumerate(names)]
    questions = index(*asked, max_questions=10)
    assert found(questions, frame.format("光合作用") + "，请看下文。" * 3) == [{}]
    assert found(questions, asked[3].stem + "".join(reversed(asked[3].options)))[0] == {"s:3": 1.0}
    assert "s:0" in found(index(*asked[:2], max_questions=10), asked[0].stem + "".join(asked[0].options))[0]


def test_the_same_question_in_two_places_is_one() -> None:
    again = ZH._replace(place="zh:9", stem=ZH.stem.replace("，", " "), options=ZH.options[::-1])
    questions = index(ZH, again)
    assert questions.place.to_pylist() == ["zh:1"]
    assert questions.num_questions == questions.num_searched == {"zh": 2}


def test_what_is_too_short_is_counted_as_not_looked_for() -> None:
    questions = index(OPEN, Question("en", "en:3", "", "Who wrote it?", ("he", "she")), Question("en", "en:4", "", "____ = 4?", ()))
    assert (questions.num_questions, questions.num_searched) == ({"en": 3}, {"en": 1})


def test_an_index_of_nothing_finds_nothing() -> None:
    assert found(index(), "某地居民发现井水", "") == [{}, {}]


def slow_shares(text: str, questions: Questions) -> dict[int, float]:
    """The definition in plain Python, over the same units: the best share of each that is to be found with changes."""
    tokens = token_hashes(text_buffer(pa.array([text], pa.large_string())))[1].tolist()
    arrays: Index = questions.arrays
    grams = {place: tuple(tokens[place : place + SEED]) for place in range(len(tokens) - SEED + 1)}
    best: dict[int, float] = {}
    for number, unit in enumerate(arrays.units.tolist()):
        if unit[WHOLE]:
            continue
        low, core = unit[START], unit[CORE]
        own = arrays.tokens[low : low + core].tolist()
        joined = arrays.joined[low : low + core].tolist()
        counted = arrays.counted[low : low + core].tolist()
        seeds = [i for i in range(core - SEED + 1) if all(joined[i : i + SEED - 1]) and any(counted[i : i + SEED])]
        anchors = {(at, i) for i in seeds for at, gram in grams.items() if gram == tuple(own[i : i + SEED])}
        for at, i in anchors:
            if core == unit[STEM]:
                begin, end = at - i - 2 - core // 4, at - i + core + 2 + core // 4
            else:
                begin, end = at - core - 8 - core // 4, at + core + 8 + core // 4
            window = tokens[max(begin, 0) : end]
            pairs = {*pairwise(window), *zip(window, window[2:], strict=False)}
            hits = [False] * core
            for left in range(core):
                for right in (left + 1, left + 2):
                    if right < core and all(joined[left:right]) and (own[left], own[right]) in pairs:
                        hits[left] = hits[right] = True
                single = (left == 0 or not joined[left - 1]) and (left + 1 == core or not joined[left])
                hits[left] |= single and own[left] in window
            share = min(sum(hits) / core, sum(h for h, c in zip(hits, counted, strict=True) if c) / max(1, sum(counted)))
            if share >= LOWEST_SHARE:
                best[number] = max(share, best.get(number, 0.0))
    return best


words = st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=0, max_size=40)


@given(
    st.lists(st.tuples(words, st.lists(words.map(lambda w: w[:4]), max_size=3)), min_size=1, max_size=4), st.randoms(use_true_random=False)
)
def test_shares_are_those_of_the_slow_reference(asked: list[tuple[list[str], list[list[str]]]], rng: random.Random) -> None:
    questions = index(
        *(Question("s", str(i), "", " ".join(stem), tuple(map(" ".join, options))) for i, (stem, options) in enumerate(asked))
    )
    pieces: list[str] = []
    for stem, options in asked:
        for part in (stem, *rng.sample(options, len(options))):
            pieces += [rng.choice("abcxyz") if rng.random() < 0.1 else word for word in part if rng.random() > 0.05]
            pieces += rng.choices("abcxyz", k=rng.randrange(3))
    text = " ".join(pieces)
    matches = scan(text_buffer(pa.array(["x", text, ""], pa.large_string())), questions.arrays)
    fast: dict[int, float] = {}
    for unit, share in zip(matches.unit.tolist(), matches.share.tolist(), strict=True):
        if not questions.arrays.units[unit, WHOLE]:
            fast[unit] = max(share, fast.get(unit, 0.0))
    assert set(matches.document.tolist()) <= {1}
    assert fast == pytest.approx(slow_shares(text, questions))


@given(st.text(max_size=60))
def test_tokens_are_words_and_single_characters_of_the_folded_text(text: str) -> None:
    folded = fold(text)
    offsets, tokens = token_hashes(text_buffer(pa.array([text, folded], pa.large_string())))
    assert tokens[: offsets[1]].tolist() == tokens[offsets[1] :].tolist()
    if text.isascii():
        assert offsets[1] == len(re.findall(r"[a-z0-9]+", folded))


@given(st.binary(max_size=80), st.integers(0, 40))
def test_invalid_bytes_are_no_trouble(junk: bytes, at: int) -> None:
    text = junk[:at] + "。".encode() + OPEN.stem.encode() + b" " + junk[at:]
    matches = scan(text_buffer(pa.array([text], pa.large_binary())), index(*QUESTIONS).arrays)
    assert ((matches.start >= 0) & (matches.end <= len(text)) & (matches.start < matches.end)).all()
    assert matches.unit.dtype == matches.document.dtype == np.int64


def test_units_lie_in_the_tokens() -> None:
    arrays = index(*QUESTIONS).arrays
    units = arrays.units
    assert (units[:, START] + units[:, SIZE] <= len(arrays.tokens)).all()
    assert (units[:, STEM] <= units[:, CORE]).all()
    assert units[:, WHOLE].tolist() == [0, 0, 1, 1]

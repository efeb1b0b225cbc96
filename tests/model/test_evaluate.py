"""Bits per byte: by hand on a table of probabilities, and against the full logits of a Baichuan."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigError, InputError
from model import BaichuanConfig
from model.evaluate import Score, bits_per_byte, bootstrap, interval, summarise
from model.extrapolation import perplexity_by_position
from model.likelihood import Window, last_log_probabilities, sliding_windows, target_nats
from tests.model.bigram import Bigram
from tests.model.reference import SMALL, lively

LN2 = math.log(2)
FOUR = Bigram(torch.tensor([[1.0, 1, 1, 1], [1, 1, 2, 4], [8, 4, 2, 2], [1, 1, 1, 1]]))


def letters(text: str) -> list[int]:
    return ["abcd".index(character) for character in text]


def utf8(text: str) -> list[int]:
    return [3 + byte for byte in text.encode()]


def test_nats_are_those_of_the_table() -> None:
    (score,) = bits_per_byte(FOUR, letters, [("x", "law", "bcad")])
    # b -> c 2/8, c -> a 8/16, a -> d 1/4, and the first of four ids for nothing
    assert score.nats == pytest.approx(math.log(4) + math.log(4) + math.log(2) + math.log(4))
    assert (score.tokens, score.bytes, score.domain, score.lang) == (4, 4, "law", "")
    assert score.bits_per_byte == pytest.approx(7 / 4)


def test_a_begin_id_replaces_the_free_first_token() -> None:
    (score,) = bits_per_byte(FOUR, letters, [("x", "law", "ca", "en")], begin_id=1)
    assert score.nats == pytest.approx(math.log(4) + math.log(2))
    assert score.lang == "en"


def test_a_model_that_knows_nothing_pays_the_vocabulary_for_each_byte() -> None:
    uniform = Bigram(torch.ones(259, 259), max_length=5)
    scores = bits_per_byte(uniform, utf8, [("1", "d", "天地玄黄"), ("2", "d", "plain text"), ("3", "d", "")], batch=2)
    assert [score.bytes for score in scores] == [12, 10, 0]
    assert [score.bits_per_byte for score in scores[:2]] == pytest.approx([math.log2(259)] * 2)
    assert math.isnan(scores[2].bits_per_byte)
    assert scores[2].nats == 0


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 60), st.integers(1, 12), st.data())
def test_each_id_is_scored_once_behind_enough_of_the_text(count: int, length: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, length))
    found = []
    for window in sliding_windows(range(count), length, stride):
        assert len(window.ids) <= length + 1
        assert window.first >= min(length - stride + 1, window.ids[window.first])
        found += window.ids[window.first :]
    assert found == list(range(1, count))


@pytest.mark.parametrize("position", ["rope", "alibi"])
@pytest.mark.parametrize("norm_head", [False, True])
def test_windows_of_a_baichuan_equal_its_full_logits(position: str, norm_head: bool) -> None:
    model = lively(BaichuanConfig(**SMALL | {"vocab_size": 259}, position=position, norm_head=norm_head)).eval()
    texts = ["Every child shall have the right", "人人生而自由，在尊严和权利上一律平等。", "a", "ab", ""]
    found = bits_per_byte(model, utf8, [(str(n), "d", text) for n, text in enumerate(texts)], length=16, stride=5, batch=3)
    for text, score in zip(texts, found, strict=True):
        ids = utf8(text)
        expected = math.log(259) if ids else 0.0
        for place in range(1, len(ids)):
            behind = 17 if place < 17 else 17 + -(-(place - 16) // 5) * 5  # of the window that scores it
            context = ids[max(0, behind - 17) : place]
            with torch.no_grad():
                logits = model(torch.tensor([context]), use_cache=False).logits[0, -1]
            expected -= logits.double().log_softmax(-1)[ids[place]].item()
        assert score.nats == pytest.approx(expected, abs=2e-3)


def test_any_batch_gives_the_same() -> None:
    model = lively(BaichuanConfig(**SMALL | {"vocab_size": 259})).eval()
    texts = [(str(n), "d", "word " * n) for n in range(9)]
    one = bits_per_byte(model, utf8, texts, batch=1)
    for batch in (2, 5, 100):
        for a, b in zip(one, bits_per_byte(model, utf8, texts, batch=batch), strict=True):
            assert a.nats == pytest.approx(b.nats, rel=1e-6)


def test_next_id_probabilities_are_read_at_the_end_of_each_prompt() -> None:
    found = last_log_probabilities(FOUR, [[0, 1], [2], [3, 3, 1]], [[2, 3], [0], [0]], batch=2)
    expected = [[math.log(2 / 8), math.log(4 / 8)], [math.log(8 / 16)], [math.log(1 / 8)]]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs)


def test_ids_of_another_tokenizer_are_refused() -> None:
    with pytest.raises(InputError, match=re.escape("id 7 is not of the model's vocabulary, 0 to 3")):
        target_nats(FOUR, [Window([1, 7], 1)], 1)
    with pytest.raises(ConfigError, match=re.escape("stride: got 17, wanted 1 to length, 16")):
        bits_per_byte(FOUR, letters, [], stride=17)


def score(identity: str, domain: str, lang: str, bits: float, num_bytes: int, group: str = "") -> Score:
    return Score(identity, domain, lang, group, num_bytes, num_bytes, bits * LN2 * num_bytes)


def test_domains_count_equally_and_languages_stay_apart() -> None:
    rows = [score(f"{n}", "law", "zh", 1.0, 100) for n in range(3)] + [score("n", "news", "zh", 3.0, 10), score("m", "news", "zh", 3.0, 10)]
    rows += [score("e", "law", "en", 0.5, 1000), score("empty", "law", "en", 0.0, 0)]
    summary = summarise(rows)
    assert set(summary) == {"zh", "en"}
    assert summary["zh"]["bits_per_byte"] == pytest.approx(2.0)
    assert summary["zh"]["interval"] == pytest.approx([2.0, 2.0])
    assert summary["zh"]["domains"]["law"]["documents"] == 3
    assert summary["en"]["domains"]["law"]["bits_per_byte"] == pytest.approx(0.5)
    assert summary["en"]["interval"] is None, "one document says nothing about the next"


def test_a_domain_s_interval_does_not_depend_on_other_domains_or_order() -> None:
    random = np.random.default_rng(1)
    rows = [score(str(n), "law", "en", bits, 50) for n, bits in enumerate(random.normal(1, 0.2, 40))]
    alone = summarise(rows)["en"]["domains"]["law"]["interval"]
    assert summarise([score("x", "art", "en", 9, 5), *rows])["en"]["domains"]["law"]["interval"] == alone


def test_documents_of_a_group_are_drawn_together() -> None:
    random = np.random.default_rng(2)
    rows = [score(f"{n}{copy}", "law", "en", bits, 50, f"g{n}") for n, bits in enumerate(random.normal(1, 0.2, 30)) for copy in "abcd"]
    grouped = summarise(rows)["en"]["interval"]
    apart = summarise([row._replace(group="") for row in rows])["en"]["interval"]
    # four copies each: the interval is twice as wide as if they were 120 documents
    assert (grouped[1] - grouped[0]) / (apart[1] - apart[0]) == pytest.approx(2, rel=0.1)


def test_an_interval_has_the_width_that_the_central_limit_gives() -> None:
    values = np.random.default_rng(3).normal(5, 1, 400)
    low, high = interval(bootstrap(values, np.ones(400), 4000, 0))
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(400), rel=0.06)
    assert low < values.mean() < high


def test_perplexity_by_position_within_the_trained_length_is_the_same_in_both_ways() -> None:
    table = Bigram(torch.tensor([[1.0, 3], [1, 1]]), max_length=4)
    rows, count = perplexity_by_position(table, lambda text: [int(c) for c in text], ["0" * 13, "1" * 13, "01"], [0, 4, 8, 12], begin_id=0)
    assert count == 2
    # ids of the first: 0 -> 0 costs ln 4; of the second: 0 -> 1 ln 4/3, then ln 2
    first = (4 * math.log(4) + math.log(4 / 3) + 3 * math.log(2)) / 8
    later = (math.log(4) + math.log(2)) / 2
    assert [row.whole for row in rows] == pytest.approx([math.exp(first), math.exp(later), math.exp(later)])
    assert rows[2].up_to == pytest.approx(math.exp((first + 2 * later) / 3))
    assert [row.ratio for row in rows] == pytest.approx([1, 1, 1]), "a table sees one id, so no window is too short"
    assert [(row.first, row.behind) for row in rows] == [(0, 4), (4, 8), (8, 12)]


def test_perplexity_beyond_the_trained_length_shows_what_a_model_loses() -> None:
    model = lively(BaichuanConfig(**SMALL | {"vocab_size": 259})).eval()
    rows, _ = perplexity_by_position(model, utf8, ["自由平等" * 4, "Whereas recognition of the inherent dignity"], [0, 16, 32], begin_id=1)
    assert rows[0].ratio == pytest.approx(1, abs=1e-5)
    assert rows[0].interval == pytest.approx([1, 1], abs=1e-5)
    assert abs(rows[1].ratio - 1) > 1e-3


def test_texts_too_short_for_the_positions_say_so() -> None:
    with pytest.raises(InputError, match=re.escape("the longest text has 3 tokens, wanted one of at least 9")):
        perplexity_by_position(FOUR, letters, ["abc", "a"], [0, 8])
    with pytest.raises(ConfigError, match=re.escape("got bounds [0, 8, 8]")):
        perplexity_by_position(FOUR, letters, ["abc"], [0, 8, 8])

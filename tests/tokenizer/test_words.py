"""Words for the trainer: what a word is, that each is counted, and that cuts at rare pairs lose nothing."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.text.buffers import text_buffer
from tokenizer.vocabulary import symbols
from tokenizer.words import MAX_WORD_CHARS, PAIR_SLOTS, WordCounter, count_pairs

SYMBOLS = symbols({symbol: number for number, symbol in enumerate(("\n", "\t", "<h1>", "<h", "，"))})
LETTERS = "ab中の的é 　1٣㊀.,(<h1>，\n\t\r\x00▁▅😀\ue000"
some_texts = st.lists(st.text(st.sampled_from(LETTERS), max_size=30), max_size=6)


def words(texts: list[str], runs: bool = True, copies: list[int] | None = None, pairs: object = None, least: int = 0) -> Counter[str]:
    counter = WordCounter(SYMBOLS, runs, pairs, least)  # type: ignore[arg-type]
    counter.add(text_buffer(pa.array(texts, pa.large_string())), np.array(copies or [1] * len(texts), np.int64))
    found = counter.counted()
    data = found.data.tobytes()
    named = [data[a:b].decode() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]
    assert len(set(named)) == len(named)
    assert counter.num_chars == sum(map(len, named))
    return Counter(dict(zip(named, found.counts.tolist(), strict=True)))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Hello world", ["Hello", " world"]),
        ("don't", ["don", "'", "t"]),
        ("f(x)); 12", ["f", "(", "x", "));", " ", "1", "2"]),
        ("中文，の字。二〇", ["中文", "の字", "。", "二〇"]),
        ("abc中文", ["abc", "中文"]),
        ("٣٤ 五", ["٣", "٤", " 五"]),
        ("a\tb\n<h1>c<hr", ["a", "b", "c", "r"]),
        ("a▁b▅c\x00d\re", ["a", "b", "c", "d", "e"]),
        ("　　正文", ["　　", "正文"]),
        ("😀👍 ok", ["😀👍", " ok"]),
        ("", []),
    ],
)
def test_words_keep_to_one_script_and_carry_their_space(text: str, wanted: list[str]) -> None:
    assert words([text]) == Counter(wanted)


def test_runs_of_spaces_stand_before_a_word_or_alone() -> None:
    assert words(["   if x"], runs=True) == Counter(["   if", " x"])
    assert words(["   if x"], runs=False) == Counter([" ", " ", " if", " x"])


def test_a_run_without_a_cut_is_cut_at_256_characters() -> None:
    found = words(["中" * (2 * MAX_WORD_CHARS + 3)])
    assert found == Counter({"中" * MAX_WORD_CHARS: 2, "中" * 3: 1})


@given(some_texts, st.booleans())
def test_no_character_is_lost_but_symbols_and_what_the_trainer_keeps(texts: list[str], runs: bool) -> None:
    found = words(texts, runs)
    counted = Counter(character for word, count in found.items() for character in word * count)
    for character in set(LETTERS) - set("<h1>，\n\t\r\x00▁▅"):
        assert counted[character] == sum(text.count(character) for text in texts), character
    assert not set(counted) & set("，\n\t\r\x00▁▅")


@given(some_texts)
def test_a_digit_is_a_word_alone(texts: list[str]) -> None:
    for word in words(texts):
        assert len(word) == 1 or not any(character.isnumeric() and character not in "中" for character in word)


@given(some_texts, st.integers(0, 6), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_counts_add_up_over_batches_and_copies(texts: list[str], at: int, copies: list[int]) -> None:
    wanted: Counter[str] = Counter()
    for text, times in zip(texts, copies, strict=False):
        for word, count in words([text]).items():
            wanted[word] += count * times
    counter = WordCounter(SYMBOLS, True)
    for low, high in ((0, at), (at, len(texts))):
        counter.add(text_buffer(pa.array(texts[low:high], pa.large_string())), np.array(copies[low:high][: len(texts[low:high])], np.int64))
    found = counter.counted()
    data = found.data.tobytes()
    named = {data[a:b].decode(): int(n) for a, b, n in zip(found.offsets[:-1], found.offsets[1:], found.counts, strict=True)}
    assert named == +wanted


def test_the_table_grows() -> None:
    texts = [" ".join(f"{chr(97 + i % 26)}{chr(0x4E00 + i)}" for i in range(low, low + 5_000)) for low in range(0, 20_000, 5_000)]
    assert words(texts) == sum((words([text]) for text in texts), Counter())


@given(some_texts, st.integers(1, 4))
def test_words_are_cut_between_characters_that_rarely_meet(texts: list[str], least: int) -> None:
    pairs = np.zeros(PAIR_SLOTS, np.int64)
    num_pairs = count_pairs(text_buffer(pa.array(texts, pa.large_string())), np.ones(len(texts), np.int64), SYMBOLS, True, pairs)
    whole = words(texts)
    met = Counter(word[at : at + 2] for word, count in whole.items() for _ in range(count) for at in range(len(word) - 1))
    assert num_pairs == pairs.sum() == met.total()
    wanted: Counter[str] = Counter()
    for word, count in whole.items():
        part = ""
        for character in word:
            if part and met[part[-1] + character] < least:
                wanted[part] += count
                part = ""
            part += character
        wanted[part] += count
    assert words(texts, pairs=pairs, least=least) == wanted

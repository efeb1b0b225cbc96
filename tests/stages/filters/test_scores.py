"""Every filter's score by hand: a line a column, exact. A new filter adds its lines here."""

import numpy as np
import pyarrow as pa
import pytest

from stages.batch import Batch
from stages.filters import columns, scores

ENGLISH = "The law of the sea # 3\n- a b ...\nshort\nshort\n"  # words: The law of the sea 3 a b short short
CHINESE = "海洋法的3条。\n展开\n海洋法的3条。"

BY_HAND = [
    ("alphabetic_word_share", ENGLISH, 9 / 10),
    ("alphabetic_word_share", CHINESE, 12 / 14),
    ("bullet_line_share", ENGLISH, 1 / 4),
    ("code_share", "if (x == 1) {\n  y += 2;\n}\nThe end.", 15 / 22),
    ("curly_bracket_share", "{ab}", 2 / 4),
    ("digit_share", CHINESE, 2 / 16),
    ("distinct_word_share", "The cat, the hat", 3 / 4),
    ("distinct_word_share", "国国家家国", 2 / 5),
    ("duplicate_line_char_share", ENGLISH, 5 / (22 + 9 + 5 + 5)),
    ("duplicate_line_char_share", CHINESE, 7 / 16),
    ("duplicate_line_share", ENGLISH, 1 / 4),
    ("duplicate_paragraph_char_share", "abcd\n\nx\n\nx", 1 / 6),
    ("duplicate_paragraph_share", "abcd\n\nx\n\nx", 1 / 3),
    ("duplicate_5gram_char_share", "一二三四五，一二三四五六", 5 / 11),
    ("duplicate_6gram_char_share", "一二三四五六，一二三四五六", 6 / 12),
    ("duplicate_7gram_char_share", "一二三四五六，一二三四五六", 0),
    ("duplicate_8gram_char_share", "a b c d e f g h " * 3, 16 / 24),
    ("duplicate_9gram_char_share", "a b c d e f g h ij " * 2, 10 / 20),
    ("duplicate_10gram_char_share", "a b c d e f g h i jk " * 2, 11 / 22),
    ("ellipses_per_word", ENGLISH, 1 / 10),
    ("ellipses_per_word", "等等……等", 1 / 3),
    ("ellipsis_line_share", ENGLISH, 1 / 4),
    ("ellipsis_line_share", CHINESE, 1 / 3),
    ("flagged_words_per_word", ENGLISH, 0),
    ("han_share", CHINESE, 12 / 16),
    ("hashes_per_word", ENGLISH, 1 / 10),
    ("longest_word", "a well-known word", 10),
    ("longest_word", "海洋", 1),
    ("lorem_ipsum_share", "Lorem ipsum 占位文字", 22 / 24),
    ("lorem_ipsum_share", "x" * 4090 + " lorem ipsum", 5 / 4096),  # the second word is cut off
    ("math_share", "It is $x^2$ so", 5 / 11),
    ("mean_word_length", ENGLISH, 27 / 10),
    ("mean_word_length", "海洋 law", 5 / 3),
    ("mojibake_share", "itâ€™s", 3 / 6),
    ("newlines_per_word", ENGLISH, 4 / 10),
    ("num_chinese_stop_words", "我的，你的，這是", 4),
    ("num_english_stop_words", ENGLISH, 2),
    ("num_words", ENGLISH, 10),
    ("num_words", CHINESE, 14),
    ("rare_han_share", "国龘龘a", 2 / 3),
    ("replacement_char_share", "a\ufffd\ue000b", 2 / 4),
    ("short_line_share", "a" * 30 + "\n" + "a" * 31, 1 / 2),
    ("special_char_share", "a, b! 3", 2 / 5),
    ("terminal_line_share", CHINESE, 2 / 3),
    ("top_2gram_char_share", "甲乙丙，甲乙丁", 4 / 6),
    ("top_3gram_char_share", "甲乙丙，甲乙丙", 6 / 6),
    ("top_4gram_char_share", "the cat sat on, the cat sat on", 22 / 22),
]


@pytest.mark.parametrize(("column", "text", "expected"), BY_HAND)
def test_score_by_hand(column: str, text: str, expected: float) -> None:
    batch = Batch(pa.RecordBatch.from_arrays([pa.array([text], pa.large_string())], names=["text"]))
    found = scores(batch)[column].to_numpy()
    assert found[0] == found.dtype.type(expected) or found[0] == np.float32(expected)


def test_every_column_is_computed_by_hand() -> None:
    assert {column.name for column in columns()} == {column for column, _, _ in BY_HAND}

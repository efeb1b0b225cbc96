"""How many different stop words occur: `num_english_stop_words` of Gopher's 8, `num_chinese_stop_words` of 25 function characters.

Source: Gopher, at least 2 of the, be, to, of, and, that, have, with; FineWeb-2 for Chinese, at least 2 of 22 words. Running text
has them, keyword lists, menus and tables do not. The Chinese ones are single characters, modern and classical
(`stages.text.characters.CHINESE_STOP_CHARACTERS`), because a text is not segmented into words.
"""

import pyarrow as pa

from stages.filters import Scores, Signals

COLUMNS = (
    pa.field("num_english_stop_words", pa.int64()),
    pa.field("num_chinese_stop_words", pa.int64()),
)


def score(signals: Signals) -> Scores:
    """Different stop words of each language."""
    p = signals.profile
    return {"num_english_stop_words": p.gopher_words, "num_chinese_stop_words": p.chinese_stop_characters}

"""Share of words that hold a letter of any script, a Han character included.

Source: Gopher, at least .80; FineWeb-2 for Chinese, .735 on jieba words. What fails is a list of numbers: scores, prices,
coordinates.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("alphabetic_word_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of words; 0 without words."""
    p = signals.profile
    return {"alphabetic_word_share": share(p.words_with_letter, p.num_words)}

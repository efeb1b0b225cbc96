"""Characters in words per word.

Source: Gopher, 3 to 10 for English: fewer means spelled-out or scanned text, more means base64, URLs, joined words. In Chinese
each Han character is a word of length 1, so the mean is 1 plus what Latin words and numbers add: the bound of 1 to 5 that
FineWeb-2 set on jieba words does not carry over, and the upper bound speaks of code and long tokens among the Chinese.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("mean_word_length", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Mean length in characters; 0 without words."""
    p = signals.profile
    return {"mean_word_length": share(p.word_chars, p.num_words)}

"""Length of a document in words, where a Han or kana character is a word (`stages.text.profile`).

Source: Gopher, 50 to 100,000 words. One unit serves both languages: 50 English words and 50 Chinese characters are each a short
paragraph (MAP-CC takes 50 characters too; 200, as crawls often use, would lose 16 % of the news items and 98 % of the poems of
our data).
"""

import pyarrow as pa

from stages.filters import Scores, Signals

COLUMNS = (pa.field("num_words", pa.int64()),)


def score(signals: Signals) -> Scores:
    """Words; 0 for an empty document."""
    return {"num_words": signals.profile.num_words}

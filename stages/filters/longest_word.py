"""Characters of the longest word.

Source: C4 drops lines with a word of more than 1,000 characters: encoded data. Chinese text never has one by itself, since each
Han character is a word.
"""

import pyarrow as pa

from stages.filters import Scores, Signals

COLUMNS = (pa.field("longest_word", pa.int64()),)


def score(signals: Signals) -> Scores:
    """Characters; 0 without words."""
    return {"longest_word": signals.profile.longest_word}

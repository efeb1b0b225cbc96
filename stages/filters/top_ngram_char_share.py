"""Share of the characters in words that the most frequent 2-, 3- and 4-gram of words covers.

Source: Gopher, at most .20/.18/.16; FineWeb-2 for Chinese .256/.201/.171 on jieba words. A Chinese word is a character here, so a
2-gram is a common word and a 4-gram a common phrase; bounds are set on real text. Departures from datatrove: `stages.text.ngrams`.
"""

import pyarrow as pa

from stages.filters import Scores, Signals
from stages.text.ngrams import TOP_SIZES

COLUMNS = tuple(pa.field(f"top_{size}gram_char_share", pa.float32()) for size in TOP_SIZES)


def score(signals: Signals) -> Scores:
    """Share of the characters in words, for each length; 0 without words."""
    return {field.name: shares for field, shares in zip(COLUMNS, signals.ngrams.top, strict=True)}

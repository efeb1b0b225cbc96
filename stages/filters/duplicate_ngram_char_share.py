"""Share of the characters in words that stand in a 5- to 10-gram of words that occurred before in the document.

Source: Gopher, at most .15/.14/.13/.12/.11/.10; FineWeb-2 for Chinese .198 to .127 on jieba words. Five Chinese characters are
two or three words and repeat in sound texts (a statute names its ministry on each page), so Chinese bounds are higher and set on
real text.
"""

import pyarrow as pa

from stages.filters import Scores, Signals
from stages.text.ngrams import DUPLICATE_SIZES

COLUMNS = tuple(pa.field(f"duplicate_{size}gram_char_share", pa.float32()) for size in DUPLICATE_SIZES)


def score(signals: Signals) -> Scores:
    """Share of the characters in words, for each length; 0 without words."""
    return {field.name: shares for field, shares in zip(COLUMNS, signals.ngrams.duplicate, strict=True)}

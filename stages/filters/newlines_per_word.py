"""Line ends per word.

Source: FineWeb, at most .3 for English; FineWeb-2 for Chinese, .178 on jieba words. What fails is a list with a word or two a line.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("newlines_per_word", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Ratio; 0 without words."""
    p = signals.profile
    return {"newlines_per_word": share(p.newlines, p.num_words)}

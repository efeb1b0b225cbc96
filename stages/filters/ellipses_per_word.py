"""Ellipses per word: runs of …, of three or more full stops, or of three or more 。.

Source: Gopher, at most .1: teasers cut short, tables of contents with dot leaders. A Chinese …… is one ellipsis.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("ellipses_per_word", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Ratio; 0 without words."""
    p = signals.profile
    return {"ellipses_per_word": share(p.ellipses, p.num_words)}

"""Signs # per word.

Source: Gopher, at most .1, for both languages: tag clouds and broken markup. Markdown headers stay far below.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("hashes_per_word", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Ratio; 0 without words."""
    p = signals.profile
    return {"hashes_per_word": share(p.hashes, p.num_words)}

"""Share of digits and other numerals among all characters that are not white space.

Source: at most .30 in Chinese crawl recipes (MAP-CC). Price lists, tables, logs.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("digit_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of the characters that are not white space."""
    p = signals.profile
    return {"digit_share": share(p.digits, p.num_chars - p.spaces)}

"""Share of Han characters among all characters that are not white space.

Source: the usual bound for Chinese crawls, at least .30.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("han_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of the characters that are not white space."""
    p = signals.profile
    return {"han_share": share(p.han, p.num_chars - p.spaces)}

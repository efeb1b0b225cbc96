"""Share of lines that are equal to an earlier line of the document.

Source: Gopher, at most .30; FineWeb-2 for Chinese, .287.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("duplicate_line_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of lines that are not empty."""
    p = signals.profile
    return {"duplicate_line_share": share(p.duplicate_lines, p.num_lines)}

"""Share of lines of at most 30 UTF-8 bytes: 30 English letters, 10 Chinese characters.

Source: FineWeb, at most .67 at 30 characters for English. FineWeb-2 leaves it out for Chinese; here the unit is bytes so that one
bound can serve both, and the shipped rules for Chinese still leave it out: verse and dialogue have short lines.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("short_line_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of lines that are not empty."""
    p = signals.profile
    return {"short_line_share": share(p.short_lines, p.num_lines)}

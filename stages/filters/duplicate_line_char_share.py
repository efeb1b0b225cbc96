"""Share of the characters of lines that stand in lines equal to an earlier line of the document.

Source: Gopher, at most .20; FineWeb .01, which also drops good pages with a repeated header. Long repeated lines are scrape
bugs; statutes and tables repeat short ones.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("duplicate_line_char_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of the characters in stripped lines."""
    p = signals.profile
    return {"duplicate_line_char_share": share(p.duplicate_line_chars, p.line_chars)}

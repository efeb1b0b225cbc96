"""Share of the characters of lines that stand in paragraphs equal to an earlier paragraph.

Source: Gopher, at most .20.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("duplicate_paragraph_char_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of the characters in stripped lines."""
    p = signals.profile
    return {"duplicate_paragraph_char_share": share(p.duplicate_paragraph_chars, p.line_chars)}

"""Share of paragraphs (lines between blank lines) that are equal to an earlier one.

Source: Gopher, at most .30. A text without blank lines is one paragraph and has 0.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("duplicate_paragraph_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of paragraphs."""
    p = signals.profile
    return {"duplicate_paragraph_share": share(p.duplicate_paragraphs, p.num_paragraphs)}

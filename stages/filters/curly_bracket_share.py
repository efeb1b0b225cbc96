"""Share of curly brackets among all characters that are not white space.

Source: C4 drops any page with a {, which costs every text on programming. A share tells scraped scripts from prose with code.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("curly_bracket_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of the characters that are not white space."""
    p = signals.profile
    return {"curly_bracket_share": share(p.curly_brackets, p.num_chars - p.spaces)}

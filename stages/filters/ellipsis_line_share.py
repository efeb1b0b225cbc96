"""Share of lines that end in an ellipsis, or in 展开, 更多 or 全文.

Source: Gopher, at most .3. Chinese pages cut teasers with "expand", "more", "full text" instead of dots; these count too.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("ellipsis_line_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of lines that are not empty."""
    p = signals.profile
    return {"ellipsis_line_share": share(p.ellipsis_lines, p.num_lines)}

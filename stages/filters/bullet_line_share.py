"""Share of lines that start with a bullet: • ‣ ● ■ ◆ ★ · and the like, or - * + – before white space.

Source: Gopher, at most .9, for both languages: pages that are nothing but a list of links or products.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("bullet_line_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of lines that are not empty."""
    p = signals.profile
    return {"bullet_line_share": share(p.bullet_lines, p.num_lines)}

"""Share of lines that end in terminal punctuation: . ! ? ; … 。 ！ ？ ； or a closing quote or bracket.

Source: FineWeb, at least .12 for English; FineWeb-2, .106 for Chinese. C4 drops every line without it and knows ASCII only,
which kills nearly all Chinese lines. Menus, tables and lists of titles fail; hard-wrapped text and verse come close, so their
domains lift it.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("terminal_line_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of lines that are not empty."""
    p = signals.profile
    return {"terminal_line_share": share(p.terminal_lines, p.num_lines)}

"""Share of rare characters, neither in GB 2312 nor in the first level of Big5, among the Han characters (`stages.text.mojibake`).

Source: ours. At most .3: running text has less than .01, classics and poems in rare characters up to .23, and Chinese read as Big5
or any text read as UTF-16 .35 and more, which no other sign betrays.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("rare_han_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of the Han characters; 0 without any."""
    return {"rare_han_share": share(signals.mojibake.rare_han, signals.profile.han)}

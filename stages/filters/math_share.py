"""Share of the visible characters that stand in formulas written in LaTeX (`stages.text.code`).

Source: ours. No bound of its own: it is there to choose the rules. A document with at least .3 is judged by the kind `math` of the
rule files: formulas have few words and many signs. Prices ($5) are no formulas, and sound prose has 0.
"""

import pyarrow as pa

from stages.filters import Scores, Signals

COLUMNS = (pa.field("math_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of the characters that are not white space."""
    return {"math_share": signals.batch.code.math}

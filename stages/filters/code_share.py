"""Share of the visible characters that stand on lines of program code (`stages.text.code`).

Source: ours. No bound of its own: it is there to choose the rules. A document with at least .6 is judged by the kind `code` of the
rule files, since the rules of prose fail sound programs (stop words, ends of lines, signs). Sound prose has 0.
"""

import pyarrow as pa

from stages.filters import Scores, Signals

COLUMNS = (pa.field("code_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of the characters that are not white space."""
    return {"code_share": signals.batch.code.code}

"""Share of characters that are neither letter, numeral nor white space: punctuation, symbols, emoji, damage.

Source: data-juicer and MAP-CC, at most .40 for English and .30 for Chinese, whose counts include white space and digits; without
them running text has .02 to .08 in English and .06 to .2 in Chinese. Code, formulas and tables have more, decoration most.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("special_char_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of the characters that are not white space."""
    p = signals.profile
    plain = p.han + p.kana + p.hangul + p.latin + p.other_letters + p.digits
    visible = p.num_chars - p.spaces
    return {"special_char_share": share(visible - plain, visible)}

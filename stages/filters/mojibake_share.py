"""Share of characters that are bytes read with the wrong codec: Ã©, â€™, ÄãºÃ, 鍦ㄧ嚎, 锟斤拷, 烫烫烫 (`stages.text.mojibake`).

Source: ours, after ftfy's idea of undoing the mistake; ftfy mends, we count, since a guess must not rewrite a corpus. At most .003:
in misread English only quotes, dashes and accents show, three characters for each, so that a page has .004 to .03; misread Chinese
has .5 and more, and none of the 75,095 documents of our real data has any.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("mojibake_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of all characters."""
    return {"mojibake_share": share(signals.mojibake.misread, signals.profile.num_chars)}

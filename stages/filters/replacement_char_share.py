"""Share of characters that show damage: U+FFFD, invalid bytes and private-use characters.

Source: none published; a page decoded with the wrong codec has a few per cent, a sound one none. Classical texts from old fonts
hold single private-use characters for rare Han, which must not cost the page.
"""

import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("replacement_char_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of all characters."""
    p = signals.profile
    return {"replacement_char_share": share(p.replacements + p.private_use, p.num_chars)}

"""Words of the user's own lists per word of the text. Off, that is 0, unless `heuristics: {flagged_words: [file]}` names a list.

Source: C4 drops a page with a single word of a public list, which costs sex education, medicine and law; data-juicer bounds the share
by .045. At most .01 here: a text about a flagged word stays, a text made of them goes. We ship no list. Files hold an entry a line,
in any language, `#` starts a comment; ASCII letters match in either case and at the ends of words only (`stages.text.word_list`). In
Chinese a word is a character, and an entry of four characters counts once.
"""

import numpy as np
import pyarrow as pa

from stages.filters import Scores, Signals, share
from stages.text.word_list import listed_words

COLUMNS = (pa.field("flagged_words_per_word", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Occurrences per word; 0 without a list or without words."""
    if signals.flagged is None:
        return {"flagged_words_per_word": np.zeros(len(signals.batch), np.float32)}
    return {"flagged_words_per_word": share(listed_words(signals.batch.text, signals.flagged).found, signals.profile.num_words)}

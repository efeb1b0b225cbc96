"""Share of different words among 256 words in a row, mean over the first 8 such windows: how little is said in how many words.

A shorter text is one window, and the end of a longer one that fills none is not looked at. Source: ours; ratios of distinct words are
common, but over whole texts they fall with length and fail books, so the window is fixed (in Chinese a word is a character). Running text
has .4 to .7 in both languages. The bounds were set for placeholder text made of a few dozen characters: in the bundled sample three such
pages are caught by this rule alone. Stuffed keywords fall below too, and the repetition of n-grams takes them all as well; pages spun from
synonyms do not. The cost: of 75,095 real documents nine fall below, all of them sound, by their form (offices of the Rites of Zhou, odes
with refrains, tables of the calendar), four by this rule alone.
"""

import pyarrow as pa

from stages.filters import Scores, Signals

COLUMNS = (pa.field("distinct_word_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of the words in windows; 0 without words."""
    return {"distinct_word_share": signals.ngrams.distinct}

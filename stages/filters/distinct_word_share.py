"""Share of different words among 256 words in a row, mean over the first 8 such windows: how little is said in how many words.

A shorter text is one window. Source: ours; ratios of distinct words are common, but over whole texts they fall with length and fail
books, so the window is fixed (in Chinese a word is a character). Running text has .4 to .7 in both languages. What falls below the
bounds is stuffed with keywords, spun from one template again and again, or placeholder text made of a few dozen characters. Rejected
beside it, since repetition of n-grams already drops them: the most frequent n-gram of a window, and lines that are keyword lists.
"""

import pyarrow as pa

from stages.filters import Scores, Signals

COLUMNS = (pa.field("distinct_word_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Share of the words in windows; 0 without words."""
    return {"distinct_word_share": signals.ngrams.distinct}

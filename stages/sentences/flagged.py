"""Sentences that hold a word of the user's own list. Off unless the stage names a list (`flagged_words`).

A word in letters and digits must stand alone; a Chinese one is found anywhere. Case does not matter. Source: the "bad words" of C4,
which dropped whole pages; here the sentence goes, and the policy on shares decides about the page.
"""

import numpy as np

from stages.sentences import Proposal, Signals
from stages.text.characters import HAN, character_classes, class_of, decode
from stages.text.kernel import kernel
from stages.text.phrases import full_stop_at, stands_alone


def propose(signals: Signals) -> Proposal:
    """Free sentences with a flagged word; a sentence over several lines only if none of them is protected."""
    if signals.flagged is None:
        return Proposal(np.zeros(0, np.int64), np.zeros(0, np.int64))
    line, bounds = signals.lines, signals.sentences.bounds
    protected = line.start[~line.blank & ~signals.free]
    hit = np.zeros(len(bounds) - 1, np.bool_)
    _search(signals.text.data, bounds, character_classes(), *signals.flagged, hit)
    rows = np.flatnonzero(hit)
    first = np.searchsorted(line.start, bounds[rows], "right") - 1
    last = np.searchsorted(line.start, bounds[rows + 1], "left") - 1
    allowed = signals.free[first] & (np.searchsorted(protected, bounds[rows]) == np.searchsorted(protected, bounds[rows + 1]))
    rows, last = rows[allowed], last[allowed]
    return Proposal(bounds[rows], np.minimum(bounds[rows + 1], np.maximum(line.end[last], bounds[rows])))


@kernel
def _search(data, bounds, classes, moves, found, shorter, ends_phrase, kind, length, hit):  # type: ignore[no-untyped-def]
    for sentence in range(len(bounds) - 1):
        low, high = bounds[sentence], bounds[sentence + 1]
        state = 0
        for at in range(low, high):
            state = moves[state, data[at]]
            here = state if found[state] >= 0 else shorter[state]
            while ends_phrase[state] and here > 0 and not hit[sentence]:
                begin = at + 1 - length[found[here]]
                code, _ = decode(data, begin, high)
                right = at + 1 if full_stop_at(data, at + 1, high, classes) else high
                hit[sentence] = class_of(code, classes) == HAN or stands_alone(data, begin, at + 1, low, right, classes)
                here = shorter[here]

"""Lines of ornaments: at least ten characters, nine tenths of them symbols or punctuation.

A ruler, which repeats one of - = _ * ~ # + . and the like, stays: it underlines headings and separates scenes; so does a heading (#). □
stands for a lost character in editions of old texts: lines of which it is a third stay. Source: ours, after Gopher's symbol-to-word ratio.
"""

import numpy as np

from stages.sentences import Proposal, Signals

MIN_CHARS = 10
_RULERS = tuple(ord(character) for character in "-=_*~#+.^—–─━…·'\"`$")


def propose(signals: Signals) -> Proposal:
    """Free lines of symbols that do not begin and end like a ruler."""
    line, data = signals.lines, signals.text.data
    mask = signals.free & (line.chars >= MIN_CHARS) & (10 * line.symbols >= 9 * line.chars)
    mask &= (line.first != line.last) & (line.first != ord("#"))
    for code in _RULERS:
        mask &= line.last != code
    for at in np.flatnonzero(mask).tolist():
        text = data[line.start[at] : line.end[at]].tobytes().decode(errors="replace")
        mask[at] = 3 * text.count("□") < len(text)
    return signals.propose_lines(mask)

"""Lines of numbers: at least twelve digits, three fifths of the characters, no letters but Han: counters, time stamps, identifiers.

Only at the edges of a document: in the middle a line of numbers is a result. Three lines of numbers in a row are a table
(`stages.text.blocks`) and stay. Source: ours, after MAP-CC's digit share.
"""

from stages.sentences import Proposal, Signals

MIN_DIGITS = 12


def propose(signals: Signals) -> Proposal:
    """Free lines of digits."""
    line = signals.lines
    digits = (line.digits >= MIN_DIGITS) & (5 * line.digits >= 3 * line.chars) & (line.letters == line.han)
    return signals.propose_lines(digits & signals.edge)

"""Lines that consist of markup that escaped its program: HTML tags and entities, comments, template brackets.

A line that holds text beside its tags stays: no rule removes a part of a sentence. Three lines of tags in a row are code
(`stages.text.blocks`) and stay too. Source: ours.
"""

import re

import numpy as np

from stages.sentences import Proposal, Signals
from stages.text.lines import HAS_MARKUP

_ATTRIBUTE = r"""\s+(?:[\w:@.-]+=(?:"[^"]*"|'[^']*'|[^\s<>"']+)|[a-z-]+)"""
_MARKUP = re.compile(
    rf"(?:</?[a-zA-Z][\w:-]*(?:{_ATTRIBUTE})*\s*/?>|<!--.*?-->|<![a-zA-Z][^<>]*>|&(?:[a-zA-Z]{{2,8}}|#x?[0-9a-fA-F]{{1,6}});"
    r"|\{\{[^{}]{0,200}\}\}|\{%[^{}]{0,200}%\}|\s)+"
)


def propose(signals: Signals) -> Proposal:
    """Free lines of markup alone."""
    line = signals.lines
    candidates = np.flatnonzero(signals.free & (line.flags & HAS_MARKUP > 0))
    mask = np.zeros(len(line.start), np.bool_)
    data = signals.text.data
    for at in candidates.tolist():
        mask[at] = _MARKUP.fullmatch(data[line.start[at] : line.end[at]].tobytes().decode(errors="replace")) is not None
    return signals.propose_lines(mask)

"""Short lines that are a web address, perhaps behind a word that says it is the source: `http://…`, `来源：https://…`, `via: http://…`.

Source: CCI and MAP-CC drop lines of links; here the address must be nearly all of the line, since a sentence may name one.
"""

import re

import numpy as np

from stages.sentences import Proposal, Signals
from stages.text.lines import HAS_URL

_ADDRESS = r"(?:https?|ftp)://[^\s<>\"'，。；、（）]+|www\.[^\s<>\"'，。；、（）]+"
_LABEL = "(?:via|source|from|link|url|来源|來源|原文|出处|出處|转自|原文链接|原文地址|本文链接|本文地址|链接|链接地址)"
_LINE = re.compile(rf"[\[(<【（]?(?:{_LABEL} ?[:：] ?)?[\[(<【（]?(?:{_ADDRESS})[\s\])>】）.。;；,，]*")


def propose(signals: Signals) -> Proposal:
    """Free lines that are one address; a line of several is a list of references and stays."""
    line = signals.lines
    candidates = np.flatnonzero(signals.free & (line.flags & HAS_URL > 0) & (line.end - line.start <= 240))
    mask = np.zeros(len(line.start), np.bool_)
    data = signals.text.data
    for at in candidates.tolist():
        mask[at] = _LINE.fullmatch(data[line.start[at] : line.end[at]].tobytes().decode(errors="replace")) is not None
    return signals.propose_lines(mask)

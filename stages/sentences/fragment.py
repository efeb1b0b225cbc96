"""Text cut off by the page it was on: a line ending in […], `...全文`, `…展开`, `... more`, or a last sentence ending in one … or ....

Those of the first kind stand anywhere; an ellipsis alone also ends sentences that a person wrote, so it counts only where the document
ends, and never two in a row (…… is the Chinese ellipsis). Source: the ellipsis lines of C4 and Gopher; narrower, since prose uses them.
"""

import re

import numpy as np

from stages.sentences import Mask, Proposal, Signals
from stages.text.kernel import kernel
from stages.text.lines import one_of

MIN_BYTES = 30
"""Of a last line that ends in an ellipsis: shorter ones are titles and exclamations."""

_CUT = re.compile(
    r"(?:\[(?:…|\.\.\.)\]|(?:…|\.{3})\s*[\[(（【]?(?:展开|展開|全文|更多|阅读全文|查看全文|read more|more)[\])）】]?(?:\s*»|>+)?)$", re.I
)
_ENDS = "])）】开開文多eE»>"
_TAIL_BYTES = 40
"""What is looked at of a line."""


def propose(signals: Signals) -> Proposal:
    """Free lines that are cut off; of a line of several sentences, the last."""
    line = signals.lines
    data = signals.text.data
    mask = signals.free & one_of(line.last, _ENDS) & (line.chars > 0) | _last_with_ellipsis(signals)
    candidates = np.flatnonzero(mask)
    _clear_without_ellipsis(data, line.start, line.end, candidates, mask)
    for at in np.flatnonzero(mask).tolist():
        tail = data[max(line.start[at], line.end[at] - _TAIL_BYTES) : line.end[at]].tobytes().decode(errors="replace")
        mask[at] = _CUT.search(tail) is not None or tail.endswith(("…", "..."))
    rows = np.flatnonzero(mask)
    bounds = signals.sentences.bounds
    last = bounds[np.searchsorted(bounds, line.end[rows], "left") - 1] if len(rows) else rows
    return Proposal(np.maximum(last, line.start[rows]), line.end[rows])


def _last_with_ellipsis(signals: Signals) -> Mask:
    """Free last lines of documents of several lines that end in one … or ..., not in two."""
    line = signals.lines
    ellipsis = ((line.last == ord("…")) & (line.second_last != ord("…"))) | ((line.last == ord(".")) & (line.second_last == ord(".")))
    ellipsis &= line.end - line.start >= MIN_BYTES
    mask: Mask = signals.free & signals.last & ellipsis
    return mask


@kernel
def _clear_without_ellipsis(data, starts, ends, rows, mask):  # type: ignore[no-untyped-def]
    """Clear `mask` for those of `rows` in whose tail is neither … nor ..., as in most."""
    for row in rows:
        found = False
        for at in range(max(starts[row], ends[row] - _TAIL_BYTES), ends[row] - 2):
            found |= data[at] == data[at + 1] == data[at + 2] == 0x2E or (
                data[at] == 0xE2 and data[at + 1] == 0x80 and data[at + 2] == 0xA6
            )
        mask[row] = found

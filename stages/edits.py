"""Edits: what stages propose to remove from inside a document, and the one policy that decides what is removed.

A stage that proposes (`Stage.proposes`) adds a column `<key>_spans`: for each document a list of spans, byte offsets in the normalised
text, each with the rule that wants it gone. Nothing is removed until all have spoken: `decide` unites the spans of one document and

- above 50 % of its characters removes nothing: the stage that proposed them speaks against the document;
- from 5 % to 50 % removes them only if all are whole lines (or datelines and the like), each at an edge of the document or a paragraph
  of its own; otherwise the text stays whole and `edit_share` marks the document for a lower weight: what would be left is no text that
  anybody wrote;
- below 5 % removes them all.

Where the union stays in because of passages that another document keeps (`partner`), the rest is decided without them: a repeated text is
text, and its header and footer are none.

A span with a `replacement` is a mask: it hides something (an address, a key) and is applied whatever becomes of the removals, since what
it hides must not be in the corpus; where a removal takes its place, that is enough. A question of an evaluation set (`CONTAMINATION`) goes
likewise, though nothing stands in its place.

So that the rest still reads, a cut takes its line end with it, or the spaces on one side; blank lines above and below do not add up.
Source: FineWeb (Penedo et al. 2024, 3.4) found that models get worse when lines are de-duplicated away inside documents. Bounds are ours.
Every cut is reversible: `rebuild` gives the normalised text byte by byte.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

FREE_SHARE = 0.05
"""Up to this share of its characters a document is cut wherever the rules say."""
DROP_SHARE = 0.5
"""Above this share nothing is cut: the document is none without it."""
EDGE_SHARE = 0.1
"""What follows at most this share of the kept bytes, or is followed by as little, stands at an edge."""

EDGE_CLAUSE = "edge_boilerplate"
"""The rule whose spans are no part of the sentence beside them, such as a dateline: at an edge they go like whole lines."""

CONTAMINATION = "contamination"
"""The rule whose spans must go whatever becomes of the others; `stages.decontaminate` bounds what it takes."""

SPANS = pa.list_(pa.struct([pa.field("start", pa.int64()), pa.field("end", pa.int64()), pa.field("rule", pa.string())]))
"""Type of a column of proposals. A stage that knows them adds `partner` (an id), `similarity` and `replacement` to the struct."""

EDITS = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("rule", pa.string()),
        pa.field("partner", pa.string()),
        pa.field("similarity", pa.float64()),
        pa.field("removed", pa.large_string()),  # null for what a mask hides, also where a cut took it along
        pa.field("replacement", pa.string()),
    ]
)
"""A row of `OUT/edits/` for each cut, in the order of documents and offsets."""

_TERMINALS = ".!?;:…。！？；：\"'”’」』）)》】"


def spans_column(key: str) -> str:
    """Name of the column of proposals of a stage."""
    return f"{key}_spans"


class Span(NamedTuple):
    """Bytes `start` to `end` of a normalised text, and who wants them gone."""

    start: int
    end: int
    rule: str
    partner: str | None = None
    similarity: float | None = None
    replacement: str = ""
    """What stands there instead: a mask."""


class Decision(NamedTuple):
    """What happens to one document."""

    cuts: tuple[Span, ...]
    """Disjoint, ascending; empty if nothing is removed or masked."""
    edit_share: float
    """Share of the characters that was proposed and left in the text; 0 if all was cut."""
    cut_share: float
    """Share of the characters that is removed; masks do not count."""


def decide(spans: Iterable[Span], text: bytes) -> Decision:
    r"""Unite the proposals for one normalised text, which is valid UTF-8, and apply the policy. Overlaps go to the earlier span.

    >>> decide([Span(15, 24, "boilerplate")], b"A body of text\nRead more").cuts
    (Span(start=14, end=24, rule='boilerplate', partner=None, similarity=None, replacement=''),)
    >>> decide([Span(0, 10, "boilerplate")], b"Read more.").edit_share
    1.0
    """
    spans = list(spans)
    masks = _disjoint(span for span in spans if _must_go(span))
    decision = _removals([span for span in spans if not _must_go(span)], text)
    if not masks:
        return decision
    cuts = _with_masks(decision.cuts, masks)
    if not remove(text, cuts).strip():  # what must go and what may go are all that there is
        cuts, decision = tuple(masks), Decision((), 0.0, 0.0)
    gone = sum(_num_chars(text[cut.start : cut.end]) for cut in cuts if cut.rule == CONTAMINATION)
    return decision._replace(cuts=cuts, cut_share=decision.cut_share + gone / _num_chars(text))


def _must_go(span: Span) -> bool:
    return bool(span.replacement) or span.rule == CONTAMINATION


def _removals(spans: Sequence[Span], text: bytes) -> Decision:
    """The policy on what is to go without replacement: all of it, or all but what repeats another document."""
    decision = _together(_disjoint(spans), text)
    own = _disjoint(span for span in spans if span.partner is None)
    if decision.cuts or not own:
        return decision
    others = _together(own, text)
    left = decision.edit_share - _share(own, text)
    return others._replace(edit_share=left) if others.cuts else decision


def _together(proposed: Sequence[Span], text: bytes) -> Decision:
    if not proposed:
        return Decision((), 0.0, 0.0)
    share = _share(proposed, text)
    groups = _groups(proposed, text)
    if share > DROP_SHARE or (share > FREE_SHARE and not _all_stand_alone(groups, text)):
        return Decision((), share, 0.0)
    text_end = len(text.rstrip())
    cuts = tuple(cut for group in groups for cut in _tidy(group, text, text_end))
    kept = remove(text, cuts)
    if not kept.strip():
        return Decision((), share, 0.0)
    return Decision(cuts, 0.0, 1 - _num_chars(kept) / _num_chars(text))


def _share(cuts: Iterable[Span], text: bytes) -> float:
    return sum(_num_chars(text[cut.start : cut.end]) for cut in cuts) / _num_chars(text)


def _with_masks(cuts: Sequence[Span], masks: Sequence[Span]) -> tuple[Span, ...]:
    """Both in one ascending row: of a mask, what no cut takes."""
    left = []
    for mask in masks:
        start = mask.start
        for cut in cuts:
            if start < cut.end and cut.start < mask.end:
                left.append(mask._replace(start=start, end=max(start, cut.start)))
                start = cut.end
        left.append(mask._replace(start=start))
    return tuple(sorted([*cuts, *(mask for mask in left if mask.start < mask.end)], key=lambda span: span.start))


def remove(text: bytes, cuts: Sequence[Span]) -> bytes:
    """The text without the cuts, which are disjoint and ascending, and with what replaces them."""
    pieces, at = [], 0
    for cut in cuts:
        pieces += [text[at : cut.start], cut.replacement.encode()]
        at = cut.end
    return b"".join([*pieces, text[at:]])


def rebuild(edited: bytes, cuts: Iterable[tuple[int, bytes, bytes]]) -> bytes:
    """The normalised text again, from (start, removed bytes, replacement) of each cut in ascending order.

    >>> rebuild(b"a-d", [(1, b"bc", b"-")])
    b'abcd'
    """
    pieces, taken, length = [], 0, 0
    for start, removed, replacement in cuts:
        pieces += [edited[taken : taken + start - length], removed]
        taken += start - length + len(replacement)
        length = start + len(removed)
    return b"".join([*pieces, edited[taken:]])


def _num_chars(text: bytes) -> int:
    return len(text.decode(errors="replace"))


def _disjoint(spans: Iterable[Span]) -> list[Span]:
    """Ascending spans without overlap: what two want goes to the one that begins earlier, the longer, the first by rule."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end, s.rule)):
        start = max(span.start, found[-1].end) if found else span.start
        if start < span.end:
            found.append(span._replace(start=start))
    return found


def _groups(cuts: Sequence[Span], text: bytes) -> list[list[Span]]:
    """Cuts with nothing but white space between them."""
    groups: list[list[Span]] = []
    for cut in cuts:
        if groups and not text[groups[-1][-1].end : cut.start].strip():
            groups[-1].append(cut)
        else:
            groups.append([cut])
    return groups


def _line_bounds(group: Sequence[Span], text: bytes) -> tuple[int, int, bool]:
    """Begin of the first line and end of the last line of a group, and whether the group is all that stands there."""
    start, end = group[0].start, group[-1].end
    begin = text.rfind(b"\n", 0, start) + 1
    stop = text.find(b"\n", end)
    stop = len(text) if stop < 0 else stop
    return begin, stop, not text[begin:start].strip() and not text[end:stop].strip()


def _all_stand_alone(groups: Sequence[Sequence[Span]], text: bytes) -> bool:
    """Whether each group is whole lines, and at an edge or a paragraph of its own."""
    kept = len(text) - sum(cut.end - cut.start for group in groups for cut in group)
    removed = 0
    for group in groups:
        begin, stop, whole = _line_bounds(group, text)
        before = group[0].start - removed
        size = sum(cut.end - cut.start for cut in group)
        edge = min(before, kept - before) <= EDGE_SHARE * kept
        paragraph = _ends_paragraph(text[max(0, begin - 6) : begin])
        if all(cut.rule == EDGE_CLAUSE for cut in group):
            whole |= not text[begin : group[0].start].strip() or not text[group[-1].end : stop].strip()
        if not (whole and (edge or paragraph)):
            return False
        removed += size
    return True


def _ends_paragraph(above: bytes) -> bool:
    """Whether a paragraph begins after these bytes, the last before a line: none, a blank line, or one that ends a sentence."""
    above = above.removesuffix(b"\n")
    return not above or above.endswith(b"\n") or above.decode(errors="ignore")[-1:] in _TERMINALS


def _tidy(group: Sequence[Span], text: bytes, text_end: int) -> list[Span]:
    """The cuts of one group joined, and widened by the white space that would be left over. The text ends in white space at `text_end`."""
    begin, stop, whole = _line_bounds(group, text)
    if whole:
        start, end = _widened_lines(begin, stop, text, text_end)
    else:
        start, end = _widened_sentence(group[0].start, group[-1].end, stop, text)
    starts = [start, *(cut.start for cut in group[1:])]
    ends = [*(cut.start for cut in group[1:]), end]
    return [cut._replace(start=s, end=e) for cut, s, e in zip(group, starts, ends, strict=True)]


def _widened_lines(start: int, end: int, text: bytes, text_end: int) -> tuple[int, int]:
    """With the line end below; with the blank lines below, if there is a blank line above; at the end of the text, those above."""
    top = start
    while top and text[top - 1] == 10:
        top -= 1
    if end >= text_end:
        return top, len(text)
    end += 1
    if top == 0 or start - top >= 2:
        while text[end] == 10:
            end += 1
        start = min(start, top + 2) if top else 0
    return start, end


def _widened_sentence(start: int, end: int, stop: int, text: bytes) -> tuple[int, int]:
    """With the spaces behind it; at the end of its line, with those before it."""
    if not text[end:stop].strip():
        while text[start - 1 : start] in (b" ", b"\t"):
            start -= 1
        return start, stop
    while text[end : end + 1] in (b" ", b"\t"):
        end += 1
    return start, end

"""One document for the inspector: its text with what was cut marked by rule, its duplicate beside it, its signals."""

from collections.abc import Callable
from typing import Any

from rich.text import Text

from pipeline import lookup
from pipeline.diff import aligned
from pipeline.explain import story
from pipeline.output import LEDGER
from pipeline.report.examples import masked

Segment = dict[str, Any]


def document(run_folder: str, document_id: str, mask: bool = True) -> dict[str, Any]:
    """`facts`, `signals`, `text` as segments, and `diff` as rows of two lists of segments where it duplicates another.

    A segment is `{"text", "kind": plain | cut | mask, "rule", "partner", "similarity"}`. With `mask` personal data is hidden, also where
    the run did not look for any; masks of the run itself cannot be lifted. Raises `InputError` for an id that is not in the ledger.
    """
    row = story(run_folder, document_id)
    show = masked if mask else str
    text, partner = row["text"], row["partner_text"]
    found: dict[str, Any] = {
        "facts": {name: row[name] for name in LEDGER if name in row} | {"reasons": row["reasons"]},
        "signals": {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in row.items()
            if name not in (*LEDGER, "text", "partner_text", "edits", "contamination", "reasons")
        },
        "text": None if text is None else _segments(text, row["edits"], show),
        "diff": None,
    }
    if text is not None and partner is not None:
        whole = lookup.put_back(text, row["edits"])
        found["diff"] = [[_styled(one), _styled(two)] for one, two in aligned(show(whole), show(partner))]
    return found


def _segments(text: str, edits: list[dict[str, Any]], show: Callable[[str], str]) -> list[Segment]:
    """The edited text with its cuts put back as segments of their own."""
    found: list[Segment] = []
    for stretch, cut in lookup.stretches(text, edits):
        if cut is None:
            found.append({"text": show(stretch), "kind": "plain"})
        else:
            about = {name: cut[name] for name in ("rule", "partner", "similarity")}
            kind, shown = ("mask", cut["replacement"]) if cut["replacement"] else ("cut", show(cut["removed"] or ""))
            found.append({"text": shown, "kind": kind, **about})
    return [segment for segment in found if segment["text"]]


def _styled(line: Text) -> list[list[str]]:
    """[[text, style]] of a line; styles are `red`, `green`, `dim` or none."""
    marks = {span.start: span for span in line.spans}
    found, place = [], 0
    while place < len(line.plain):
        span = marks.get(place)
        end = span.end if span else min((start for start in marks if start > place), default=len(line.plain))
        style = str(span.style) if span else str(line.style)
        found.append([line.plain[place:end], style.removeprefix("bold ")])
        place = end
    return found

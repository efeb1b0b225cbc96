"""The cuts of a shard: what all stages proposed for its kept documents is united, decided and applied once, when the corpus is written."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.judge import Mask
from stages.edits import EDITS, Span, decide, remove, spans_column
from stages.stage import Stage


class Edited(NamedTuple):
    """Columns of a shard after its cuts, each with a value for every row, and the cuts themselves."""

    text: pa.Array
    num_chars: npt.NDArray[np.int64]
    num_bytes: npt.NDArray[np.int64]
    edit_share: npt.NDArray[np.float32]
    """Share of characters that was proposed and left in; 0 where all was cut, and for rejected documents, whose text stays as it is."""
    cut_share: npt.NDArray[np.float32]
    cuts: pa.Table
    """Rows of `stages.edits.EDITS`."""


def span_columns(stages: Sequence[Stage]) -> list[str]:
    """Columns of proposals in a shard: of the stages that look at one document at a time."""
    names = {field.name for stage in stages for field in stage.adds()}
    return [name for stage in stages if stage.proposes and (name := spans_column(stage.key)) in names]


def edit(columns: pa.Table, proposals: pa.Table, kept: Mask) -> Edited:
    """Apply the policy of `stages.edits` to each kept row. `columns` has final ids, text and sizes, `proposals` the span columns."""
    num_rows = columns.num_rows
    num_chars, num_bytes = (columns[name].to_numpy().copy() for name in ("num_chars", "num_bytes"))
    edit_share, cut_share = np.zeros(num_rows, np.float32), np.zeros(num_rows, np.float32)
    proposed = sum((pc.list_value_length(column).to_numpy() for column in proposals.columns), np.zeros(num_rows, np.int64)) > 0
    rows = np.flatnonzero(kept & proposed)
    changed, texts, cuts = [], [], []
    for row, identifier, text, spans in _proposals(columns, proposals, rows):
        decision = decide(spans, text)
        edit_share[row], cut_share[row] = decision.edit_share, decision.cut_share
        if decision.cuts:
            edited = remove(text, decision.cuts).decode()
            num_chars[row], num_bytes[row] = len(edited), len(edited.encode())
            changed.append(row)
            texts.append(edited)
            cuts += _cut_rows(identifier, text, decision.cuts, spans)
    text = _replaced(columns["text"], changed, texts)
    return Edited(text, num_chars, num_bytes, edit_share, cut_share, pa.Table.from_pylist(cuts, schema=EDITS))


def _proposals(columns: pa.Table, proposals: pa.Table, rows: npt.NDArray[np.int64]) -> list[tuple[int, str, bytes, list[Span]]]:
    """(row, id, text, spans of all stages) of some rows."""
    at = pa.array(rows)
    ids, texts = (columns[name].take(at).to_pylist() for name in ("id", "text"))
    by_stage = [column.take(at).to_pylist() for column in proposals.columns]
    found = []
    for number, row in enumerate(rows.tolist()):
        spans = [Span(**{k: v for k, v in span.items() if v is not None}) for column in by_stage for span in column[number] or ()]
        found.append((row, ids[number], texts[number].encode(), spans))
    return found


def _cut_rows(identifier: str, text: bytes, cuts: Sequence[Span], spans: Sequence[Span]) -> list[dict[str, object]]:
    """What a mask hides is not repeated here: a removal that takes it along is parted there, and nothing stands for it."""
    masks = sorted((span for span in spans if span.replacement), key=lambda span: span.start)
    parts: list[tuple[Span, bool]] = []
    for cut in cuts:
        start = cut.start
        for mask in () if cut.replacement else masks:
            if start < mask.end and mask.start < cut.end:
                hidden = mask._replace(start=max(start, mask.start), end=min(mask.end, cut.end), replacement="")
                parts += [(cut._replace(start=start, end=hidden.start), True), (hidden, False)]
                start = hidden.end
        parts.append((cut._replace(start=start), not cut.replacement))
    return [
        {"id": identifier, **cut._asdict(), "removed": text[cut.start : cut.end].decode() if shown else None}
        for cut, shown in parts
        if cut.start < cut.end
    ]


def _replaced(column: pa.ChunkedArray, rows: list[int], texts: list[str]) -> pa.Array:
    """The column with some rows exchanged."""
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], column.type)
    if not rows:
        return whole
    places = np.arange(len(whole))
    places[rows] = len(whole) + np.arange(len(rows))
    return pa.concat_arrays([whole, pa.array(texts, whole.type)]).take(pa.array(places))

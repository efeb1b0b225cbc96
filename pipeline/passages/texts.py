"""The texts that the passes compare, as sentences, and which of these are free to go or to own.

Of this run those of all documents that stand: nothing speaks against them, and they duplicate no other. Of an earlier run those of the
documents that it kept, and of these what stands in its corpus: a sentence that was cut there is no copy that another may go for. A
sentence of which a dateline was cut counts whole, since the dateline is boilerplate wherever it stands.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import arrow_files, contamination, judge, storage
from pipeline.dedup.decide import clean_of
from pipeline.edit import span_columns
from pipeline.exchange import Exchange, Int64s
from pipeline.judge import Mask, Shard
from stages.dedup.sentence_stage import EDGE, NEAR_REPEATED, REPEATED
from stages.stage import Stage
from stages.text.buffers import TextBuffer, text_buffer
from stages.text.units import Units, units

RULES = (REPEATED, NEAR_REPEATED, EDGE)


@dataclass(frozen=True)
class Standing:
    """What decided so far which documents are kept."""

    shard: Shard
    stages: tuple[Stage, ...]
    ids: Exchange
    capped: Exchange | None
    survivors: Exchange | None

    def columns(self) -> tuple[pa.Table, Mask]:
        """Light columns with final ids, and which rows stand."""
        shard = self.shard
        columns = shard.columns()
        ids = final_ids(shard, columns, self.ids)
        columns = columns.set_column(columns.schema.get_field_index("id"), "id", ids)
        if shard.earlier:
            return columns, shard.taking_part()
        if self.survivors is None:
            capped = self.capped.answered(shard.index) if self.capped else None
            return columns, ~judge.any_reason(judge.verdicts(self.stages, columns, capped), shard.num_rows)
        stands = np.array(arrow_files.read_table(clean_of(self.survivors, shard.index))["clean"])
        answers = self.survivors.answered(shard.index)
        gone = (answers["kind"].to_numpy() != 0) | np.asarray(answers["held_out"])
        stands[answers["row"].to_numpy()[gone]] = False
        return columns, stands


class Texts(NamedTuple):
    """Some documents of a shard with their sentences."""

    rows: Int64s
    text: TextBuffer
    units: Units
    countable: Mask
    """Sentences whose pieces are counted: those of an earlier run also where it cut them as repeats or boilerplate."""

    def places(self, first: Int64s, last: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """Document number, start and end in the document of stretches of sentences."""
        document = np.searchsorted(self.units.offsets, first, "right") - 1
        base = self.text.offsets[document]
        return document, self.units.start[first] - base, self.units.end[last] - base


def texts(standing: Standing, columns: pa.Table, rows: Int64s) -> Texts:
    """Read documents; sentences that another stage removes, wholly or in part, are not free. `columns` are as `standing` gave them."""
    shard = standing.shard
    names = [] if shard.earlier else span_columns(standing.stages)
    table = arrow_files.read_table(shard.uri, ["text", *names])
    at = pa.array(rows)
    text = text_buffer(table["text"].combine_chunks().take(at)).read_only()
    found = units(text)
    if shard.earlier:
        return _as_published(shard, columns["id"].combine_chunks().take(at), Texts(rows, text, found, found.free))
    free = found.free
    for spans in contamination.with_proposals(table.drop_columns("text"), standing.stages, columns).columns:
        column = spans.combine_chunks().take(at)
        document = np.repeat(np.arange(len(rows)), np.diff(column.offsets.to_numpy()))
        flat = column.flatten()
        start, end = (flat.field(edge).to_numpy() + text.offsets[document] for edge in ("start", "end"))
        if "replacement" in {field.name for field in flat.type}:  # a mask leaves its sentence
            removal = np.asarray(pc.equal(pc.fill_null(flat.field("replacement"), ""), ""))
            start, end = start[removal], end[removal]
        free = free & ~_touched(found, start, end)
    return Texts(rows, text, found._replace(free=free), free)


def final_ids(shard: Shard, columns: pa.Table, repeats: Exchange) -> pa.Array:
    """Ids unique in the run; of an earlier run's shard those that it gave."""
    return judge.ids_of(shard, columns) if shard.earlier else judge.final_ids(columns, repeats.answered(shard.index))[0]


def _as_published(shard: Shard, ids: pa.Array, found: Texts) -> Texts:
    """Documents of an earlier run without the sentences that it cut."""
    ledger, _, part = shard.earlier.rpartition("/")
    uri = storage.join(ledger.rpartition("/")[0], "edits", part)
    if not storage.exists(uri):
        return found
    with storage.open_input(uri) as file:
        cuts = pq.read_table(file, columns=["id", "start", "end", "rule", "replacement"])
    cuts = cuts.append_column("document", pc.index_in(cuts["id"], value_set=ids))
    cuts = cuts.filter(pc.and_(pc.is_valid(cuts["document"]), pc.equal(pc.fill_null(cuts["replacement"], ""), "")))
    base = found.text.offsets[cuts["document"].to_numpy()]
    start, end = (cuts[edge].to_numpy() + base for edge in ("start", "end"))
    ours = np.asarray(pc.is_in(cuts["rule"], value_set=pa.array(RULES)))
    edge = np.asarray(pc.equal(cuts["rule"], EDGE))
    countable = found.countable & ~_touched(found.units, start[~ours], end[~ours])
    repeats = _touched(found.units, start[ours & ~edge], end[ours & ~edge])
    first, behind = np.searchsorted(found.units.start, start[edge]), np.searchsorted(found.units.end, end[edge], "right")
    free = countable & ~repeats & ~_covered(found.units, first, behind)
    return found._replace(units=found.units._replace(free=free), countable=countable)


def _touched(found: Units, start: Int64s, end: Int64s) -> Mask:
    """Sentences of which a stretch holds a part."""
    return _covered(found, np.searchsorted(found.end, start, "right"), np.searchsorted(found.start, end, "left"))


def _covered(found: Units, first: npt.NDArray[np.intp], behind: npt.NDArray[np.intp]) -> Mask:
    """Sentences from `first` on and before `behind`; none where that is no further."""
    some = first < behind
    change = np.zeros(len(found.start) + 1, np.int64)
    np.add.at(change, first[some], 1)
    np.add.at(change, behind[some], -1)
    return np.asarray(np.cumsum(change)[:-1] > 0)

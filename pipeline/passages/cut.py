"""Cut: each shard gathers what was found in its documents as spans, and asks the owners' shards for their ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import arrow_files, storage
from pipeline.exchange import Exchange, Int64s
from pipeline.judge import Shard
from pipeline.passages.repeats import REPEAT_ANSWERS, Sentences
from pipeline.passages.send import UNITS, Local
from pipeline.passages.texts import RULES, final_ids
from stages.dedup.grouping import by_number
from stages.dedup.passages import runs
from stages.dedup.sentence_stage import EDGE, NEAR_REPEATED, REPEATED, SentenceDedup
from stages.text.buffers import text_buffer
from stages.text.kernel import kernel

_I32, _I64, _U64 = pa.int32(), pa.int64(), pa.uint64()
SPANS = pa.schema({"row": _I32, "start": _I64, "end": _I64, "rule": pa.int8(), "owner": _I64, "similarity": pa.float64()})
"""What is proposed, ordered by row, start, longest first; `rule` is the place in `RULES`, `owner` -1 for edges."""
SHARES = pa.schema({"row": _I32, "share": pa.float64(), "owner": _I64})
"""Share of a document's characters in passages that others own, and the one that owns most of them."""
ASKS = pa.schema({"doc": _I64, "owner": _I64})
OWNER_ANSWERS = pa.schema({"doc": _I64, "owner": _I64, "id": pa.string()})
"""Who the owners are that a document asked for; to an owner that it is relied on, with `owner` -1 and no id."""


@dataclass(frozen=True)
class CutWork:
    """A shard and all answers that it got."""

    shard: Shard
    stage: SentenceDedup
    shared: Exchange
    repeats: Exchange
    edges: Exchange
    best: Exchange | None
    local: Local
    owners: Exchange


def spans_of(owners: Exchange, shard: int) -> str:
    """File of a shard's `SPANS`."""
    return storage.join(owners.folder, f"spans-{shard:06d}.arrow")


def shares_of(owners: Exchange, shard: int) -> str:
    """File of a shard's `SHARES`."""
    return storage.join(owners.folder, f"shares-{shard:06d}.arrow")


def cut(work: CutWork) -> dict[str, Any]:
    """Write the spans of the shard, and ask for the ids of the owners."""
    shard = work.shard
    spans = pa.concat_tables([_exact(work), _near(work), _edges(work)])
    if work.stage.exempt_domains:
        domains = shard.columns(["domain"])["domain"].take(spans["row"])
        spans = spans.filter(pc.invert(pc.is_in(domains, value_set=pa.array(work.stage.exempt_domains, pa.string()))))
    order = np.lexsort(
        tuple(spans[name].to_numpy() * sign for name, sign in (("owner", 1), ("rule", 1), ("end", -1), ("start", 1), ("row", 1)))
    )
    spans = spans.take(pa.array(order)).combine_chunks()
    arrow_files.write_batches(spans_of(work.owners, shard.index), SPANS, spans.to_batches())
    shares = _shares(shard, spans)
    arrow_files.write_batches(shares_of(work.owners, shard.index), SHARES, [shares])
    docs = shard.documents()[spans["row"].to_numpy()]
    owner = spans["owner"].to_numpy()
    others = (owner >= 0) & (owner != docs)
    asked = np.unique(np.stack([docs[others], owner[others]], axis=1), axis=0)
    rows = pa.RecordBatch.from_arrays([pa.array(asked[:, 0]), pa.array(asked[:, 1])], schema=ASKS)
    work.owners.send(shard.index, rows, (asked[:, 1] >> 32) % work.owners.partitions)
    return {"spans": spans.num_rows, "asked": len(asked)}


def _table(row: npt.NDArray[Any], start: Int64s, end: Int64s, rule: str, owner: Int64s, similarity: npt.NDArray[np.float64]) -> pa.Table:
    values = [row.astype(np.int32), start, end, np.full(len(row), RULES.index(rule), np.int8), owner, similarity]
    arrays = [pa.array(v, field.type) for v, field in zip(values, SPANS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SPANS)


def _exact(work: CutWork) -> pa.Table:
    """Passages that stand word for word elsewhere."""
    answers = work.repeats.answered(work.shard.index)
    row, place, length, owner = (answers[name].to_numpy() for name in ("row", *REPEAT_ANSWERS.names[1:]))
    order = np.lexsort((length, place, row))
    row, place, length, owner = row[order], place[order], length[order], owner[order]
    kept = Sentences.read(work.local, row)
    repeated = runs(kept.units, kept.units.offsets[kept.document] + place, length, owner, work.stage.bounds)
    document = np.searchsorted(kept.units.offsets, repeated.first, "right") - 1
    start, end = kept.units.start[repeated.first], kept.units.end[repeated.last]
    return _table(kept.rows[document], start, end, REPEATED, repeated.owner, np.ones(len(start)))


def _near(work: CutWork) -> pa.Table:
    """Units that stand elsewhere with small changes."""
    if work.best is None:
        return SPANS.empty_table()
    answers = work.best.answered(work.shard.index)
    answers = answers.filter(pc.greater_equal(answers["owner"], 0))
    units = work.local.read("units").take(answers["row"])
    row, start, end = (units[name].to_numpy() for name in ("row", "start", "end"))
    return _table(row, start, end, NEAR_REPEATED, answers["owner"].to_numpy(), answers["similarity"].to_numpy())


def _edges(work: CutWork) -> pa.Table:
    """Pieces at edges that are boilerplate, but for sentences of a passage that this document may keep for others."""
    boilerplate = pa.concat_arrays([pa.array([], _U64), *(batch["hash"] for batch in work.edges.all_answers(("hash",)))])
    pieces = work.local.read("edges")
    pieces = pieces.filter(pc.is_in(pieces["hash"], value_set=boilerplate)).combine_chunks()
    row, start, end = (pieces[name].to_numpy() for name in ("row", "start", "end"))
    free = ~_held(work, row, end)
    nobody = np.full(int(free.sum()), -1, np.int64)
    return _table(row[free], start[free], end[free], EDGE, nobody, np.full(len(nobody), np.nan))


def _held(work: CutWork, row: npt.NDArray[np.int32], end: Int64s) -> npt.NDArray[np.bool_]:
    """Which pieces end a sentence of a passage that other documents share, or of the best of similar units: all others may go for it.

    An opening ends within a sentence, so a dateline before a shared passage still goes.
    """
    answers = work.shared.answered(work.shard.index)
    answers = answers.filter(answers["elsewhere"]).combine_chunks()
    order = np.lexsort(tuple(answers[name].to_numpy() for name in ("length", "place", "row")))
    rows, place, length = (answers[name].to_numpy()[order] for name in ("row", "place", "length"))
    best = _best_units(work)
    kept = Sentences.read(work.local, np.concatenate([rows, best["row"].to_numpy()]))
    exact, similar = np.split(kept.document, [len(rows)])
    nobody = np.zeros(len(rows), np.int64)
    held = runs(kept.units, kept.units.offsets[exact] + place, length, nobody, work.stage.bounds)
    document = np.repeat(np.arange(len(kept.rows)), np.diff(kept.units.offsets))
    first = np.searchsorted(document << 32 | kept.units.start, similar << 32 | best["start"].to_numpy())
    last = np.searchsorted(document << 32 | kept.units.end, similar << 32 | best["end"].to_numpy())
    inside = np.zeros(len(kept.units.start) + 1, np.int64)
    np.add.at(inside, np.concatenate([held.first, first]), 1)
    np.add.at(inside, np.concatenate([held.last, last]) + 1, -1)
    units = np.flatnonzero(np.cumsum(inside)[:-1])
    ends = set(zip(kept.rows[document[units]].tolist(), kept.units.end[units].tolist(), strict=True))
    return np.fromiter((piece in ends for piece in zip(row.tolist(), end.tolist(), strict=True)), np.bool_, len(row))


def _best_units(work: CutWork) -> pa.Table:
    """The units of this shard that similar ones go for."""
    if work.best is None:
        return UNITS.empty_table()
    answers = work.best.answered(work.shard.index)
    return work.local.read("units").take(answers["row"].filter(pc.less(answers["owner"], 0)))


def _shares(shard: Shard, spans: pa.Table) -> pa.RecordBatch:
    """How much of each document others own. Where spans overlap, the first has it."""
    row, start, end, owner = (spans[name].to_numpy() for name in ("row", "start", "end", "owner"))
    others = (owner >= 0) & (owner != shard.documents()[row])
    row, start, end, owner = row[others], start[others], end[others], owner[others]
    rows, document = np.unique(row, return_inverse=True)
    text = text_buffer(arrow_files.read_table(shard.uri, ["text"])["text"].combine_chunks().take(pa.array(rows))).read_only()
    base = text.offsets[document]
    chars = np.zeros(len(start), np.int64)
    _count(text.data, start + base, end + base, chars)
    whole = np.zeros(len(rows), np.int64)
    _count(text.data, text.offsets[:-1], text.offsets[1:], whole)
    pairs, which = np.unique(np.stack([document, owner], axis=1), axis=0, return_inverse=True)
    owned = np.bincount(which.reshape(-1), chars, len(pairs))
    order = np.lexsort((pairs[:, 1], -owned, pairs[:, 0]))
    most = order[np.searchsorted(pairs[order, 0], np.arange(len(rows)))]
    share = np.bincount(document, chars, len(rows)) / np.maximum(whole, 1)
    return pa.RecordBatch.from_arrays([pa.array(rows, _I32), pa.array(share), pa.array(pairs[most, 1], _I64)], schema=SHARES)


@kernel
def _count(data, start, end, chars):  # type: ignore[no-untyped-def]
    """Characters of each stretch that no stretch before it has; ordered by start."""
    reach = np.int64(0)
    for number in range(len(start)):
        for at in range(max(start[number], reach), end[number]):
            chars[number] += data[at] & 0xC0 != 0x80
        reach = max(reach, end[number])


@dataclass(frozen=True)
class OwnersWork:
    """One partition of the asks: those for documents of these shards."""

    shards: tuple[Shard, ...]
    partition: int
    ids: Exchange
    owners: Exchange


def tell_ids(work: OwnersWork) -> dict[str, Any]:
    """Answer who the owners are, and tell them that they are relied on, but for those of earlier runs, which stay in any case."""
    asked = work.owners.received(work.partition)
    docs, owner = asked["doc"].to_numpy(), asked["owner"].to_numpy()
    order, bounds = by_number(owner >> 32, 1 + max((shard.index for shard in work.shards), default=0))
    names = [_ids_of(shard, work.ids, owner[order[bounds[shard.index] : bounds[shard.index + 1]]]) for shard in work.shards]
    relied_on = np.unique(owner[owner >> 32 < work.owners.senders])
    columns = {
        "owner": np.concatenate([owner[order], np.full(len(relied_on), -1, np.int64)]),
        "id": pa.concat_arrays([*names, pa.nulls(len(relied_on), pa.string())]),
    }
    docs = np.concatenate([docs[order], relied_on])
    work.owners.answer(work.partition, docs, columns, OWNER_ANSWERS, work.owners.senders)
    return {"owners": len(relied_on)}


def _ids_of(shard: Shard, repeats: Exchange, owner: Int64s) -> pa.Array:
    """Ids of some documents of a shard."""
    if not len(owner):
        return pa.array([], pa.string())
    names: Sequence[str] = ("id", "source", "path", "record")
    return final_ids(shard, shard.columns(names), repeats).take(pa.array(owner & 0xFFFFFFFF))

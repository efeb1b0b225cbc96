"""Send: each shard tells its passages, the pieces at its documents' edges, and its units, from one pass over the texts that are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash
from numba import njit

from pipeline import arrow_files, storage
from pipeline.dedup.send import quality
from pipeline.exchange import Exchange, Int64s
from pipeline.passages.texts import Standing, Texts, texts
from stages.dedup.bands import band_keys, preference
from stages.dedup.edges import count, pieces
from stages.dedup.minhash import has_shingles, signatures
from stages.dedup.near_passages import near_units, numbers
from stages.dedup.passages import passage_keys
from stages.dedup.sentence_stage import SentenceDedup
from stages.schema import doc_reference
from stages.text.buffers import TextBuffer

_I32, _I64, _U64 = pa.int32(), pa.int64(), pa.uint64()
KEY_ROWS = pa.schema({"key": _U64, "doc": _I64, "place": _I32, "length": _I32})
PIECE_ROWS = pa.schema({"hash": _U64, "shard": _I32, "openings": _I32, "documents": _I32, "at_edge": _I32, "occurrences": _I32})
BAND_ROWS = pa.schema({"key": _U64, "unit": _I64, "preference": _I64, "content": _U64, "size": _I32})
DOCUMENTS = pa.schema({"row": _I32, "preference": _I64, "id": _U64, "first": _I32, "num_bytes": _I64})
"""The documents of a shard that stand: by what they are preferred (`id` is a hash), their first sentence, their length."""
SENTENCES = pa.schema({"start": _I32, "end": _I32, "words": _I32, "characters": _I32, "heads": pa.bool_()})
"""Their sentences, by place in the document."""
EDGES = pa.schema({"hash": _U64, "row": _I32, "start": _I64, "end": _I64})
"""Pieces at the edges of a shard's documents."""
UNITS = pa.schema({"row": _I32, "start": _I64, "end": _I64})
"""The units of a shard; a unit's reference is shard << 32 | its row in this file."""

SEED = 1


class Local(NamedTuple):
    """Where a shard keeps what it needs again."""

    folder: str
    shard: int

    def uri(self, name: str) -> str:
        """`documents`, `sentences`, `edges` and `units` of this module, `originals` of `pipeline.passages.repeats`."""
        return storage.join(self.folder, f"{name}-{self.shard:06d}.arrow")

    def keep(self, name: str, values: Sequence[npt.NDArray[Any]], schema: pa.Schema) -> None:
        """Write columns."""
        batch = pa.RecordBatch.from_arrays([pa.array(v) for v in values], schema=schema)
        arrow_files.write_batches(self.uri(name), schema, [batch])

    def read(self, name: str) -> pa.Table:
        """What was kept."""
        return arrow_files.read_table(self.uri(name)).combine_chunks()


@dataclass(frozen=True)
class SendWork:
    """A shard and the rounds that it takes part in."""

    standing: Standing
    stage: SentenceDedup
    keys: Exchange
    pieces: Exchange
    bands: Exchange | None
    local: Local


def send(work: SendWork) -> dict[str, Any]:
    """Send keys and pieces of all documents that stand; reports how many they are, and the units."""
    shard = work.standing.shard
    columns, stands = work.standing.columns()
    rows = np.flatnonzero(stands)
    ids = columns["id"].combine_chunks().take(pa.array(rows)).cast(pa.binary()).to_pylist()
    hashes = np.fromiter(map(xxhash.xxh3_64_intdigest, ids), np.uint64, len(ids))
    preferred = preference(quality(columns), columns["num_chars"].to_numpy())[rows]
    found = texts(work.standing, columns, rows)
    units = found.units
    first = units.offsets[:-1].astype(np.int32)
    work.local.keep("documents", [rows.astype(np.int32), preferred, hashes, first, found.text.lengths()], DOCUMENTS)
    base = np.repeat(found.text.offsets[:-1], np.diff(units.offsets))
    places: list[npt.NDArray[Any]] = [(units.start - base).astype(np.int32), (units.end - base).astype(np.int32)]
    work.local.keep("sentences", [*places, units.words, units.characters, units.heads], SENTENCES)
    _send_keys(work, found)
    source = columns["source"][0].as_py() if columns.num_rows else None
    _send_pieces(work, found)
    if shard.earlier:  # they stay whatever comes
        preferred = np.full(len(rows), np.iinfo(np.int64).max)
    num_units = _send_units(work, found, preferred) if work.bands is not None else 0
    return {"documents": len(rows), "source": source, "sentences": len(found.units.start), "units": num_units}


def _send_keys(work: SendWork, found: Texts) -> None:
    keys = passage_keys(found.units, work.stage.bounds)
    document = np.searchsorted(found.units.offsets, keys.first, "right") - 1
    docs = work.standing.shard.documents()[found.rows][document]
    place = (keys.first - found.units.offsets[document]).astype(np.int32)
    send_rows(work.keys, work.standing.shard.index, [keys.hashes, docs, place, keys.length], KEY_ROWS)


def _send_pieces(work: SendWork, found: Texts) -> None:
    shard = work.standing.shard.index
    candidates = pieces(found.text, found.units._replace(free=found.countable))
    document = np.searchsorted(found.units.offsets, candidates.unit, "right") - 1
    counts = count(candidates, document, shard)
    send_rows(work.pieces, shard, [counts.hashes, *(field.astype(np.int32) for field in counts[1:])], PIECE_ROWS)
    at, document = candidates.at_edge, document[candidates.at_edge]
    base = found.text.offsets[document]
    row = found.rows[document].astype(np.int32)
    work.local.keep("edges", [candidates.hashes[at], row, candidates.start[at] - base, candidates.end[at] - base], EDGES)


def _send_units(work: SendWork, found: Texts, preferred: Int64s) -> int:
    assert work.bands is not None
    shard = work.standing.shard.index
    near = near_units(found.units, work.stage.single)
    document, start, end = found.places(near.first, near.last)
    base = found.text.offsets[document]
    lanes, facts = np.empty((len(start), work.stage.keys), np.uint32), np.empty(len(start), np.uint64)
    for spaced, shingle in ((True, work.stage.shingle_words), (False, work.stage.shingle)):
        group = np.flatnonzero(near.spaced == spaced)
        text = stretches(found.text, (start + base)[group], (end + base)[group])
        lanes[group] = signatures(text, shingle, work.stage.keys, SEED)
        facts[group] = numbers(text)
    signed = np.flatnonzero(has_shingles(lanes))
    document, keys = document[signed], band_keys(lanes[signed], work.stage.keys) ^ facts[signed, None]  # of other numbers, never compared
    number = np.repeat(np.arange(len(signed)), work.stage.keys)
    described = (preferred[document], near.contents[signed], (end - start)[signed].astype(np.int32))
    values = [keys.ravel(), doc_reference(shard, 0) + number, *(field[number] for field in described)]
    send_rows(work.bands, shard, values, BAND_ROWS)
    work.local.keep("units", [found.rows[document].astype(np.int32), start[signed], end[signed]], UNITS)
    return len(signed)


def send_rows(exchange: Exchange, shard: int, values: Sequence[npt.NDArray[Any]], schema: pa.Schema) -> None:
    """Send rows to the partitions of their first column, which is a hash."""
    rows = pa.RecordBatch.from_arrays([pa.array(v) for v in values], schema=schema)
    exchange.send(shard, rows, values[0] % np.uint64(exchange.partitions))


def stretches(text: TextBuffer, start: Int64s, end: Int64s) -> TextBuffer:
    """Parts of texts, which may overlap, as texts of their own; offsets into the buffer's data."""
    offsets = np.concatenate([[0], np.cumsum(end - start)])
    data = np.empty(offsets[-1], np.uint8)
    _copy(text.read_only().data, start, offsets, data)
    return TextBuffer(data, offsets)


@njit(cache=True, nogil=True)
def _copy(source, start, offsets, data):  # type: ignore[no-untyped-def]
    for number in range(len(start)):
        data[offsets[number] : offsets[number + 1]] = source[start[number] : start[number] + offsets[number + 1] - offsets[number]]

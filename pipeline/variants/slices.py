"""The documents of one seed of one corpus.

Seeds get different documents: texts are dealt by a hash, near-duplicates together, so that a slice of a raw corpus repeats itself as
much as the corpus does. All variants are dealt alike. Were all seeds given the same documents, the spread between them would be that of
training alone, far less than that between two samples of text, and halves of one corpus would differ beyond doubt: two given halves do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from pipeline import storage
from pipeline.dedup.send import content_hashes
from pipeline.parquet_files import write_parquet
from pipeline.variants.frame import UInt64s
from pipeline.variants.overlap import NgramIndex
from pipeline.variants.pieces import in_pieces

MOST_FOUND_SHARE = 0.01
"""The alarm: of the held-out documents no more may be found in a corpus. Removal leaves less: see docs/variants.md."""
FOUND_FROM = 0.5
"""A held-out document is found if a corpus has so many of its runs of tokens, or its very text."""
LEAK_SHARE = 0.1
"""Of the held-out documents, in the control."""
COLUMNS = ("id", "text", "source", "domain", "lang", "sampling_weight", "weight", "repeats")
"""What packing reads; the last two where the corpus has a mixture."""

_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class SliceWork:
    """Which documents of a corpus a seed gets."""

    corpus: str
    """Folder of Parquet files."""
    clusters: str
    """`clusters.parquet` of the held-out text: which contents are near-duplicates."""
    place: int
    """Of the seed among all."""
    num_slices: int
    draw: int
    """Decides which slice a document is dealt to."""
    half: int | None
    """Of the slice only its first (0) or second (1) half; all if none."""
    bucket: tuple[str, int] | None
    """Only documents that a file of ids puts into this bucket."""
    piece_bytes: int
    """See `pieces`; 0: documents stay whole."""
    output: str


def write_slice(work: SliceWork) -> dict[str, Any]:
    """Write the slice as one Parquet file for each of the corpus; documents and bytes, as they lie."""
    clusters = read_parquet(work.clusters)
    known, component = clusters["content"].to_numpy(), clusters["component"].to_numpy()
    chosen = _ids_of(work.bucket) if work.bucket else None
    counts = {"documents": 0, "bytes": 0}
    for name in sorted(storage.list_names(work.corpus)):
        rows = read_parquet(storage.join(work.corpus, name))
        content = content_hashes(rows["content_hash"])[0]
        own = dealt(content, known, component, work.num_slices, work.draw, work.half) == work.place
        if chosen is not None:
            own &= np.asarray(pc.is_in(rows["id"], value_set=chosen))
        rows = rows.filter(pa.array(own))
        counts["documents"] += rows.num_rows
        counts["bytes"] += pc.sum(rows["num_bytes"]).as_py() or 0
        read = in_pieces(rows.select([c for c in COLUMNS if c in rows.column_names]), work.piece_bytes)
        write_parquet(storage.join(work.output, name), read)
    return counts


def dealt(
    content: UInt64s, known: UInt64s, component: UInt64s, num_slices: int, draw: int, half: int | None = None
) -> npt.NDArray[np.int64]:
    """The slice of each content, (n,); -1 for what is not of the wanted half. Contents of a component are dealt together."""
    key = content.copy()
    if len(known):
        place = np.minimum(np.searchsorted(known, content), len(known) - 1)
        key = np.where(known[place] == content, component[place], content)
    key = key ^ np.uint64(xxhash.xxh3_64_intdigest(f"dealt {draw}".encode()))
    mixed = (key ^ key >> np.uint64(30)) * _FIRST
    mixed = (mixed ^ mixed >> np.uint64(27)) * _SECOND
    mixed ^= mixed >> np.uint64(31)
    found = (mixed >> np.uint64(1)) % np.uint64(num_slices)
    if half is None:
        return found.astype(np.int64)
    return np.where(mixed & np.uint64(1) == half, found.astype(np.int64), -1)


def _ids_of(bucket: tuple[str, int]) -> pa.Array:
    rows = read_parquet(bucket[0])
    return rows.filter(pc.equal(rows["bucket"], bucket[1]))["id"].combine_chunks()


@dataclass(frozen=True)
class AlarmWork:
    """A corpus in which held-out text is looked for."""

    corpus: str
    documents: str
    """The held-out documents."""
    ngram: int
    leak_share: float = 0.0
    """The control: look in the corpus and in so many of the held-out documents themselves."""


def sound_alarm(work: AlarmWork) -> dict[str, Any]:
    """How many held-out documents there are, how many were leaked on purpose, and how many are found in the corpus."""
    held = read_parquet(work.documents)
    held = held.filter(held["measured_text"].is_valid())
    texts = held["text"].combine_chunks()
    index = NgramIndex.of(texts, work.ngram)
    met = np.zeros(len(index.known), np.bool_)
    there = np.zeros(len(texts), np.bool_)
    leaked = texts.take(pa.array(np.flatnonzero(np.diff(np.floor(np.arange(len(texts) + 1) * work.leak_share)))))
    parts = (storage.join(work.corpus, name) for name in sorted(storage.list_names(work.corpus)))
    for part in (leaked, *(read_parquet(uri)["text"].combine_chunks() for uri in parts)):
        for begin in range(0, len(part), 1024):
            batch = part.slice(begin, 1024)
            met |= index.shared(batch)[2]
            there |= np.asarray(pc.is_in(texts, value_set=batch))
    found = there | (index.found_share(met) >= FOUND_FROM)
    return {"documents": len(texts), "leaked": len(leaked), "found": int(found.sum())}


def read_parquet(uri: str) -> pa.Table:
    """A whole file."""
    with storage.open_input(uri) as file:
        return pq.read_table(file)

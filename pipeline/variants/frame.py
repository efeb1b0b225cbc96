"""All readable documents of a run before any filter, as arrays: who they are, what they are copies of, and by what they are drawn."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pipeline import judge
from pipeline.dedup.found import Found
from pipeline.dedup.send import content_hashes
from pipeline.variants.names import Names
from stages.dedup.components import forest, join, settle
from stages.dedup.urls import host_of
from stages.dedup.verify import jaccard
from stages.filters.rules import primary_subtag
from stages.mixture.held_out import draws_of

MOST_HOST_SHARE = 0.1
"""A host with more of its domain's documents in a language is no unit that could be held out; its documents are drawn one by one. So is a
file of them."""

UInt64s = npt.NDArray[np.uint64]

_COLUMNS = ("id", "source", "path", "record", "domain", "lang", "url", "content_hash", "num_chars", "num_bytes", "fault")


@dataclass(frozen=True)
class Frame:
    """An entry each document, in the order of shards, (n,)."""

    ids: pa.Array
    reference: npt.NDArray[np.int64]
    """Shard and row, see `stages.schema.doc_reference`."""
    content: UInt64s
    """Equal for copies: half of the content hash, by which 10 billion texts would have 3 collisions."""
    source: Names
    domain: Names
    cell: Names
    """Domain and language, `law/zh`."""
    num_bytes: npt.NDArray[np.int64]
    unit: npt.NDArray[np.float64]
    """In [0, 1), equal for documents of a host or file, or for copies: what is drawn together, and a cluster of the bootstrap."""
    second_unit: npt.NDArray[np.float64]
    """The same, independent of it."""


def read_frame(found: Found, seed: int, by_id: bool = False) -> Frame:
    """Read the light columns of all shards. `by_id`: what has no host is drawn by its id up to the last `#`."""
    ids, tables = [], []
    for shard in found.own:
        columns = shard.columns(_COLUMNS)
        ids.append(judge.final_ids(columns, found.ids.answered(shard.index))[0])
        plain = {name: columns[name] for name in _COLUMNS}  # without "not null", which not all shards say of `record`
        tables.append(pa.table(plain | {"reference": shard.documents()}))
    table = pa.concat_tables(tables).set_column(0, "id", pa.chunked_array(ids, pa.string()))
    table = table.filter(pc.and_(pc.is_null(table["fault"]), pc.greater(table["num_chars"], 0))).combine_chunks()
    domain, content = Names.of(table["domain"]), content_hashes(table["content_hash"])[0]
    cell = _cells(domain, table["lang"])
    units = _units(table["url"], table["id"].combine_chunks() if by_id else None, cell, content)
    return Frame(
        ids=table["id"].combine_chunks(),
        reference=table["reference"].to_numpy(),
        content=content,
        source=Names.of(table["source"]),
        domain=domain,
        cell=cell,
        num_bytes=table["num_bytes"].to_numpy(),
        unit=draws_of(units, _own_seed(seed, "unit")),
        second_unit=draws_of(units, _own_seed(seed, "second unit")),
    )


def _own_seed(seed: int, name: str) -> int:
    """None that a run has: the mixture of a run with the same seed would draw the very documents that are held out here already."""
    return xxhash.xxh3_64_intdigest(f"comparison {seed} {name}".encode())


def _cells(domain: Names, langs: pa.ChunkedArray) -> Names:
    encoded = pc.dictionary_encode(pc.fill_null(langs.combine_chunks(), "und"))
    subtags = [primary_subtag(lang) for lang in encoded.dictionary.to_pylist()]
    pairs, codes = np.unique(domain.codes.astype(np.int64) * max(1, len(subtags)) + encoded.indices.to_numpy(), return_inverse=True)
    return Names.renamed(codes, [f"{domain.values[pair // len(subtags)]}/{subtags[pair % len(subtags)]}" for pair in pairs.tolist()])


def _units(urls: pa.ChunkedArray, ids: pa.Array | None, cell: Names, content: UInt64s) -> UInt64s:
    """What is drawn together, (n,): equal for documents of a host, else of a file by their `ids`, or for copies where that is no unit."""
    groups = pa.chunked_array([_hosts(part) for part in _parts(urls)], pa.string()).combine_chunks()
    encoded = pc.dictionary_encode(groups if ids is None else pc.coalesce(groups, _files(ids)))
    codes = pc.fill_null(encoded.indices, -1).to_numpy()
    rows = np.flatnonzero(codes >= 0)
    hashes = np.array([xxhash.xxh3_64_intdigest(name.encode()) for name in encoded.dictionary.to_pylist()], np.uint64)
    pairs = codes[rows] * np.int64(len(cell.values)) + cell.codes[rows]
    _, place, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    rows = rows[counts[place] <= MOST_HOST_SHARE * np.bincount(cell.codes)[cell.codes[rows]]]
    units = content.copy()
    units[rows] = hashes[codes[rows]]
    return units


def _parts(urls: pa.ChunkedArray) -> list[pa.ChunkedArray]:
    """So few URLs at a time that they may be Python's."""
    return [urls.slice(begin, 1 << 16) for begin in range(0, len(urls), 1 << 16)]


def _hosts(urls: pa.ChunkedArray) -> pa.Array:
    return pa.array([host_of(url) for url in urls.to_pylist()], pa.string())


def _files(ids: pa.Array) -> pa.Array:
    """Ids up to their last `#`, with one before them, as no host has; null for an id without."""
    files = pc.replace_substring_regex(pc.binary_join_element_wise("#", ids, ""), "#[^#]*$", "")
    return pc.if_else(pc.match_substring(ids, "#"), files, pa.scalar(None, pa.string()))


def similar_contents(found: Found, frame: Frame, similarity: float) -> tuple[UInt64s, UInt64s]:
    """Pairs of contents with a verified Jaccard similarity of at least so much, in one order or both; none of earlier runs' documents."""
    none = np.zeros(0, np.uint64)
    if found.overlaps is None:
        return none, none
    left, right = [none], [none]
    order = np.argsort(frame.reference)
    known = frame.reference[order]
    for answers in found.overlaps.all_answers(["doc", "other", "shared", "size", "other_size"]):
        doc, other, shared, size, other_size = (column.to_numpy() for column in answers.columns)
        places = [np.minimum(np.searchsorted(known, references), len(known) - 1) for references in (doc, other)]
        own = (known[places[0]] == doc) & (known[places[1]] == other)
        near = own & (jaccard(shared, size, other_size) >= similarity)
        for ends, place in zip((left, right), places, strict=True):
            ends.append(frame.content[order[place[near]]])
    return np.concatenate(left), np.concatenate(right)


def components(left: UInt64s, right: UInt64s) -> tuple[UInt64s, UInt64s]:
    """Contents that are in pairs, sorted, and the smallest content of the component of each."""
    known = np.unique(np.concatenate([left, right]))
    parent = forest(len(known))
    join(parent, *(np.searchsorted(known, ends).astype(np.int64) for ends in (left, right)))
    settle(parent)
    return known, known[parent.astype(np.int64)]

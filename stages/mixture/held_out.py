"""Which documents are set apart to measure models on, before anything else is decided.

A document is drawn with all of its host, or, if it has no URL with a host, with its exact copies: a hash of the run's seed and of that unit
falls into one of a thousand steps, and of each domain some steps are drawn. So the draw depends on no filter and no order. The copies of a
drawn document and what is verified to resemble it leave the training too (`pipeline.dedup.decide`).

Steps are drawn in order: the first `share` of them, and more until the domain has `min_documents` and `min_bytes`, but never more than
`max_share` of its documents: a step with a host that would take more is left out. A domain that is one host has nothing held out.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from configs.loader import Between, Count, SettingError
from stages.dedup.urls import host_of

STEPS = 1000

_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """How much is set apart of each domain; a share of 0 sets nothing apart."""

    share: Annotated[float, Between(0, 0.5)] = 0.01
    """Share of the documents, in thousandths."""
    min_documents: Count = 50
    """Of a domain at least so many, where `max_share` allows it; counted before any filter."""
    min_bytes: Count = 1 << 20
    """And so many bytes."""
    max_share: Annotated[float, Between(0, 0.5)] = 0.1
    """No minimum takes a larger share of a domain."""

    def __post_init__(self) -> None:
        if self.max_share < self.share:
            raise SettingError("max_share", f"got {self.max_share:g}, less than share, which is {self.share:g}")


def draws(columns: pa.Table, seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each document, equal within a unit; 2 for what cannot be drawn: unreadable or empty. (n,).

    Reads `url`, `content_hash`, `num_chars` and `fault`.
    """
    contents = columns["content_hash"].combine_chunks()
    words = np.frombuffer(contents.buffers()[1], np.uint64)[2 * contents.offset : 2 * (contents.offset + len(contents))]
    units = words[::2].copy()
    urls = columns["url"].combine_chunks()
    for row in np.flatnonzero(urls.is_valid()).tolist():
        if host := host_of(urls[row].as_py()):
            units[row] = xxhash.xxh3_64_intdigest(host.encode())
    readable = np.asarray(columns["fault"].is_null()) & (columns["num_chars"].to_numpy() > 0)
    return np.where(readable, draws_of(units, seed), 2.0)


def draws_of(units: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each unit, (n,)."""
    mixed = units ^ np.uint64(xxhash.xxh3_64_intdigest(f"held out {seed}".encode()))
    mixed = (mixed ^ mixed >> np.uint64(30)) * _FIRST
    mixed = (mixed ^ mixed >> np.uint64(27)) * _SECOND
    return ((mixed ^ mixed >> np.uint64(31)) >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def is_drawn(columns: pa.Table, seed: int, drawn: Mapping[str, Sequence[int]]) -> npt.NDArray[np.bool_]:
    """Documents whose step is among those drawn of their domain, (n,)."""
    domains = pc.dictionary_encode(columns["domain"].combine_chunks())
    names = domains.dictionary.to_pylist()
    tables = np.zeros((max(1, len(names)), 2 * STEPS + 1), np.bool_)
    for place, name in enumerate(names):
        tables[place, list(drawn.get(name, ()))] = True
    return np.asarray(tables[domains.indices.to_numpy(), _steps(draws(columns, seed))])


def count_steps(columns: pa.Table, seed: int) -> dict[str, dict[int, list[int]]]:
    """Domain -> step -> [documents, bytes]. Reads `domain` and `num_bytes` too."""
    steps = _steps(draws(columns, seed))
    there = steps < STEPS
    steps = steps[there]
    domains = pc.dictionary_encode(columns["domain"].combine_chunks())
    codes, sizes = domains.indices.to_numpy()[there], columns["num_bytes"].to_numpy()[there]
    found: dict[str, dict[int, list[int]]] = {}
    for code, name in enumerate(domains.dictionary.to_pylist()):
        own = codes == code
        documents = np.bincount(steps[own], minlength=STEPS)
        num_bytes = np.zeros(STEPS, np.int64)
        np.add.at(num_bytes, steps[own], sizes[own])
        found[name] = {int(step): [int(documents[step]), int(num_bytes[step])] for step in np.flatnonzero(documents)}
    return found


def steps_of(groups: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """The step of each `group` of a run's held-out documents, a draw in 2^53rds."""
    return _steps(groups / float(1 << 53))


def drawn_steps(counts: Mapping[int, Sequence[int]], settings: HeldOut, again: Collection[int] = ()) -> tuple[int, ...]:
    """The steps that are drawn of a domain, from its counts by step. Those that an earlier run drew come first, as far as `max_share` lets.

    >>> counts = {0: [5, 500], 3: [40, 9000], 20: [3, 500], 700: [52, 9000]}
    >>> drawn_steps(counts, HeldOut(share=0.01, min_documents=6, min_bytes=0))
    (0, 20)
    >>> drawn_steps(counts, HeldOut(share=0.01, min_documents=0, min_bytes=0, max_share=0.5))
    (0, 3)
    >>> drawn_steps(counts, HeldOut(share=0.01, min_documents=0, min_bytes=0), again=[20])
    (0, 20)
    """
    if settings.share == 0:
        return ()
    most = math.ceil(settings.max_share * sum(documents for documents, _ in counts.values()))
    drawn: list[int] = []
    num_documents = num_bytes = 0
    for step, (documents, size) in sorted(counts.items(), key=lambda item: (item[0] not in again, item[0])):
        enough = num_documents >= settings.min_documents and num_bytes >= settings.min_bytes
        if step not in again and step >= settings.share * STEPS and enough:
            break
        if num_documents + documents <= most:
            drawn.append(step)
            num_documents += documents
            num_bytes += size
    return tuple(sorted(drawn))


def _steps(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.floor(numbers * STEPS).astype(np.int64)

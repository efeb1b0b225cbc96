"""Held-out text, frozen before any filter, and all documents that training must not see because of it.

Drawn are hosts, else files if `unit: id` says so, and texts with their copies where there is neither or it is most of its domain
(`frame.MOST_HOST_SHARE`), by a hash: so the draw depends on no filter and no order, and holds text that a filter would remove. Of the
domains that are called curated one half of what is drawn is a set of its own. A text is measured once, whatever number of copies there are.

Training sees none of: what is drawn; copies of it; what resembles it (the run's MinHash bands, verified by Jaccard at the similarity of
`document_dedup`); what shares runs of tokens with it (`overlap`). `removed.parquet` says of each document why, `taken.txt` is their list as
`select: {takedown_ids}` takes it, so that they are no survivors of duplicates either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import ConfigError
from pipeline import arrow_files, storage
from pipeline.dedup.found import Found
from pipeline.engine import Executor, run_phase
from pipeline.judge import Shard
from pipeline.manifest import Units
from pipeline.parquet_files import write_parquet
from pipeline.progress import Progress
from pipeline.variants.config import HeldOutSettings
from pipeline.variants.frame import Frame, components, read_frame, similar_contents
from pipeline.variants.overlap import NgramIndex
from pipeline.variants.slices import read_parquet
from stages.schema import doc_reference

KINDS = ("held_out", "copy", "near", "ngrams")
"""Why a document is not trained on, the first that holds."""
CUT_BYTES = 3
"""Of the last character, which is left out if it does not fit whole."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class OverlapWork:
    """A shard whose documents are compared with held-out text, run of tokens by run."""

    shard: Shard
    documents: str
    """URI of the held-out documents."""
    ngram: int
    most_share: float
    uri: str
    """Where the references of documents that share too much are written."""


def freeze(
    settings: HeldOutSettings, seed: int, found: Found, similarity: float, folder: str, executor: Executor, progress: Progress
) -> dict[str, Any]:
    """Write `documents.parquet`, `removed.parquet`, `taken.txt`, `clusters.parquet` into `folder`, which is theirs alone; counts of them.

    Raises `ConfigError` for a domain of which too little text is held out, before anything is trained.
    """
    units = Units(folder)
    if frozen := units.done(["frozen"]):
        return frozen["frozen"]
    frame = read_frame(found, seed, settings.unit == "id")
    drawn, curated = _draw(settings, frame)
    measured = _measured(settings, frame, drawn, curated)
    _check_domains(settings, frame, curated, measured)
    uri = storage.join(folder, "documents.parquet")
    write_parquet(uri, _documents(settings, found, frame, np.flatnonzero(drawn), curated, measured))
    left, right = similar_contents(found, frame, similarity)
    own = np.unique(frame.content[drawn])
    near = np.concatenate([left[np.isin(right, own)], right[np.isin(left, own)]])
    works = {
        str(s.index): OverlapWork(s, uri, settings.ngram, settings.max_ngram_share, storage.join(folder, f"overlap-{s.index:06d}.parquet"))
        for s in found.own
    }
    run_phase(executor, progress, "compare with held-out", folder, find_overlaps, works)
    shared = np.concatenate([read_parquet(work.uri)["reference"].to_numpy() for work in works.values()])
    masks = (drawn, np.isin(frame.content, own), np.isin(frame.content, near), np.isin(frame.reference, shared))
    kind = np.select(masks, range(len(KINDS)), -1)
    gone = kind >= 0
    ids = frame.ids.filter(pa.array(gone))
    kinds = pa.array(KINDS).take(pa.array(kind[gone]))
    domains = frame.domain.at(np.flatnonzero(gone))
    write_parquet(storage.join(folder, "removed.parquet"), pa.table({"id": ids, "kind": kinds, "domain": domains}))
    storage.write_bytes(storage.join(folder, "taken.txt"), "".join(f"{name}\n" for name in ids.to_pylist()).encode())
    known, component = components(left, right)
    write_parquet(storage.join(folder, "clusters.parquet"), pa.table({"content": known, "component": component}))
    counts = {"documents": len(kind), "removed": {name: int((kind == i).sum()) for i, name in enumerate(KINDS)}}
    units.finish("frozen", counts)
    return counts


def _draw(settings: HeldOutSettings, frame: Frame) -> tuple[Mask, Mask]:
    """What is held out, and which documents would be of the curated set if they were."""
    domains = settings.domains or frame.domain.values
    if unknown := sorted({*domains, *settings.curated} - set(frame.domain.values)):
        known = ", ".join(frame.domain.values)
        raise ConfigError(f"held_out: no document has the domain '{unknown[0]}'; there are {known}")
    drawn = (frame.unit < settings.share) & frame.domain.among(domains)
    return drawn, (frame.second_unit < 0.5) & frame.domain.among(settings.curated)


def _measured(settings: HeldOutSettings, frame: Frame, drawn: Mask, curated: Mask) -> Mask:
    """Of each set and cell different texts up to `max_bytes`, none of a cell with less than `min_bytes` or fewer than `min_clusters`.

    In the order of the draw, but first one text of each host, then a second one of each: clusters are what the bootstrap counts. What a
    cut in the middle of a character may cost is not counted, so that the least bytes are there.
    """
    measured = np.zeros(len(drawn), np.bool_)
    rows = np.flatnonzero(drawn & frame.cell.among([cell for cell in frame.cell.values if cell.rpartition("/")[2] in settings.languages]))
    rows = rows[np.lexsort((frame.content[rows], frame.second_unit[rows]))]
    _, firsts = np.unique(frame.content[rows], return_index=True)
    rows = rows[np.sort(firsts)]
    most = settings.max_document_bytes
    for of_set in (False, True):
        for cell in range(len(frame.cell.values)):
            own = rows[(curated[rows] == of_set) & (frame.cell.codes[rows] == cell)]
            begins = np.flatnonzero(np.diff(frame.unit[own], prepend=-1))
            if len(begins) < settings.min_clusters:
                continue
            turn = np.arange(len(own)) - np.repeat(begins, np.diff(begins, append=len(own)))
            own = own[np.argsort(turn, kind="stable")]
            sizes = np.cumsum(np.where(frame.num_bytes[own] > most, max(1, most - CUT_BYTES), frame.num_bytes[own]))
            if sizes[-1] >= settings.min_bytes:
                least = max(settings.min_clusters, int(np.searchsorted(sizes, settings.min_bytes)) + 1)
                measured[own[: max(least, int(np.searchsorted(sizes, settings.max_bytes, "right")))]] = True
    return measured


def _check_domains(settings: HeldOutSettings, frame: Frame, curated: Mask, measured: Mask) -> None:
    domains = settings.domains or frame.domain.values
    if len(set(domains)) < 2:
        raise ConfigError(f"held_out: one domain only, '{domains[0]}': a corpus is judged by the mean over domains; wanted at least two")
    for name, wanted in (("raw", domains), ("curated", settings.curated)):
        for domain in wanted:
            of_set = (curated == (name == "curated")) & frame.domain.among([domain])
            if not (measured & of_set).any():
                there = np.flatnonzero(of_set & (frame.unit < settings.share))
                cells, place = np.unique(np.array(frame.cell.at(there), np.str_), return_inverse=True)
                sizes = np.bincount(place, frame.num_bytes[there]).astype(np.int64).tolist()
                units = [len(np.unique(frame.unit[there][place == i])) for i in range(len(cells))]
                langs = [cell.rpartition("/")[2] for cell in cells.tolist()]
                held = ", ".join(f"{lang} {size:,} of {number}" for lang, size, number in zip(langs, sizes, units, strict=True))
                raise ConfigError(
                    f"held_out: the {name} set has too little of domain '{domain}': bytes by language are {held or 'none'}; wanted "
                    f"{settings.min_bytes:,} of {settings.min_clusters} hosts or texts in one of {', '.join(settings.languages)}; raise "
                    "held_out.share, lower held_out.min_bytes or min_clusters, or name the other domains in held_out.domains"
                )


def _documents(
    settings: HeldOutSettings, found: Found, frame: Frame, rows: npt.NDArray[np.int64], curated: Mask, measured: Mask
) -> pa.Table:
    """Held-out documents with their texts, sorted by id; `measured_text` is null where a document is not measured."""
    texts: dict[int, str] = {}
    wanted = frame.reference[rows]
    for shard in found.own:
        own = wanted[wanted >> 32 == shard.index]
        taken = arrow_files.read_table(shard.uri, ["text"]).take(pa.array(own - doc_reference(shard.index, 0)))
        texts.update(zip(own.tolist(), taken["text"].to_pylist(), strict=True))
    parts = [
        beginning(texts[ref], settings.max_document_bytes) if own else None
        for ref, own in zip(wanted.tolist(), measured[rows], strict=True)
    ]
    _, cluster = np.unique(frame.unit[rows], return_inverse=True)
    table = pa.table(
        {
            "id": frame.ids.take(pa.array(rows)),
            "text": pa.array([texts[reference] for reference in wanted.tolist()], pa.large_string()),
            "source": frame.source.at(rows),
            "domain": frame.domain.at(rows),
            "cell": frame.cell.at(rows),
            "set": np.where(curated[rows], "curated", "raw").tolist(),
            "cluster": cluster,
            "measured_text": pa.array(parts, pa.large_string()),
        }
    )
    return table.sort_by("id")


def beginning(text: str, max_bytes: int) -> str:
    """As many whole characters as fit.

    >>> beginning("中文", 5), beginning("abc", 5)
    ('中', 'abc')
    """
    return text.encode()[:max_bytes].decode(errors="ignore")


def find_overlaps(work: OverlapWork) -> dict[str, Any]:
    """Write the references of a shard's documents that share too many runs of tokens with held-out text."""
    index = held_out_index(work.documents, work.ngram)
    columns = work.shard.columns(["fault", "num_bytes"])
    rows = np.flatnonzero(columns["fault"].is_null())
    found = []
    for part in _parts(columns["num_bytes"].to_numpy()[rows]):
        texts = arrow_files.read_table(work.shard.uri, ["text"])["text"].take(pa.array(rows[part])).combine_chunks()
        known, held, _ = index.shared(texts)
        found.append(rows[part][(np.maximum(known, held) >= work.most_share) & (np.maximum(known, held) > 0)])
    references = work.shard.documents()[np.concatenate(found)] if found else np.zeros(0, np.int64)
    write_parquet(work.uri, pa.table({"reference": references}))
    return {"documents": len(rows), "bytes": int(columns["num_bytes"].to_numpy()[rows].sum()), "shared": len(references)}


@lru_cache(maxsize=1)
def held_out_index(uri: str, ngram: int) -> NgramIndex:
    """The index of a file of held-out documents, made once in each process."""
    return NgramIndex.of(read_parquet(uri)["text"].combine_chunks(), ngram)


def _parts(sizes: npt.NDArray[np.int64], most_bytes: int = 4 << 20) -> Sequence[slice]:
    """Slices of rows that hold about so many bytes each: their n-grams take 8 bytes a token."""
    bounds = np.flatnonzero(np.diff(np.cumsum(sizes) // most_bytes, prepend=-1))
    return [slice(begin, end) for begin, end in zip(bounds, [*bounds[1:], len(sizes)], strict=True)]

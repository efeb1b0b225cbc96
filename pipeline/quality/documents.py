"""The documents that a quality model learns from: read as a run reads them, normalised, with their languages."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from configs.errors import InputError, RunError
from pipeline import storage
from pipeline.config import Source
from pipeline.manifest import identity
from pipeline.quality.config import NEGATIVE, POSITIVE, RejectedBy, TrainConfig
from pipeline.quality.rejected import rejected_documents
from pipeline.readers import list_source, read
from pipeline.splits import BadFile, open_files, open_works, pack
from stages.batch import Batch
from stages.filters.rules import primary_subtag
from stages.measure import Measure

COLUMNS = pa.schema({name: pa.string() for name in ("kind", "source", "domain", "lang")} | {"text": pa.large_string()})
"""A row of a training set; `kind` is `POSITIVE` or `NEGATIVE`, `lang` one of the model's languages."""

TEST = -1
MIN_SOURCES = 2

_SPLIT_BYTES = 16 << 20
_BATCH_ROWS = 1024


def input_identity(config: TrainConfig) -> str:
    """Stands for the files that a configuration names, as they are now. Raises `InputError` for what is not there."""
    files = [[s.name, [(f.relative, f.fingerprint) for f in list_source(s)]] for s in (*config.positives, *config.negatives)]
    return identity(files, [storage.read_bytes(storage.join(r.run, "summary.json")).hex() for r in _finished(config)])


def read_documents(config: TrainConfig) -> pa.Table:
    """All documents in the model's languages, with the schema `COLUMNS`.

    Raises `InputError` for what cannot be read, and `RunError` if a class has no text in one of the languages.
    """
    tables = [_documents(source, kind, config) for kind, sources in _classes(config) for source in sources]
    tables += [_rejected(rejected, config) for rejected in _finished(config)]
    found = pa.concat_tables(tables)
    for lang, kind in product(config.languages, (POSITIVE, NEGATIVE)):
        own = found.filter(pc.and_(pc.equal(found["kind"], kind), pc.equal(found["lang"], lang)))
        if own.num_rows == 0:
            raise RunError(f"{config.name}: no {kind} is in {lang}; look at the sources' paths and `lang`, or take {lang} out of languages")
        if not pc.any(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(own["text"])), 0)).as_py():
            raise RunError(f"{config.name}: the {own.num_rows:,} {kind}s in {lang} have no text at all; look at their sources' `text_key`")
    return found


def _classes(config: TrainConfig) -> Iterator[tuple[str, tuple[Source, ...]]]:
    yield POSITIVE, config.positives
    yield NEGATIVE, config.negatives


def _documents(source: Source, kind: str, config: TrainConfig) -> pa.Table:
    limit = min(source.max_bytes or config.max_bytes_per_source, config.max_bytes_per_source)
    source = replace(source, max_bytes=limit)
    batches = []
    with tempfile.TemporaryDirectory() as folder:
        works = open_works([(source, list_source(source))], folder, _SPLIT_BYTES)
        for split in pack(works, {key: open_files(work) for key, work in works.items()}):
            for entry in split.entries:
                if isinstance(entry, BadFile):
                    continue
                for columns, _ in read(entry, source, _BATCH_ROWS):
                    batch = Measure().annotate(config.normalize.annotate(Batch(columns)))
                    batches.append(_rows(kind, batch["source"], batch["domain"], batch["lang"], batch["text"]))
    return _in_parts(_in_languages(pa.Table.from_batches(batches, schema=COLUMNS), config), config.parts)


def _rejected(rejected: RejectedBy, config: TrainConfig) -> pa.Table:
    table = rejected_documents(rejected, config)
    rows = _rows(NEGATIVE, *(table[name].combine_chunks() for name in table.column_names))
    return _in_parts(_in_languages(pa.Table.from_batches([rows], schema=COLUMNS), config), config.parts)


def _finished(config: TrainConfig) -> tuple[RejectedBy, ...]:
    for rejected in config.rejected:
        if not storage.exists(storage.join(rejected.run, "summary.json")):
            raise InputError(f"rejected: {rejected.run} is no finished run; let `corpus run` come to its end first")
    return config.rejected


def _rows(kind: str, source: pa.Array, domain: pa.Array, lang: pa.Array, text: pa.Array) -> pa.RecordBatch:
    columns = [pa.repeat(pa.scalar(kind, pa.string()), len(text)), source, domain, lang, text]
    return pa.RecordBatch.from_arrays([column.cast(of.type) for column, of in zip(columns, COLUMNS, strict=True)], schema=COLUMNS)


def _in_languages(table: pa.Table, config: TrainConfig) -> pa.Table:
    languages = pa.array([primary_subtag(code) if code else "" for code in table["lang"].to_pylist()], pa.string())
    table = table.set_column(table.schema.get_field_index("lang"), "lang", languages)
    return table.filter(pc.is_in(languages, value_set=pa.array(config.languages, pa.string())))


def _in_parts(table: pa.Table, number: int) -> pa.Table:
    """Each source cut into so many runs of documents."""
    if number == 1:
        return table
    sources, seen, names = Counter(table["source"].to_pylist()), Counter[str](), []
    for source in table["source"].to_pylist():
        names.append(f"{source}/{seen[source] * number // sources[source]}")
        seen[source] += 1
    return table.set_column(COLUMNS.get_field_index("source"), "source", pa.array(names, pa.string()))


def parts(table: pa.Table, config: TrainConfig) -> npt.NDArray[np.int64]:
    """The part of each document, by its source alone: `TEST`, or the fold from 0 on; no source has documents in two parts.

    Of the sources that are mostly of one language and class a quarter, at least one, is held out. Raises `RunError` if fewer than two are
    left to train on, and if `held_out` names a source that is not there.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for source, languages in _languages_of_sources(table).items():
        (lang, kind), _ = languages.most_common(1)[0]
        groups.setdefault((lang, kind), []).append(source)
    there = set(table["source"].to_pylist())
    names = {*config.names, *there, *(source.partition("/")[0] for source in there)}
    if unknown := set(config.held_out) - names:
        raise RunError(f"{config.name}: held_out: no source is called '{min(unknown)}'; there are: {', '.join(sorted(names))}")
    part = {source: TEST for source in there if source in config.held_out or source.partition("/")[0] in config.held_out}
    for (lang, kind), sources in sorted(groups.items()):
        sources.sort(key=lambda name: xxh3_64_intdigest(f"{config.model.seed}/{name}".encode()))
        if not set(sources) & set(part):
            part |= dict.fromkeys(sources[: max(1, len(sources) // 4)], TEST)
        free = [source for source in sources if source not in part]
        if len(free) < MIN_SOURCES:
            raise RunError(
                f"{config.name}: the {kind}s in {lang} come from {len(sources)} sources ({', '.join(sorted(sources))}), of which "
                f"{len(free)} are not held out; wanted at least 2 and one to test on: name more sources, hold out "
                "fewer, or cut each into several by `parts`"
            )
        part |= {source: place % config.folds for place, source in enumerate(free)}
    return np.array([part[source] for source in table["source"].to_pylist()], np.int64)


def _languages_of_sources(table: pa.Table) -> dict[str, Counter[tuple[str, str]]]:
    counts: dict[str, Counter[tuple[str, str]]] = {}
    for lang, kind, source in zip(*(table[name].to_pylist() for name in ("lang", "kind", "source")), strict=True):
        counts.setdefault(source, Counter())[lang, kind] += 1
    return dict(sorted(counts.items()))

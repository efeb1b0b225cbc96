"""From sources to splits: files are listed, opened once to see how they can be cut, and their pieces packed into units of work.

A split is about `engine.split_bytes` of one source: a part of a large file, or many small ones. Splits follow (source name, path,
position), so their numbers, and all that is decided by them, do not depend on the order in which a file system lists its files or a
YAML its sources.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from configs.errors import InputError
from pipeline import storage
from pipeline.config import RunConfig, Source
from pipeline.manifest import identity
from pipeline.readers import inflate, list_source, needs_inflating, pieces
from pipeline.readers.piece import Piece
from pipeline.storage import FileInfo

_FILES_PER_TASK = 256
_BYTES_PER_TASK = 64 << 20
ENTRY_BYTES = 4096
"""What an entry counts beside its size, so that a split of tiny files has some thousands of them, not hundreds of thousands."""


@dataclass(frozen=True)
class BadFile:
    """A file, or the rest of one, that cannot be read: one row of the ledger."""

    relative: str
    fault: str
    message: str


@dataclass(frozen=True)
class Split:
    """What one unit of the local pass reads."""

    source: Source
    entries: tuple[Piece | BadFile, ...]
    size: int
    input_identity: str
    """Stands for the bytes behind the entries: files, their fingerprints, and ranges."""


@dataclass(frozen=True)
class OpenWork:
    """Files of one source to be opened."""

    source: Source
    files: tuple[FileInfo, ...]
    inflate_folder: str
    split_bytes: int


def list_inputs(config: RunConfig) -> list[tuple[Source, list[FileInfo]]]:
    """The files of each source, by source name. Raises `InputError` for a source that matches nothing."""
    return [(source, list_source(source)) for source in sorted(config.sources, key=lambda s: s.name)]


def open_works(inputs: Iterable[tuple[Source, list[FileInfo]]], work_folder: str, split_bytes: int) -> dict[str, OpenWork]:
    """Units that open files: large ones alone, small ones together."""
    works = {}
    for source, files in inputs:
        for group in _grouped(files):
            key = identity(source, [(f.relative, f.fingerprint) for f in group], split_bytes)
            works[key] = OpenWork(source, tuple(group), storage.join(work_folder, "inflated", key), split_bytes)
    return works


def _grouped(files: Sequence[FileInfo]) -> Iterator[list[FileInfo]]:
    group: list[FileInfo] = []
    size = 0
    for file in files:
        if group and (len(group) == _FILES_PER_TASK or size + file.size > _BYTES_PER_TASK):
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size
    if group:
        yield group


def open_files(work: OpenWork) -> dict[str, Any]:
    """Find the pieces of each file; a compressed single stream is decompressed into raw shards first.

    Reports `entries`, for each file a list of pieces and bad files as JSON. Raises `InputError` if the source says that a bad file
    ends the run.
    """
    entries: list[list[dict[str, Any]]] = []
    for number, file in enumerate(work.files):
        found: list[Piece] = []
        bad: BadFile | None = None
        try:
            if needs_inflating(file, work.source):
                inflated = inflate(file, work.source, storage.join(work.inflate_folder, str(number)), work.split_bytes)
                found = inflated.pieces
                if inflated.error:
                    bad = BadFile(file.relative, inflated.fault or "truncated_file", inflated.error)
            else:
                found = pieces(file, work.source, work.split_bytes)
        except InputError as error:
            bad = BadFile(file.relative, "unreadable_file", str(error))
        if bad and work.source.bad_file == "fail":
            raise InputError(f"{bad.message}; to go on without such files set bad_file: skip for source '{work.source.name}'")
        entries.append([p.as_json() for p in found] + ([{"bad_file": bad.__dict__}] if bad else []))
    return {"entries": entries, "bytes": sum(f.size for f in work.files)}


def pack(works: dict[str, OpenWork], opened: dict[str, dict[str, Any]]) -> list[Split]:
    """Pack the pieces of all files into splits; the position in the list is the shard number."""
    splits: list[Split] = []
    group: list[tuple[Piece | BadFile, str]] = []
    source, size = None, 0
    taken: dict[str, int] = {}

    def close() -> None:
        if source is not None and group:
            raw = sum(entry.size for entry, _ in group if isinstance(entry, Piece))
            splits.append(Split(source, tuple(entry for entry, _ in group), raw, identity([token for _, token in group])))
        group.clear()

    for key, work in works.items():
        name = work.source.name
        for file, found in zip(work.files, opened[key]["entries"], strict=True):
            for entry in (_entry(item) for item in found):
                entry_size = entry.size if isinstance(entry, Piece) else 0
                if work.source.max_bytes is not None and taken.get(name, 0) >= work.source.max_bytes:
                    continue
                taken[name] = taken.get(name, 0) + entry_size
                if source is None or source.name != name or size + entry_size + ENTRY_BYTES > work.split_bytes:
                    close()
                    source, size = work.source, 0
                size += entry_size + ENTRY_BYTES
                group.append((entry, identity(file.relative, file.fingerprint, _position(entry))))
    close()
    if not splits:  # a run over empty files has one empty shard, so that its outputs have their schemas
        splits = [Split(work.source, (), 0, identity("empty")) for work in list(works.values())[:1]]
    return splits


def _entry(item: dict[str, Any]) -> Piece | BadFile:
    return BadFile(**item["bad_file"]) if "bad_file" in item else Piece.from_json(item)


def _position(entry: Piece | BadFile) -> list[Any]:
    return [entry.kind, entry.start, entry.end, entry.first_record] if isinstance(entry, Piece) else [entry.fault, entry.message]


def record_bases(splits: Sequence[Split], opened: Sequence[dict[str, Any]]) -> list[list[int]]:
    """What to add to the `record` of each entry's rows, so that it counts from the beginning of the file.

    `opened[i]["records"]` says how many records each entry of split i held. Pieces that know their first record need nothing.
    """
    bases: list[list[int]] = []
    counted: dict[tuple[str, str], int] = {}
    for split, statistics in zip(splits, opened, strict=True):
        row = []
        for entry, records in zip(split.entries, statistics["records"], strict=True):
            file = (split.source.name, entry.relative)
            relative_to_piece = isinstance(entry, Piece) and entry.first_record is None
            row.append(counted.get(file, 0) if relative_to_piece else 0)
            counted[file] = counted.get(file, 0) + records
        bases.append(row)
    return bases

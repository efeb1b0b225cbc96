"""Documentation of the Python packages that a constraints file pins: an English corpus that everybody who installs us already has.

Documents are the .md, .rst and .txt files, licences and READMEs that the RECORD of a distribution lists. Only distributions that
are installed in exactly the pinned version count, so that the same constraints give the same corpus. Their ids are
`distribution-version/path`.
"""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from configs.errors import InputError
from pipeline import storage
from pipeline.config import Source
from pipeline.readers.piece import Piece, Rows
from pipeline.readers.rows import RowBuilder, record_limit
from pipeline.storage import FileInfo

KIND = "python_docs"

_PIN = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([^\s;#]+)")
_DOCUMENT = re.compile(r"(.*\.(md|rst|txt))|((LICEN[CS]E|COPYING|NOTICE|AUTHORS|README)[^/]*)", re.IGNORECASE)
_NOT_PROSE = re.compile(
    r".*\.(py|pyc|pyi|so|json|html|toml|yaml|yml)|top_level\.txt|entry_points\.txt|SOURCES\.txt|requires\.txt|dependency_links\.txt",
    re.IGNORECASE,
)


def list_files(source: Source) -> list[FileInfo]:
    """The documentation files, by id, until they hold `max_bytes`. `source.path` is the constraints file, or the folder it is in.

    Raises `InputError` if the file is missing or pins nothing that is installed.
    """
    path = Path(storage.local_path(source.path))
    constraints = path / "constraints.txt" if path.is_dir() else path
    pins = _pins(storage.read_bytes(str(constraints)).decode(errors="replace"))
    found: dict[str, FileInfo] = {}
    for name, version in sorted(pins.items()):
        found.update({file.relative: file for file in _documents(name, version)})
    if not found:
        raise InputError(f"{constraints}: pins no installed distribution with documentation; install with pip -c {constraints}")
    files: list[FileInfo] = []
    total = 0
    for _, file in sorted(found.items()):
        if source.max_bytes is not None and total >= source.max_bytes:
            break
        files.append(file)
        total += file.size
    return files


def pieces(file: FileInfo, source: Source, target_bytes: int) -> list[Piece]:
    """The whole file; documentation is small, and the engine packs pieces into splits."""
    return [Piece(file.uri, file.relative, KIND, 0, file.size, file.size, first_record=1)] if file.size else []


def read(piece: Piece, source: Source, batch_rows: int) -> Iterator[Rows]:
    """The file as one row. Faults: invalid_utf8, record_too_large, document_too_large. Raises `InputError` if it is gone."""
    limit_bytes = record_limit(source)
    rows = RowBuilder(piece, source, batch_rows)
    with storage.open_input(piece.uri) as file, storage.input_errors(piece.uri):
        data = bytes(file.read(limit_bytes + 1))
    if len(data) > limit_bytes:
        rows.fault(1, "record_too_large", f"more than {limit_bytes} bytes", data, id=piece.relative)
    else:
        try:
            rows.document(1, data.decode(), len(data), id=piece.relative)
        except UnicodeDecodeError as error:
            rows.fault(1, "invalid_utf8", f"byte {error.start + 1}: {error.reason}", data, id=piece.relative)
    yield rows.flush(1)


def _pins(text: str) -> dict[str, str]:
    """Normalised distribution names with their versions; other lines of a constraints file are ignored."""
    matches = (_PIN.match(line) for line in text.splitlines())
    return {re.sub(r"[-_.]+", "-", match[1]).lower(): match[2] for match in matches if match}


def _documents(name: str, version: str) -> Iterator[FileInfo]:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return
    if distribution.version != version:
        return
    for listed in distribution.files or ():
        path = Path(str(distribution.locate_file(listed)))
        if ".." in listed.parts or not _DOCUMENT.fullmatch(listed.name) or _NOT_PROSE.fullmatch(listed.name):
            continue
        if path.is_file():
            status = path.stat()
            yield FileInfo(str(path), f"{name}-{version}/{listed.as_posix()}", status.st_size, f"{status.st_size}-{status.st_mtime_ns}")

"""What is done is known by name: a unit of work writes files whose names are hashes of all that they depend on.

A unit's key covers the identity of its input (URI, size, time or etag, range), the settings that its columns depend on, the same of
all stages before it, the sources of our kernels and readers, the versions of the libraries that compute, and the content of the model
and rule files. So there is no list to keep in step with the files: a unit is done if its statistics file, written last, exists. A
killed run leaves temporary files only, and a changed setting finds no file under its new name. Rejected: a manifest file appended to
by the driver; it was one more thing to be torn by a kill between the data and the list.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from pipeline import storage

_COMPUTES = (
    *("OpenCC", "datasketch", "fasttext", "lingua-language-detector", "numba", "numpy", "orjson", "pyarrow", "resiliparse", "fastwarc"),
    "xxhash",
)
"""Distributions whose version can change a byte of an intermediate."""
_SHOWS = {
    *("commands", "compression", "evaluation", "inspector", "packing", "report", "variants"),
    *("alarms.py", "calibrate.py", "card.py", "cli.py", "clusters.py", "diff.py", "distribution.py", "examples.py", "explain.py"),
    *("contamination_report.py", "finished.py", "lookup.py", "models.py", "progress.py", "summary.py", "texts.py", "tokenizer.py"),
}
"""Modules and folders that change no byte of a run's Parquet files."""


def identity(*parts: Any) -> str:
    """16 hexadecimal digits that stand for JSON-like values; equal for equal values on any machine."""
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@cache
def code_identity() -> str:
    """Stands for what computes: our sources but for those that only show results, and the versions of the libraries under them."""
    root = Path(__file__).parent
    stages = root.parent / "stages"
    files = [
        *stages.rglob("*.py"),
        *stages.rglob("*.txt"),
        *(f for f in root.rglob("*.py") if not {f.name, f.relative_to(root).parts[0]} & _SHOWS),
    ]
    sources = {str(f.relative_to(root.parent)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(files)}
    versions = {name: _version(name) for name in _COMPUTES}
    return identity(sources, versions, unicodedata.unidata_version)


@cache
def signature_identity() -> str:
    """Stands for how texts are normalised and signed: runs that share it can be de-duplicated against each other."""
    root = Path(__file__).parent.parent / "stages"
    names = ("normalize.py", "measure.py", "text/rewrite.py", "text/fold.py", "text/shingles.py", "dedup/minhash.py", "dedup/bands.py")
    files = [*(root / name for name in names), *sorted((root / "text").glob("*.txt"))]
    return identity([hashlib.sha256(file.read_bytes()).hexdigest() for file in files], unicodedata.unidata_version)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def file_identity(path: Path) -> str:
    """Hash of a model or rule file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()[:16]


class Units:
    """The done units of one phase: `<folder>/<unit>.json` holds the statistics of a unit whose data files are complete."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def done(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Statistics by key of those units that are done."""
        names = storage.list_names(self.folder)
        found = {key: self._read(key) for key in keys if f"{key}.json" in names}
        return {key: statistics for key, statistics in found.items() if statistics is not None}

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            return dict(orjson.loads(storage.read_bytes(self.statistics_uri(key))))
        except ValueError:  # damaged from outside: the unit is done again
            return None

    def statistics_uri(self, key: str) -> str:
        """Where the statistics of a unit stand; written after its data."""
        return storage.join(self.folder, f"{key}.json")

    def finish(self, key: str, statistics: dict[str, Any]) -> None:
        """Commit a unit: from now on it is done."""
        storage.write_bytes(self.statistics_uri(key), orjson.dumps(statistics, option=orjson.OPT_SORT_KEYS))

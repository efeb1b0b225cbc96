"""Labels that a reader gives documents: `keep.jsonl` and `drop.jsonl` in a folder of their own, which `corpus quality train` reads.

The run itself is never written to. Each label reads both files and writes them anew by temporary name and rename: a reader gives hundreds,
not millions. Nothing is remembered between, and the folder is locked meanwhile, so several readers may label one run. An object store
has no lock: there one inspector at a time.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from configs.errors import ConfigError, InputError
from pipeline import storage

LABELS = ("keep", "drop")


class Labels:
    """The labels in one folder."""

    def __init__(self, folder: str) -> None:
        """Raises `InputError` for a line that is no labelled document."""
        self.folder = folder
        self._lock = Lock()
        self._read()

    def given(self) -> dict[str, str]:
        """The label of each labelled document."""
        return {document_id: label for document_id, (label, _) in self._read().items()}

    def give(self, label: str | None, row: dict[str, Any]) -> None:
        """Label the document of `row` (`id`, `text`, `lang`, `domain`), or with None take its label away."""
        if label is not None and label not in LABELS:
            raise ConfigError(f"label: got '{label}', wanted {' or '.join(LABELS)}")
        with self._lock, self._locked():
            rows = self._read()
            rows.pop(row["id"], None)
            if label is not None:
                rows[row["id"]] = (label, row)
            for name in sorted(LABELS, key=lambda name: name != label):  # that which gains first: a kill loses nothing
                lines = [orjson.dumps(one) + b"\n" for given, one in rows.values() if given == name]
                storage.write_bytes(self._uri(name), b"".join(lines))

    def _read(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Label and row by id, in the order of the files."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for label in LABELS:
            uri = self._uri(label)
            for number, line in enumerate(storage.read_bytes(uri).splitlines() if storage.exists(uri) else (), 1):
                try:
                    row = orjson.loads(line)
                    if not isinstance(row["id"], str):
                        raise TypeError
                except (orjson.JSONDecodeError, KeyError, TypeError):
                    raise InputError(f"{uri}: line {number}: wanted an object with `id`, as `corpus inspect` writes it; "
                                     "mend the line or name another folder with --labels") from None  # fmt: skip
                found[row["id"]] = (label, row)
        return found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not storage.is_local(self.folder):
            yield
            return
        storage.make_folder(self.folder)
        with (Path(storage.local_path(self.folder)) / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # waits: another label is a matter of milliseconds
            yield

    def _uri(self, label: str) -> str:
        return storage.join(self.folder, f"{label}.jsonl")

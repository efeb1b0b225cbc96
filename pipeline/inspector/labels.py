"""Labels that a reader gives documents: `keep.jsonl` and `drop.jsonl` in a folder of their own, which `corpus quality train` reads.

The run itself is never written to. Each label writes both files anew by temporary name and rename: a reader gives hundreds, not millions.
"""

from threading import Lock
from typing import Any

import orjson

from configs.errors import ConfigError
from pipeline import storage

LABELS = ("keep", "drop")


class Labels:
    """The labels in one folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._lock = Lock()
        self._rows: dict[str, dict[str, Any]] = {}
        for label in LABELS:
            uri = self._uri(label)
            if storage.exists(uri):
                rows = map(orjson.loads, storage.read_bytes(uri).splitlines())
                self._rows |= {row["id"]: row | {"label": label} for row in rows}

    def given(self) -> dict[str, str]:
        """The label of each labelled document."""
        return {document_id: row["label"] for document_id, row in self._rows.items()}

    def give(self, label: str | None, row: dict[str, Any]) -> None:
        """Label the document of `row` (`id`, `text`, `lang`, `domain`), or with None take its label away."""
        if label is not None and label not in LABELS:
            raise ConfigError(f"label: got '{label}', wanted {' or '.join(LABELS)}")
        with self._lock:
            self._rows.pop(row["id"], None)
            if label is not None:
                self._rows[row["id"]] = row | {"label": label}
            for name in LABELS:
                rows = [{k: v for k, v in row.items() if k != "label"} for row in self._rows.values() if row["label"] == name]
                storage.write_bytes(self._uri(name), b"".join(orjson.dumps(row) + b"\n" for row in rows))

    def _uri(self, label: str) -> str:
        return storage.join(self.folder, f"{label}.jsonl")

"""What a training writes down as it goes: JSON lines, one file for what is computed and one for how long it took.

`metrics.jsonl` (and `heldout.jsonl`, `faults.jsonl`) of a run that was killed and resumed have the same bytes as those of one that was
not; clocks are kept out of them, in `timing.jsonl`. A resumed run takes back the lines after its checkpoint, a torn last line too.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

METRICS, TIMING, HELDOUT, FAULTS = "metrics", "timing", "heldout", "faults"
_NAMES = (METRICS, TIMING, HELDOUT, FAULTS)


class Records:
    """The open files; `enabled` in the first process only."""

    def __init__(self, folder: Path, step: int, enabled: bool) -> None:
        """Keep the lines up to `step`."""
        self._files: dict[str, IO[str]] = {}
        if enabled:
            for name in _NAMES:
                path = folder / f"{name}.jsonl"
                _cut(path, step)
                self._files[name] = path.open("a", encoding="utf-8")

    def add(self, name: str, row: Mapping[str, Any]) -> None:
        """Append a line; a number that JSON does not have is null."""
        if file := self._files.get(name):
            clean = {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
            file.write(json.dumps(clean, ensure_ascii=False) + "\n")
            file.flush()

    def sync(self) -> None:
        """Lines before a checkpoint must outlive the machine as it does."""
        for file in self._files.values():
            os.fsync(file.fileno())

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for file in self._files.values():
            file.close()


def read_records(folder: Path, name: str) -> list[dict[str, Any]]:
    """All whole lines of a file, none if there is no such file."""
    path = folder / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def _cut(path: Path, step: int) -> None:
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    kept = [line for line in lines if json.loads(line)["step"] <= step]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    temporary.replace(path)

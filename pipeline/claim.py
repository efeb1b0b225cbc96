"""Whose output folder it is: one configuration's, one input's, one run at a time.

`run.json` says to which configuration, input files and version of the program the outputs belong, so that a run is either continued or
refused, never mixed with another. A folder that holds anything else is left alone: we delete only what a run of ours wrote.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from configs.errors import RunError
from pipeline import storage
from pipeline.config import as_settings
from pipeline.manifest import code_identity, identity
from pipeline.plan import Plan
from pipeline.record import read_record

OUTPUTS = (
    *("corpus", "rejected", "ledger", "edits", "heldout", "mixture.yaml", "mixture"),
    *("found.json", "summary.json", "README.md", "report"),
)
"""What a run writes beside `run.json` and its intermediates."""


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """One run at a time in a folder; the lock goes with its process. Object stores have none: docs/engine.md says so."""
    if not storage.is_local(folder):
        yield
        return
    storage.make_folder(folder)
    with (Path(storage.local_path(folder)) / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(f"{folder}: another run is writing here; wait for it, or choose another output") from None
        yield


def claim(plan: Plan, overwrite: bool, selected_from: str | None = None) -> dict[str, Any]:
    """Make the output folder ours; the record that `run.json` now holds.

    Refuses a folder with files of others, and one that belongs to another configuration, input or version unless told to overwrite:
    then the earlier run's outputs are removed. `selected_from` stands for the run that a selection takes its documents from.
    """
    output = plan.config.output
    settings = {k: v for k, v in as_settings(replace(plan.config, stages=plan.stages)).items() if k not in ("engine", "output")}
    ours = {
        "settings": identity(settings),
        "select": plan.select_identity,
        "input": selected_from or plan.input_identity,
        "code": code_identity(),
        "split_bytes": plan.config.engine.split_bytes,
    }
    record = {"identity": ours, "settings": settings}
    names = storage.list_names(output) - {".lock"}
    if "run.json" in names:
        theirs = read_record(output)
        if theirs["identity"] == ours:
            return record
        if not overwrite:
            raise RunError(f"{output}: holds a run of {_difference(theirs, record)}; choose another output, or replace it with --overwrite")
        for name in OUTPUTS:
            storage.remove(storage.join(output, name))
    elif names - {"work"} or (names and storage.list_names(storage.join(output, "work")) - {".lock"}):
        some = ", ".join(sorted(names)[:3])
        raise RunError(f"{output}: holds files that no run of ours wrote ({some}); choose a new folder")
    storage.write_bytes(storage.join(output, "run.json"), json.dumps(record, indent=1, ensure_ascii=False).encode())
    return record


def _difference(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """In words, the first thing in which two runs differ."""
    place = first_difference(theirs["settings"], ours["settings"], "")
    if place:
        return f"another configuration ({place})"
    what = {"input": "other input files", "code": "another version of the program", "split_bytes": "another engine.split_bytes"}
    different = [text for key, text in what.items() if theirs["identity"].get(key) != ours["identity"][key]]
    return " and ".join(different) or "other rule or model files"


def first_difference(a: Any, b: Any, path: str) -> str | None:
    """Where two settings differ, and how; `None` if they do not."""
    if isinstance(a, dict) and isinstance(b, dict):
        pairs = [(f"{path}.{k}".strip("."), a.get(k), b.get(k)) for k in {**a, **b}]
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = [(f"{path}[{i}]", x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]
    else:
        return None if a == b else f"{path}: {a} there, {b} here"
    return next((found for p, x, y in pairs if (found := first_difference(x, y, p))), None)

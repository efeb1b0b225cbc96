"""Whose output folder it is: one configuration's, one input's, one run at a time.

`run.json` says to which configuration, input files and version of the program the outputs belong, so that a run is either continued or
refused, never mixed with another.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from configs.errors import RunError
from pipeline import storage
from pipeline.config import as_settings
from pipeline.manifest import code_identity
from pipeline.plan import Plan


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """One run at a time in an output folder; the lock goes with its process. Object stores have none: say so in docs/engine.md."""
    if not storage.is_local(folder):
        yield
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    with (Path(folder) / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(f"{folder}: another run is writing here; wait for it, or choose another output") from None
        yield


def claim(plan: Plan, overwrite: bool) -> dict[str, Any]:
    """Make the output folder ours. Refuses one that belongs to another configuration, input or version, unless told to overwrite."""
    ours = {
        "select": plan.select_identity,
        "input": plan.input_identity,
        "code": code_identity(),
        "split_bytes": plan.config.engine.split_bytes,
    }
    settings = {k: v for k, v in as_settings(replace(plan.config, stages=plan.stages)).items() if k != "engine"}
    record = {"identity": ours, "settings": settings}
    uri = storage.join(plan.config.output, "run.json")
    if storage.exists(uri):
        theirs = orjson.loads(storage.read_bytes(uri))
        if theirs["identity"] != ours:
            if not overwrite:
                raise RunError(
                    f"{plan.config.output}: holds a run of {_difference(theirs, record)}; choose another output, or replace it with "
                    "--overwrite"
                )
            for name in ("corpus", "rejected", "ledger", "edits", "summary.json", "README.md"):
                storage.remove(storage.join(plan.config.output, name))
    elif storage.exists(storage.join(plan.config.output, "corpus")) and not overwrite:
        raise RunError(f"{plan.config.output}: holds a corpus/ that no run of ours wrote; choose another output, or use --overwrite")
    storage.write_bytes(uri, orjson.dumps(record, option=orjson.OPT_INDENT_2))
    return record


def _difference(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """In words, the first thing in which two runs differ."""
    place = _first_difference(theirs["settings"], ours["settings"], "")
    if place:
        return f"another configuration ({place})"
    what = {"input": "other input files", "code": "another version of the program", "split_bytes": "another engine.split_bytes"}
    different = [text for key, text in what.items() if theirs["identity"].get(key) != ours["identity"][key]]
    return " and ".join(different) or "other rule or model files"


def _first_difference(a: Any, b: Any, path: str) -> str | None:
    if isinstance(a, dict) and isinstance(b, dict):
        pairs = [(f"{path}.{k}".strip("."), a.get(k), b.get(k)) for k in {**a, **b}]
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = [(f"{path}[{i}]", x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]
    else:
        return None if a == b else f"{path}: {a} there, {b} here"
    return next((found for p, x, y in pairs if (found := _first_difference(x, y, p))), None)

"""Training curves in the report: the records that `corpus train` and `corpus smoke` leave, also of a training that still goes on."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from configs.errors import InputError
from pipeline import storage

FACTS, STEPS, HELDOUT = "training.json", "metrics.jsonl", "heldout.jsonl"
"""As `model.training` names them, which would load torch."""
MOST_POINTS = 300
"""Points of a curve; of a longer training each is the mean of neighbouring steps."""


def read_trainings(folders: Sequence[str]) -> list[dict[str, Any]]:
    """The training in each folder, or all in its folders by name; controls last. Raises `InputError` for a folder without one."""
    found = []
    for folder in folders:
        names = storage.list_names(folder)
        places = [folder] if STEPS in names else [storage.join(folder, name) for name in sorted(names)]
        there = [place for place in places if all(storage.exists(storage.join(place, name)) for name in (STEPS, FACTS))]
        if not there:
            raise InputError(f"--training {folder}: no training, {STEPS} is missing; `corpus train` and `corpus smoke` write one")
        found += [_training(place) for place in there]
    return sorted(found, key=lambda training: training["control"])


def _training(folder: str) -> dict[str, Any]:
    """`name`, sizes and losses, and `curves` of `[tokens, nats a token]`. What only the end of a training tells is None before it."""
    facts = orjson.loads(storage.read_bytes(storage.join(folder, FACTS)))
    steps, measured = (_records(storage.join(folder, name)) for name in (STEPS, HELDOUT))
    result = facts["result"] or dict.fromkeys(("loss", "heldout_loss", "unigram_entropy", "tokens_per_second"))
    heldout, entropy = result["heldout_loss"], result["unigram_entropy"]
    return {
        "name": folder.rstrip("/").rpartition("/")[2],
        "control": facts["config"]["shuffle_tokens"],
        "finished": facts["result"] is not None,
        "parameters": facts["parameters"],
        "tokens": pc.max(steps["tokens"]).as_py() if steps else 0,
        "tokens_per_second": result["tokens_per_second"],
        "loss": result["loss"],
        "heldout": heldout,
        "entropy": entropy,
        "below": None if heldout is None or entropy is None else entropy - heldout,
        "faults": pc.sum(pc.invert(steps["applied"])).as_py() if steps else 0,
        "curves": {"steps": _curve(steps, "cross_entropy"), "heldout": _curve(measured, "loss")},
    }


def _records(uri: str) -> pa.Table | None:
    """The whole lines of a file of records, None if there are none. The last line of a training that goes on may be torn."""
    data = storage.read_bytes(uri) if storage.exists(uri) else b""
    whole = data[: data.rfind(b"\n") + 1]
    return pyarrow.json.read_json(BytesIO(whole)) if whole else None


def _curve(records: pa.Table | None, column: str) -> list[list[float]]:
    """At most `MOST_POINTS` of `[tokens, mean of the column]`, without steps whose loss was no number."""
    if records is None:
        return []
    values = records[column].cast(pa.float64()).to_numpy()
    there = ~np.isnan(values)
    values, tokens = values[there], records["tokens"].to_numpy()[there]
    starts = np.unique(np.arange(MOST_POINTS) * len(values) // MOST_POINTS)
    if not len(values):
        return []
    ends = np.append(starts[1:], len(values))
    means = np.add.reduceat(values, starts) / (ends - starts)
    return [[float(token), round(float(mean), 5)] for token, mean in zip(tokens[ends - 1].tolist(), means.tolist(), strict=True)]

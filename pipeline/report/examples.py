"""Texts that the report shows: the beginnings of dropped documents, and what was cut from kept ones, with personal data masked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import lookup, storage
from pipeline.report.counts import NUM_EXAMPLES, Example
from stages.pii import KINDS
from stages.pii.stage import find
from stages.text.buffers import text_buffer
from tokenizer.sampling import hash_units

TEXT_CHARS = 280
BATCH_ROWS = 16_384
_MASKS = {kind.name: kind.mask for kind in KINDS}


def dropped(run_folder: str, examples: Mapping[str, Sequence[Example]]) -> dict[str, list[dict[str, Any]]]:
    """By reason: `id`, `duplicate_of`, `similarity` and the beginning of `text`, None where it was not kept."""
    places = {e.id: lookup.Place(run_folder, e.part) for found in examples.values() for e in found}
    columns = ["id", "text", "duplicate_of", "similarity"]
    rows = {one["id"]: one | {"text": _beginning(one["text"])} for one in lookup.rows_of(places, "rejected", columns).values()}
    return {reason: [rows[e.id] for e in found if e.id in rows] for reason, found in examples.items() if found}


def cuts(run_folder: str, seed: int) -> dict[str, list[dict[str, Any]]]:
    """By rule: `id`, `partner`, `similarity` and the beginning of what was `removed`, smallest hashes first. Masks keep no text."""
    folder = storage.join(run_folder, "edits")
    best: dict[str, list[tuple[float, int, dict[str, Any]]]] = {}
    for part in sorted(storage.list_names(folder)):
        with storage.open_input(storage.join(folder, part)) as file:
            for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS, columns=["id", "start", "rule", "partner", "similarity", "removed"]):
                _keep_best(batch, seed, best)
    return {
        rule: [row | {"removed": _beginning(row["removed"])} for _, _, row in found]
        for rule, found in sorted(best.items())
        if any(row["removed"] for _, _, row in found)
    }


def _keep_best(batch: pa.RecordBatch, seed: int, best: dict[str, list[tuple[float, int, dict[str, Any]]]]) -> None:
    order = hash_units(text_buffer(batch["id"]), seed)
    rules = np.asarray(batch["rule"])
    for rule in np.unique(rules).tolist():
        rows = np.flatnonzero(rules == rule)
        rows = rows[np.argsort(order[rows], kind="stable")][:NUM_EXAMPLES]
        found = [(float(order[row]), int(batch["start"][row].as_py()), batch.slice(row, 1).to_pylist()[0]) for row in rows.tolist()]
        best[rule] = sorted([*best.get(rule, []), *found], key=lambda one: one[:2])[:NUM_EXAMPLES]


def _beginning(text: str | None) -> str | None:
    """The first `TEXT_CHARS` characters, masked before they are cut, so that half a number does not stay."""
    if text is None:
        return None
    shown = masked(text[: 2 * TEXT_CHARS])
    return shown[:TEXT_CHARS] + ("…" if len(text) > TEXT_CHARS else "")


def masked(text: str) -> str:
    """The text with personal data and secrets replaced by the placeholders of the stage `pii`, whatever a run masks.

    >>> masked("写信到 li@riverbank.cn，谢谢")
    '写信到 <EMAIL>，谢谢'
    """
    data, pieces, end = text.encode(), [], 0
    for _, kind, start, stop in find(text_buffer(pa.array([text], pa.large_string()))):
        pieces += [data[end:start], _MASKS[kind].encode()]
        end = stop
    return b"".join([*pieces, data[end:]]).decode()

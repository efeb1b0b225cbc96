"""What a threshold does, in documents: those that score just below it, exactly at it, and just above it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import xxhash
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from configs.errors import InputError
from pipeline import storage
from pipeline.finished import FinishedRun, check_groupings, slices

NUM_EXAMPLES = 10
TEXT_CHARS = 200
SIDES = {"below": "a min of {0} removes", "at": "neither a min nor a max of {0} removes", "above": "a max of {0} removes"}


class _Found(NamedTuple):
    """Sorts by nearness; among equals a hash of the id decides, so that not all come from the first source."""

    distance: float
    order: int
    id: str
    score: float
    fate: str
    part: str


def examples(run_folder: str, signal: str, threshold: float, where: Mapping[str, str] | None = None) -> dict[str, list[dict[str, Any]]]:
    """`below`, `at` and `above` the threshold at most ten documents each, nearest first: `id`, `score`, `fate` and `text`.

    `text` has the first 200 characters, `None` where a rejected text was not kept. `at` is in practice for counts: a bound is
    included, so neither a min nor a max removes these. Raises `InputError` if none of the texts was kept.
    """
    where = where or {}
    run = FinishedRun(run_folder)
    run.signal(signal)
    check_groupings(where)
    nearest: dict[str, list[_Found]] = {side: [] for side in SIDES}
    for part, table in run.batches([signal, "fate"]):
        rows = [one.rows for one in slices(table, where)]
        if rows:
            _collect(table.take(pa.array(np.sort(np.concatenate(rows)))), part, signal, threshold, nearest)
    texts = _texts(run, [found for side in nearest.values() for found in side])
    if texts and all(text is None for text in texts.values()):
        setting = run.config.rejected.text
        raise InputError(f"{run_folder}: none of the texts around {signal} {threshold:g} was kept (rejected.text: {setting}); "
                         "a run with rejected.text: all keeps them")  # fmt: skip
    return {side: [{"id": f.id, "score": f.score, "fate": f.fate, "text": texts[f.id]} for f in found] for side, found in nearest.items()}


def _collect(table: pa.Table, part: str, signal: str, threshold: float, nearest: dict[str, list[_Found]]) -> None:
    """Keep the nearest of what was found so far and of these rows."""
    scores = table[signal].to_numpy()
    bound = scores.dtype.type(threshold) if scores.dtype.kind == "f" else threshold  # as `Bounds.outside` compares
    for side, mask in (("below", scores < bound), ("at", scores == bound), ("above", scores > bound)):
        rows = np.flatnonzero(mask)
        distances = np.abs(scores[rows].astype(np.float64) - float(bound))
        if len(rows) > NUM_EXAMPLES:
            near = distances <= np.partition(distances, NUM_EXAMPLES - 1)[NUM_EXAMPLES - 1]
            rows, distances = rows[near], distances[near]
        chosen = table.select(["id", "fate"]).take(pa.array(rows))
        found = [
            _Found(distance, xxhash.xxh3_64_intdigest(name.encode()), name, score, fate, part)
            for distance, name, score, fate in zip(
                distances.tolist(), chosen["id"].to_pylist(), scores[rows].tolist(), chosen["fate"].to_pylist(), strict=True
            )
        ]
        nearest[side] = sorted([*nearest[side], *found])[:NUM_EXAMPLES]


def _texts(run: FinishedRun, found: list[_Found]) -> dict[str, str | None]:
    """The beginning of each document's text; a document lies in the part of corpus/ or rejected/ that its ledger row has."""
    texts: dict[str, str | None] = {one.id: None for one in found}
    for folder, fate in (("corpus", "kept"), ("rejected", "rejected")):
        for part in sorted({one.part for one in found if one.fate == fate}):
            uri = storage.join(run.folder, folder, part)
            if storage.exists(uri):
                filesystem, path = storage.locate(uri)
                wanted = ds.field("id").isin([one.id for one in found if one.part == part])
                rows = ds.dataset(path, filesystem=filesystem, format="parquet").to_table(columns=["id", "text"], filter=wanted)
                for row in rows.to_pylist():
                    texts[row["id"]] = row["text"][:TEXT_CHARS] if row["text"] is not None else None
    return texts


def print_examples(signal: str, threshold: float, found: Mapping[str, list[dict[str, Any]]], console: Console | None = None) -> None:
    """A table for each side."""
    console = console or Console()
    if not console.is_terminal:
        console.width = 160
    for side, rows in found.items():
        if side == "at" and not rows:
            continue
        title = f"{signal} {side} {threshold:g}: {SIDES[side].format(f'{threshold:g}')} these"
        table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("id", overflow="fold", max_width=36)
        table.add_column("score", justify="right")
        table.add_column("now")
        table.add_column(f"first {TEXT_CHARS} characters", ratio=1)
        for row in rows:
            text = Text("not kept (rejected.text)", style="dim") if row["text"] is None else Text(row["text"].replace("\n", " ⏎ "))
            table.add_row(Text(row["id"]), f"{row['score']:.4g}", row["fate"], text)
        console.print(table if rows else f"{signal} {side} {threshold:g}: no documents")

"""Weigh the corpus: once all is decided and its sizes are known, every kept document gets `weight` and `repeats`.

The sizes of cells come with the counts of the write pass. Each file of the corpus is then written again with two more columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import storage
from pipeline.dedup.rounds import Phases
from pipeline.engine import Statistics
from pipeline.manifest import file_identity, identity
from pipeline.mixture.cells import rows_by_cell
from pipeline.parquet_files import write_parquet
from stages.mixture.stage import Mixture
from stages.mixture.weights import Amounts, Cell, amounts
from tokenizer import sampling

COLUMNS = ("weight", "repeats")


@dataclass(frozen=True)
class WeighWork:
    """One file of the corpus and the weights of all cells."""

    uri: str
    weights: dict[tuple[str, str], float]
    seed: int


def weigh_corpus(
    runner: Phases, stage: Mixture, cells: Sequence[Cell], shares: Mapping[str, float], parts: Sequence[str], key: str
) -> tuple[Amounts, list[Statistics]]:
    """Write the weights into the corpus' files, `parts`; what each cell gives, and what was counted. `key` stands for the selection."""
    given = amounts(cells, shares, stage.languages, stage.budget, stage.max_epochs)
    weights = {(cell.domain, cell.lang): float(weight) for cell, weight in zip(cells, given.weight, strict=True)}
    seed = runner.plan.config.seed
    folder = storage.join(runner.plan.config.output, "corpus")
    works = {name: WeighWork(storage.join(folder, name), weights, seed) for name in parts}
    lost = [name for name, work in works.items() if not _is_weighed(work.uri)]
    key = identity(key, [[*cell, weight] for cell, weight in weights.items()], seed, file_identity(Path(sampling.__file__)))
    return given, runner.phase("weigh", f"weigh-{key}", weigh, works, drop=lost)


def weigh(work: WeighWork) -> dict[str, Any]:
    """Add the columns to a file. `repeated`: `[domain, language, bytes with repetitions]` of each cell."""
    with storage.open_input(work.uri) as file:
        rows = pq.read_table(file)
    rows = rows.drop_columns([name for name in COLUMNS if name in rows.column_names])  # killed between writing the file and saying so
    weight = np.zeros(rows.num_rows)
    by_cell = rows_by_cell(rows)
    for cell, own in by_cell.items():
        weight[own] = work.weights[cell]
    repeats = sampling.times(weight * rows["sampling_weight"].to_numpy(), rows["id"].combine_chunks(), work.seed)
    rows = rows.append_column("weight", pa.array(weight)).append_column("repeats", pa.array(repeats.astype(np.int32)))
    write_parquet(work.uri, rows)
    sizes = rows["num_bytes"].to_numpy() * repeats
    return {"documents": rows.num_rows, "repeated": [[*cell, int(sizes[own].sum())] for cell, own in by_cell.items()]}


def _is_weighed(uri: str) -> bool:
    with storage.open_input(uri) as file:
        return set(COLUMNS) <= set(pq.read_schema(file).names)

"""Cells: the kept text by domain and language, counted in whole numbers, so that no order of shards changes a bit of a weight."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.judge import Mask
from stages.filters.rules import primary_subtag
from stages.mixture.weights import Cell

WEIGHT_PARTS = 1 << 16
"""Sampling weights are summed in whole parts."""


def cells_of(rows: pa.Table) -> list[list[Any]]:
    """Of the kept rows of a shard: `[domain, language, documents, bytes, bytes by sampling weight in parts]` of each cell."""
    sizes = rows["num_bytes"].to_numpy()
    parts = np.rint(rows["sampling_weight"].to_numpy().astype(np.float64) * WEIGHT_PARTS).astype(np.int64)
    found = []
    for cell, own in rows_by_cell(rows).items():
        found.append([*cell, int(own.sum()), int(sizes[own].sum()), sum((sizes[own] * parts[own]).tolist())])
    return found


def total_cells(of_shards: Sequence[Mapping[str, Any]]) -> tuple[Cell, ...]:
    """The cells of the whole corpus, by name, from what `pipeline.output.write` reports of each shard."""
    total: dict[tuple[str, str], list[int]] = {}
    for shard in of_shards:
        for domain, lang, *sizes in shard["cells"]:
            total[domain, lang] = [a + b for a, b in zip(total.get((domain, lang), [0] * 3), sizes, strict=True)]
    return tuple(Cell(*names, n, size, parts / WEIGHT_PARTS) for names, (n, size, parts) in sorted(total.items()))


def rows_by_cell(rows: pa.Table) -> dict[tuple[str, str], Mask]:
    """Mask of each domain and language that there is."""
    domains = pc.dictionary_encode(rows["domain"].combine_chunks())
    codes = pc.dictionary_encode(pc.fill_null(rows["lang"].combine_chunks(), ""))
    names = np.array([primary_subtag(code) for code in codes.dictionary.to_pylist()], object)
    lang = names[codes.indices.to_numpy()]
    found = {}
    for place, domain in enumerate(domains.dictionary.to_pylist()):
        in_domain = domains.indices.to_numpy() == place
        for name in sorted(set(lang[in_domain].tolist())):
            found[domain, name] = in_domain & (lang == name)
    return found

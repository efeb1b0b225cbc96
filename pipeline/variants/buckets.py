"""Documents by their score: of each domain and language as many in each bucket, so that buckets differ in nothing else.

A score that means quality makes bits per byte fall from bucket to bucket, whatever it was trained to tell apart.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import storage
from pipeline.config import RunConfig
from pipeline.finished import FinishedRun
from pipeline.output import write_parquet
from pipeline.variants.config import ScoreBuckets
from stages.filters.rules import primary_subtag


def write_buckets(settings: ScoreBuckets, runs: Mapping[str, RunConfig], uri: str) -> None:
    """Write the `bucket` of each kept document with a score by its `id`; 0 has the lowest. Raises `ConfigError` for no such signal."""
    if storage.exists(uri):
        return
    run = FinishedRun(runs[settings.of].output)
    signal = run.signal(settings.signal)
    kept = pa.concat_tables(
        table.filter(pc.and_(pc.equal(table["fate"], "kept"), pc.is_finite(pc.fill_null(table[signal].cast(pa.float64()), np.nan))))
        for _, table in run.batches([signal, "fate"])
    ).sort_by([(signal, "ascending"), ("id", "ascending")])
    cells = np.array(
        [f"{d}/{primary_subtag(lang or '')}" for d, lang in zip(*(kept[n].to_pylist() for n in ("domain", "lang")), strict=True)]
    )
    bucket = np.zeros(len(kept), np.int64)
    for cell in np.unique(cells):
        rows = np.flatnonzero(cells == cell)
        bucket[rows] = np.arange(len(rows)) * settings.buckets // len(rows)
    write_parquet(uri, pa.table({"id": kept["id"], "bucket": bucket}))

"""Documents by their score: of each domain and language as many bytes in each bucket, so that buckets differ in nothing else.

A score that means quality makes bits per byte fall from bucket to bucket, whatever it was trained to tell apart. Were there as many
documents in each, a score that grows with the length would give the highest bucket another mix of domains.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import storage
from pipeline.config import RunConfig
from pipeline.finished import FinishedRun
from pipeline.mixture.cells import rows_by_cell
from pipeline.parquet_files import write_parquet
from pipeline.variants.config import ScoreBuckets


def write_buckets(settings: ScoreBuckets, runs: Mapping[str, RunConfig], uri: str) -> None:
    """Write the `bucket` of each kept document with a score by its `id`; 0 has the lowest. Raises `ConfigError` for no such signal."""
    if storage.exists(uri):
        return
    run = FinishedRun(runs[settings.of].output)
    signal = run.signal(settings.signal)
    kept = pa.concat_tables(
        table.filter(pc.and_(pc.equal(table["fate"], "kept"), pc.is_finite(pc.fill_null(table[signal].cast(pa.float64()), np.nan))))
        for _, table in run.batches([signal, "fate", "num_bytes"])
    ).sort_by([(signal, "ascending"), ("id", "ascending")])
    sizes = kept["num_bytes"].to_numpy()
    bucket = np.zeros(len(kept), np.int64)
    for own in rows_by_cell(kept).values():
        bucket[own] = in_parts(sizes[own], settings.buckets)
    write_parquet(uri, pa.table({"id": kept["id"], "bucket": bucket}))


def in_parts(sizes: npt.NDArray[np.int64], num_parts: int) -> npt.NDArray[np.int64]:
    """The part of each size, (n,), if they are laid end to end and cut into parts of one length: where its middle is.

    >>> in_parts(np.array([10, 10, 10, 30]), 2).tolist()
    [0, 0, 0, 1]
    """
    return np.asarray((2 * np.cumsum(sizes) - sizes) * num_parts // max(1, 2 * int(sizes.sum())), np.int64)

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from pipeline.variants.buckets import in_parts, write_buckets
from pipeline.variants.config import ScoreBuckets, VariantsConfig
from pipeline.variants.selection import variant_runs
from tests.pipeline.conftest import ledger


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=60), st.integers(2, 6))
def test_parts_are_in_order_and_differ_by_no_more_than_a_document(sizes: list[int], num_parts: int) -> None:
    part = in_parts(np.array(sizes), num_parts)
    assert (np.diff(part) >= 0).all()
    held = np.bincount(part, sizes, minlength=num_parts)
    assert len(held) == num_parts
    assert np.abs(held - sum(sizes) / num_parts).max() <= max(sizes)


def test_buckets_hold_as_many_bytes_of_each_domain_and_language_though_the_score_is_the_length(
    finished: tuple[VariantsConfig, dict[str, Any]], tmp_path: Path
) -> None:
    config, _ = finished
    runs, uri = variant_runs(config), tmp_path / "buckets.parquet"
    write_buckets(ScoreBuckets(signal="num_chars", of="raw", buckets=3), runs, str(uri))
    bucket = {row["id"]: row["bucket"] for row in pq.read_table(uri).to_pylist()}
    rows = [row for row in ledger(runs["raw"].output).values() if row["fate"] == "kept"]
    assert {row["id"] for row in rows} == set(bucket)
    for cell in {(row["domain"], row["lang"][:2]) for row in rows}:
        own = sorted((row for row in rows if (row["domain"], row["lang"][:2]) == cell), key=lambda row: (row["num_chars"], row["id"]))
        assert [bucket[row["id"]] for row in own] == sorted(bucket[row["id"]] for row in own)
        held = np.bincount([bucket[row["id"]] for row in own], [row["num_bytes"] for row in own], minlength=3)
        assert np.abs(held - held.mean()).max() <= max(row["num_bytes"] for row in own)

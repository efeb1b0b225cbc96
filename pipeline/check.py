"""The books are balanced: read the output files back, and compare them by id with what went in.

For each part, the ids of corpus and rejected are disjoint and together are those of the ledger, which has a row for every document
that the local pass read. Ids are unique across parts because the id exchange made them so. A failure here is a defect of ours, so it
is an assertion, and the run does not finish.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from pipeline import storage


@dataclass(frozen=True)
class CheckWork:
    """One part of the output and how many documents it must hold."""

    index: int
    num_rows: int
    output: str


def check_part(work: CheckWork) -> dict[str, Any]:
    """Raises `AssertionError` if a document is missing, is there twice, or has two fates."""
    ids = {}
    for folder in ("corpus", "rejected", "ledger"):
        with storage.open_input(storage.join(work.output, folder, f"part-{work.index:06d}.parquet")) as file:
            ids[folder] = pq.read_table(file, columns=["id"])["id"].to_pylist()
    kept, rejected = set(ids["corpus"]), set(ids["rejected"])
    assert len(ids["ledger"]) == work.num_rows, f"part {work.index}: {work.num_rows} documents were read, the ledger has another number"
    assert len(kept) + len(rejected) == len(ids["corpus"]) + len(ids["rejected"]) == work.num_rows, f"part {work.index}: repeated ids"
    assert not kept & rejected, f"part {work.index}: ids both kept and rejected: {sorted(kept & rejected)[:3]}"
    assert kept | rejected == set(ids["ledger"]), f"part {work.index}: ids in the ledger and in neither corpus nor rejected, or the reverse"
    return {"documents": work.num_rows, "kept": len(kept), "rejected": len(rejected)}

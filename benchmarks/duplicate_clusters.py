"""How long does `corpus duplicates` take on a large ledger, and how much memory?

    python benchmarks/duplicate_clusters.py --documents 10000000

A made-up ledger in parts of 100,000 rows: 42 % of the documents duplicate one of another 15 %, drawn so unevenly that the largest
cluster of 10 million documents holds a seventh of them. Each command is a process of its own; its peak memory is the operating
system's figure.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

PART_ROWS = 100_000


def write_ledger(folder: Path, num_documents: int) -> str:
    """Write the ledger; the id of the largest cluster's survivor."""
    rng = np.random.default_rng(1)
    order = rng.permutation(num_documents)
    survivors, members = np.split(order, [num_documents * 15 // 100])
    members = members[: num_documents * 42 // 100]
    weights = np.cumsum(rng.pareto(1.1, len(survivors)))
    duplicate_of = np.full(num_documents, -1)
    duplicate_of[members] = survivors[np.searchsorted(weights / weights[-1], rng.random(len(members)))]
    sizes = np.bincount(duplicate_of[duplicate_of >= 0], minlength=num_documents) + 1
    (folder / "ledger").mkdir(parents=True)
    for part, start in enumerate(range(0, num_documents, PART_ROWS)):
        docs = np.arange(start, min(start + PART_ROWS, num_documents))
        write_part(folder / "ledger" / f"part-{part:06d}.parquet", docs, duplicate_of[docs], sizes, rng)
    largest = int(sizes.argmax())
    print(f"{num_documents:,} documents, {len(members):,} duplicates, the largest cluster has {sizes[largest]:,}", flush=True)
    return str(ids(np.array([largest]))[0])


def ids(docs: npt.NDArray[np.int64]) -> pa.Array:
    """As the pipeline makes them."""
    return pa.array([f"crawl/part-{doc // PART_ROWS:05d}.jsonl.zst#{doc % PART_ROWS + 1}" for doc in docs.tolist()])


def write_part(
    path: Path, docs: npt.NDArray[np.int64], duplicate_of: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], rng: np.random.Generator
) -> None:
    """One file with the columns that the command reads."""
    count, gone = len(docs), duplicate_of >= 0
    offsets = np.concatenate([[0], np.cumsum(gone)]).astype(np.int32)
    table = {
        "id": ids(docs),
        **{name: pa.array([value] * count) for name, value in (("source", "crawl"), ("domain", "web"), ("lang", "en"), ("path", "part"))},
        "record": docs,
        "fate": np.where(gone, "rejected", "kept"),
        "reasons": pa.ListArray.from_arrays(pa.array(offsets), pa.array(["near_duplicate"] * int(gone.sum()))),
        "duplicate_of": pa.array(ids(np.maximum(duplicate_of, 0)).to_pylist(), mask=~gone),
        "similarity": pa.array(rng.uniform(0.8, 1, count), mask=~gone),
        "cluster_size": sizes[np.where(gone, duplicate_of, docs)],
        "content_hash": pa.array(np.frombuffer(rng.bytes(16 * count), "V16").tolist(), pa.binary(16)),
    }
    pq.write_table(pa.table(table), path, compression="zstd", row_group_size=count)


def measure(*arguments: str) -> None:
    """Run the command and print its wall seconds and peak memory."""
    start = time.perf_counter()
    with Path(os.devnull).open("w") as nowhere:
        command = [sys.executable, "-m", "pipeline.cli", "duplicates", *arguments]
        process = os.posix_spawn(sys.executable, command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)])
        _, status, usage = os.wait4(process, 0)
    assert status == 0, f"corpus duplicates {arguments} failed"
    print(f"{arguments[1]:<8} {time.perf_counter() - start:6.1f} s {usage.ru_maxrss / 1000:7.0f} MB")


def main() -> None:
    """Write the ledger, list the clusters, show the largest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        largest = write_ledger(Path(folder), options.documents)
        measure(folder, "--top", "20")
        measure(folder, "--show", largest)


if __name__ == "__main__":
    main()

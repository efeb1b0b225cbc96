"""Memory and CPU seconds that one huge cluster takes where it is decided (`pipeline.dedup.decide.resolve`).

    python benchmarks/cluster_memory.py --documents 1000000 --pairs 5 15 30

Made-up facts of documents in 20 shards, each with a 29-byte id and so many verified pairs with any others, are decided in a process of its
own. Memory is anonymous (`RssAnon`, sampled) above what the process held before; mapped messages are left out.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline import arrow_files
from pipeline.dedup.decide import FACT_ROWS, ResolveWork, resolve
from pipeline.dedup.pairs import Ways
from pipeline.exchange import Exchange
from stages.dedup.survivors import LEFT_MAY_GO, RIGHT_MAY_GO

SHARDS = 20


def send(exchange: Exchange, num_documents: int, pairs: int) -> None:
    """Write the facts that all shards send."""
    rng = np.random.default_rng(1)
    rows = num_documents // SHARDS
    offsets = np.arange(rows + 1) * pairs
    for shard in range(SHARDS):
        docs = (shard << 32) + np.arange(rows)
        others = (rng.integers(0, SHARDS, rows * pairs) << 32) + rng.integers(0, rows, rows * pairs)
        ways = np.full(rows * pairs, LEFT_MAY_GO | RIGHT_MAY_GO, np.int8)
        facts = {
            "doc": docs,
            "group": docs,
            "url_group": docs,
            "clean": np.ones(rows, np.bool_),
            "root": np.zeros(rows, np.int64),
            "drawn": np.zeros(rows, np.bool_),
            "earlier": np.zeros(rows, np.bool_),
            "score": np.full(rows, np.nan),
            "num_chars": rng.integers(100, 1000, rows),
            "content": rng.integers(0, 1 << 63, rows).astype(np.uint64),
            "id": [f"source/file-{shard:04d}.jsonl#{row:06d}" for row in range(rows)],
            "others": pa.LargeListArray.from_arrays(offsets, np.sort(others.reshape(rows, pairs), axis=1).ravel()),
            "similarities": pa.LargeListArray.from_arrays(offsets, rng.random(rows * pairs)),
            "ways": pa.LargeListArray.from_arrays(offsets, ways),
        }
        batch = pa.RecordBatch.from_pydict(facts, schema=FACT_ROWS)
        arrow_files.write_batches(exchange.sent(shard), FACT_ROWS, [batch])


def decide_here(exchange: Exchange) -> None:
    """Decide, and print bytes and CPU seconds."""
    before = own_bytes()
    most, done = [before], threading.Event()

    def sample() -> None:
        while not done.wait(0.005):
            most[0] = max(most[0], own_bytes())

    sampler = threading.Thread(target=sample)
    sampler.start()
    started = time.process_time()
    resolve(ResolveWork(exchange, 0, SHARDS, Ways(0.8, None)))
    seconds = time.process_time() - started
    done.set()
    sampler.join()
    print(most[0] - before, seconds)


def own_bytes() -> int:
    """Anonymous memory of this process."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon:")]
    return int(line.split()[1]) * 1024


def main() -> None:
    """One line for each number of pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, nargs="+", default=[5, 15, 30])
    parser.add_argument("--decide", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.decide:
        decide_here(Exchange(arguments.decide, SHARDS, 1))
        return
    for pairs in arguments.pairs:
        with tempfile.TemporaryDirectory() as folder:
            send(Exchange(folder, SHARDS, 1), arguments.documents, pairs)
            done = subprocess.run([sys.executable, __file__, "--decide", folder], check=True, stdout=subprocess.PIPE, text=True)
        num_bytes, seconds = done.stdout.split()
        each = int(num_bytes) / arguments.documents
        print(f"{arguments.documents:,} documents with {pairs} pairs each: {int(num_bytes) / 1e6:,.0f} MB, {each:.0f} bytes a document, "
              f"{float(seconds):.1f} CPU seconds")  # fmt: skip


if __name__ == "__main__":
    main()

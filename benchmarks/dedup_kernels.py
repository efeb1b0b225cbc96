"""Speed of shingling, signing and comparing, beside datasketch on the same shingles in the same run.

    python benchmarks/dedup_kernels.py FOLDER [--documents 2000] [--repeats 3]

FOLDER holds `*.jsonl.zst` files with a `text` field. Each figure is the best of the repeats on one core, kernels compiled before.
The last column says how many times faster we sign than `datasketch.MinHash.update_batch`, which is given ready shingle hashes and
shared permutations, so that ours alone pays for shingling. `compared` counts hashes of both sets.
"""

import argparse
import io
import json
import time
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import zstandard
from datasketch import MinHash

from stages.dedup.minhash import signatures
from stages.dedup.verify import exact_jaccard
from stages.text.buffers import TextBuffer, text_buffer
from stages.text.shingles import shingle_hashes, shingle_sets

SHINGLE, PERMUTATIONS, SEED = 5, 128, 1


def main() -> None:
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=2000, help="of each file")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    files = sorted(arguments.folder.glob("*.jsonl.zst"))
    if not files:
        parser.error(f"{arguments.folder}: no *.jsonl.zst files")
    signatures(texts_of(files[0], 1), SHINGLE, PERMUTATIONS, SEED)
    print(f"{'file':24}{'documents':>10}{'MB':>7}{'shingles':>10}{'sets':>8}{'signed':>8}{'compared':>10}{'datasketch':>12}{'ratio':>8}")
    print(f"{'':24}{'':>10}{'':>7}{'MB/s':>10}{'MB/s':>8}{'MB/s':>8}{'M/s':>10}{'MB/s':>12}")
    for file in files:
        report(file.name.removesuffix(".jsonl.zst"), texts_of(file, arguments.documents), arguments.repeats)


def texts_of(file: Path, limit: int) -> TextBuffer:
    """The first texts of a file."""
    with file.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
        lines = islice(io.TextIOWrapper(stream, encoding="utf-8"), limit)
        return text_buffer(pa.array([json.loads(line)["text"] for line in lines], pa.large_string()))


def report(name: str, text: TextBuffer, repeats: int) -> None:
    """Measure one file."""
    megabytes = text.lengths().sum() / 1e6
    offsets, hashes = shingle_hashes(text, SHINGLE)
    low = (hashes & np.uint64(0xFFFFFFFF)).astype(np.uint32)

    drawn = MinHash(PERMUTATIONS, seed=SEED, scheme="affine32").permutations

    def by_datasketch() -> None:
        for start, end in pairwise(offsets):
            sketch = MinHash(PERMUTATIONS, permutations=drawn, scheme="affine32", hashfunc=lambda value: value)
            sketch.update_batch(low[start:end])

    sets = shingle_sets(text, SHINGLE)
    left = np.arange(len(text) - 1)
    num_compared = 2 * len(sets[1]) / 1e6
    seconds = [
        best(lambda: shingle_hashes(text, SHINGLE), repeats),
        best(lambda: shingle_sets(text, SHINGLE), repeats),
        best(lambda: signatures(text, SHINGLE, PERMUTATIONS, SEED), repeats),
    ]
    compared = num_compared / best(lambda: exact_jaccard(*sets, left, left + 1), repeats)
    peer = best(by_datasketch, 1)
    speeds = "".join(f"{megabytes / s:{width}.0f}" for s, width in zip(seconds, (10, 8, 8), strict=True))
    print(f"{name:24}{len(text):10,}{megabytes:7.1f}{speeds}{compared:10.0f}{megabytes / peer:12.1f}{peer / seconds[2]:8.0f}")


def best(run: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of some runs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()

"""Speed, scaling and memory of packing, and what a length cuts: .venv/bin/python benchmarks/packing.py RUN [--tokenizer MODEL].

RUN is the output folder of a run (`corpus run configs/real_data.yaml`). Its corpus is written `--copies` times, with ids of their own, so
that a pack takes some seconds. MB are those of text.

`MB a CPU second` is what one core does however busy the machine is: in this process, by the difference between all copies and one, so that
start-up is left out. Then one Ray worker and two in turns, wall time without start-up; `control` is the same ratio, at the same moment, of
processes that only multiply: what the machine has to give. Memory is the largest worker's, for shards of two sizes.

What a length cuts: of documents that are not longer than T, those that lie across a multiple of T; the share of tokens that thereby lose
the beginning of their document; and the share of those that no packing could give theirs, since the document is longer.
"""

import argparse
import multiprocessing
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from model.shards import TokenShards
from pipeline.config import Engine
from pipeline.packing.pack_config import PackConfig
from pipeline.packing.packer import pack
from tokenizer.fit import fitted, num_cut

FOLDER = Path("out/benchmarks/packing")
LENGTHS = (512, 1024, 2048, 4096, 8192, 32_768)


def multiply(times: int) -> float:
    """Arithmetic alone."""
    number = 1.0
    for _ in range(times):
        number = number * 1.0000001 + 0.1
    return number


def control() -> float:
    """How many times as much two processes do as one."""
    times = 5_000_000
    started = time.perf_counter()
    multiply(times)
    one = time.perf_counter() - started
    with multiprocessing.Pool(2) as pool:
        pool.map(multiply, [1, 1])
        started = time.perf_counter()
        pool.map(multiply, [times, times])
        return 2 * one / (time.perf_counter() - started)


def copied(run: str, copies: int) -> str:
    """A finished run with the corpus so many times."""
    folder = FOLDER / f"corpus-{copies}"
    if not (folder / "summary.json").exists():
        (folder / "corpus").mkdir(parents=True, exist_ok=True)
        for part in sorted((Path(run) / "corpus").glob("*.parquet")):
            table = pq.read_table(part)
            for copy in range(copies):
                ids = pc.binary_join_element_wise(table["id"], f"copy{copy}", "/")
                named = table.set_column(table.schema.get_field_index("id"), "id", ids.cast(pa.string()))
                pq.write_table(named, folder / "corpus" / f"part-{copy}-{part.name}", compression="zstd")
        (folder / "summary.json").write_text("{}")
    return str(folder)


def packed(run: str, tokenizer: str, workers: int | None, shard_tokens: int) -> dict[str, Any]:
    """One pack from the beginning, on so many workers or in this process."""
    output = FOLDER / "pack"
    shutil.rmtree(output, ignore_errors=True)
    engine = Engine(workers=workers) if workers else Engine(executor="inprocess")
    return pack(PackConfig(input=(run,), tokenizer=tokenizer, output=str(output), shard_tokens=shard_tokens, engine=engine), quiet=True)


def rate(header: dict[str, Any]) -> float:
    """MB of text a second, start-up left out."""
    return float(header["bytes"] / 1e6 / sum(value for name, value in header["seconds"].items() if name != "start"))


def print_cuts(folder: Path) -> None:
    """What windows of each length cut: of the stream as it is, and as `window` would order it."""
    shards = TokenShards.open(folder)
    lengths = np.bincount(shards.segments(0, shards.num_tokens))[1:].astype(np.int64)
    print(f"{len(lengths):,} documents, median {np.median(lengths):,.0f} tokens, mean {lengths.mean():,.0f}, longest {lengths.max():,}")
    print("     T  not longer  of these cut  with window  tokens without a beginning  with window  in longer documents  seconds")
    for window in LENGTHS:
        started = time.perf_counter()
        order = fitted(lengths, 0, window)
        seconds = time.perf_counter() - started
        short = lengths <= window
        shares = [num_cut(found, 0, window) / short.sum() for found in (lengths, lengths[order])]
        orphans = [num_orphans(found, window) / shards.num_tokens for found in (lengths, lengths[order])]
        longer = np.where(short, 0, lengths - window).sum() / shards.num_tokens
        columns = f"{short.mean():11.1%} {shares[0]:13.2%} {shares[1]:12.4%} {orphans[0]:27.2%} {orphans[1]:12.4%} {longer:20.1%}"
        print(f"{window:6,} {columns} {seconds:8.4f}")


def num_orphans(lengths: npt.NDArray[np.int64], window: int) -> int:
    """Tokens whose document begins in an earlier window, although it fits one."""
    ends = np.cumsum(lengths)
    cut = ((ends - lengths) // window != (ends - 1) // window) & (lengths <= window)
    return int(np.where(cut, ends - (ends - 1) // window * window, 0).sum())


def print_phases(header: dict[str, Any], label: str) -> None:
    """What a pack took."""
    phases = "  ".join(f"{name} {value:5.2f} s" for name, value in header["seconds"].items())
    driver, worker = (f"{header['peak_memory_bytes'][name] / 1e6:,.0f} MB" for name in ("driver", "worker"))
    print(f"{label:<28} {rate(header):6.1f} MB/s   {phases}   worker {worker}, driver {driver}")


def processor_seconds(run: str, tokenizer: str) -> tuple[float, float]:
    """CPU seconds of a pack in this process, and its MB."""
    started = time.process_time()
    header = packed(run, tokenizer, None, 25_000_000)
    return time.process_time() - started, header["bytes"] / 1e6


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--tokenizer", default="../shared/data/tokenizers/rebuilt/baichuan7b.spm.model")
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    run, tokenizer = copied(arguments.run, arguments.copies), arguments.tokenizer
    processor_seconds(arguments.run, tokenizer)
    slopes = []
    for _ in range(arguments.rounds):
        (one, size), (all_copies, sizes) = processor_seconds(arguments.run, tokenizer), processor_seconds(run, tokenizer)
        slopes.append((sizes - size) / (all_copies - one))
    print(f"MB a CPU second: {', '.join(f'{slope:.1f}' for slope in slopes)}")
    ratios, controls = [], []
    for number in range(arguments.rounds):
        one_worker, two_workers = (packed(run, tokenizer, workers, 25_000_000) for workers in (1, 2))
        ratios.append(rate(two_workers) / rate(one_worker))
        controls.append(control())
        print_phases(one_worker, f"round {number}, one worker")
        print_phases(two_workers, f"round {number}, two workers")
        print(f"two / one {ratios[-1]:.2f}, control {controls[-1]:.2f}, load of the machine {os.getloadavg()[0]:.1f}")
    print(f"medians: two / one {statistics.median(ratios):.2f}, control {statistics.median(controls):.2f}")
    for shard_tokens in (25_000_000, 100_000_000):
        print_phases(packed(run, tokenizer, 1, shard_tokens), f"shards of {shard_tokens / 1e6:.0f} million tokens")
    packed(arguments.run, tokenizer, None, 100_000_000)
    print_cuts(FOLDER / "pack")


if __name__ == "__main__":
    main()

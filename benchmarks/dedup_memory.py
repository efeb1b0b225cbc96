"""Document dedup of millions of documents in one process: peak memory and seconds of each phase, and how both grow.

    python benchmarks/dedup_memory.py --documents 1000000 10000000 --memory 4GB
    python benchmarks/dedup_memory.py --documents 1000000 10000000 --memory 4GB --blocks
    python benchmarks/dedup_memory.py --documents 10000000 --memory 1GB

Documents are 24 seeded words in Parquet, 145 bytes each, in a seeded order: a tenth are one template whose last three words are slots of
50, 1,000 and 1,000 values (two documents of the same first slot have a similarity of .818, else .739); a fiftieth are templates of
10,000 documents with two slots (.818); a quarter is in clusters of 2 to 1,000 with the last word changed (.905), sizes falling by a power
law; a tenth are pairs of exact copies; the rest is alone. So the largest component of candidates has a tenth of all documents, and a
larger input has more candidate pairs a document: the same slots of the same template are filled more densely. With `--blocks` all sizes are
made of blocks of the first size, each as above with texts of its own, so that ten times the documents have ten times the pairs. Growth is
told by the document and by the verified pair; a pair that several partitions propose is verified once.

Each run is a process of its own and goes from files to checked ledger through `pipeline.run` with the stages `exact_dedup` and
`document_dedup`. `peak` is the largest resident set within a phase (VmHWM, reset before each); `own` leaves out mapped files, which the
system drops when memory is short (RssAnon, sampled). Growth is told in CPU seconds, since other processes may share the machine. The
benchmark fails if `own` exceeds `--memory`. Files go to `out/dedup_memory` and are removed; to need less disk, a round's messages are
removed here as soon as no phase reads them (a run itself keeps them).
"""

import argparse
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

import pipeline.run
from pipeline.config import load_run
from pipeline.engine import Statistics

ROOT = Path("out/dedup_memory")
WORDS, VOCABULARY = 24, 8192
ROWS = 100_000
"""Of a row group."""
READ = {"band buckets": "bands-*/sent-*", "gather": "bands-*/answers-*", "verify": "shingles-*/sent-*"}
"""What no phase after the named one reads."""

UInt64s = npt.NDArray[np.uint64]


# Documents ------------------------------------------------------------------------------------------------------------------------


def generate(num_documents: int, block: int, folder: Path) -> None:
    """Write the documents, a million to a file."""
    rng = np.random.default_rng(5)
    base, tails, order = documents(num_documents, block, rng)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    lengths = rng.integers(3, 8, VOCABULARY)
    words = pa.array(["".join(rng.choice(letters, n)) for n in lengths], pa.string())
    folder.mkdir(parents=True)
    for first in range(0, num_documents, 10 * ROWS):
        with pq.ParquetWriter(folder / f"documents-{first // ROWS:05d}.parquet", pa.schema({"text": pa.string()})) as writer:
            for start in range(first, min(first + 10 * ROWS, num_documents), ROWS):
                rows = order[start : start + ROWS]
                writer.write_table(pa.table({"text": texts(base[rows], tails[rows], words)}), row_group_size=ROWS)


def documents(num_documents: int, block: int, rng: np.random.Generator) -> tuple[UInt64s, UInt64s, npt.NDArray[np.int64]]:
    """`clusters` in blocks of so many documents, and the order in which they are written."""
    parts = [clusters(block, rng) for _ in range(num_documents // block)]
    base = np.concatenate([numbers + np.uint64(i * block) for i, (numbers, _) in enumerate(parts)])
    return base, np.concatenate([tails for _, tails in parts]), rng.permutation(len(base))


def clusters(num_documents: int, rng: np.random.Generator) -> tuple[UInt64s, UInt64s]:
    """What each document is made of: the number of its text (n,), and of its last three words (n, 3) where they are its own, else 0."""
    base = np.arange(1, num_documents + 1, dtype=np.uint64)
    tails = np.zeros((num_documents, 3), np.uint64)
    tenth = num_documents // 10
    giant, small = slice(0, tenth), slice(tenth, tenth + num_documents // 50)
    base[giant] = 1
    for slot, values in enumerate((50, 1000, 1000)):
        tails[giant, slot] = rng.integers(1, values + 1, tenth) + 10_000 * slot
    base[small] = base[tenth] + np.arange(num_documents // 50, dtype=np.uint64) // np.uint64(10_000)
    for slot in (1, 2):
        tails[small, slot] = rng.integers(1, 1001, num_documents // 50) + 10_000 * slot
    near = slice(small.stop, small.stop + num_documents // 4)
    sizes = np.minimum(2 / rng.random(near.stop - near.start) ** 0.8, 1000).astype(np.int64)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)[: near.stop - near.start]
    base[near] = base[near][first]
    tails[near, 2] = 100_000 + np.arange(len(first))
    base[near.stop + 1 : near.stop + tenth : 2] = base[near.stop : near.stop + tenth - 1 : 2]
    return base, tails


def texts(base: UInt64s, tails: UInt64s, words: pa.Array) -> pa.Array:
    """The texts of documents."""
    numbers = _mixed(base[:, None] * np.uint64(64) + np.arange(WORDS, dtype=np.uint64))
    numbers[:, -3:] = np.where(tails > 0, _mixed(tails + np.uint64(1 << 60)), numbers[:, -3:])
    chosen = words.take(pa.array((numbers % np.uint64(len(words))).ravel().astype(np.int64)))
    lists = pa.ListArray.from_arrays(np.arange(len(base) + 1, dtype=np.int32) * WORDS, chosen)
    return pc.binary_join(lists, " ")


def _mixed(values: UInt64s) -> UInt64s:
    """Splitmix64: a draw for each number."""
    values = (values + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ values >> np.uint64(31))


# A measured run -------------------------------------------------------------------------------------------------------------------


class MeasuredRunner(pipeline.run.Runner):
    """Notes what each phase took in `took`: name -> (CPU seconds, resident bytes, own bytes)."""

    took: dict[str, tuple[float, int, int]] = {}  # noqa: RUF012 - one run a process

    def phase(
        self, name: str, folder: str, function: Callable[[Any], Statistics], works: Mapping[str, Any], drop: Sequence[str] = ()
    ) -> list[Statistics]:
        """As `Runner.phase`."""
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again at what is resident now
        before = time.process_time()
        own, done = [0], threading.Event()

        def sample() -> None:
            while not done.wait(0.02):
                own[0] = max(own[0], status("RssAnon"))

        sampler = threading.Thread(target=sample)
        sampler.start()
        found = super().phase(name, folder, function, works, drop)
        done.set()
        sampler.join()
        self.took[name] = (time.process_time() - before, status("VmHWM"), max(own[0], status("RssAnon")))
        for path in Path(self.plan.work).glob(READ.get(name, "")) if name in READ else ():
            path.unlink()
        return found


def status(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024


def run_here(config: str) -> None:
    """Run a configuration in this process and print what it took as JSON."""
    pipeline.run.Runner = MeasuredRunner  # type: ignore[misc]
    summary = pipeline.run.run(load_run(config), quiet=True)
    print(json.dumps({"summary": summary, "took": MeasuredRunner.took}))


def measure(num_documents: int, block: int, memory: str) -> tuple[dict[str, float], int]:
    """Generate, run, print the table; CPU seconds of each phase, and the number of verified pairs."""
    folder = ROOT / f"{num_documents}"
    if not folder.exists():
        generate(num_documents, block, folder / "in")
    config = {
        "name": "dedup-memory",
        "output": str(folder / "out"),
        "sources": [{"name": "made", "path": str(folder / "in"), "domain": "web"}],
        "stages": [{"exact_dedup": {}}, {"document_dedup": {}}],
        "rejected": {"text": "none"},
        "engine": {"executor": "inprocess", "memory_per_worker": memory},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    disk = Disk(folder / "out")
    done = subprocess.run([sys.executable, __file__, "--run", str(folder / "run.yaml")], check=True, stdout=subprocess.PIPE)
    most_disk = disk.stop()
    found = json.loads(done.stdout)
    summary, took = found["summary"], found["took"]
    seconds = {name: phase["seconds"] for name, phase in summary["phases"].items() if name != "start"}
    cpu = {name: took[name][0] for name in seconds}
    size = sum(path.stat().st_size for path in (folder / "in").iterdir())
    print(f"\n{num_documents:,} documents ({summary['bytes']['raw'] / 1e6:,.0f} MB of text, {size / 1e6:,.0f} MB of Parquet), "
          f"memory_per_worker {memory}: {sum(seconds.values()):,.0f} s, {sum(cpu.values()):,.0f} s of CPU, "
          f"at most {most_disk / 1e9:.1f} GB of disk")  # fmt: skip
    print(f"{summary['documents']}, { ({name: sizes[0] for name, sizes in summary['reasons'].items()}) }")
    print({name: number for name, number in summary["duplicates"].items() if isinstance(number, int)})
    survivors(num_documents, block, folder / "out")
    print(f"{'phase':<16}{'units':>7}{'seconds':>9}{'CPU s':>8}{'CPU us/document':>17}{'peak MB':>9}{'own MB':>8}")
    for name, wall in seconds.items():
        resident, own = (value / 1e6 for value in took[name][1:])
        each = 1e6 * cpu[name] / num_documents
        print(
            f"{name:<16}{summary['phases'][name]['units']:>7}{wall:>9.1f}{cpu[name]:>8.1f}{each:>17.2f}{resident:>9,.0f}{own:>8,.0f}",
            flush=True,
        )
    limit = load_run(str(folder / "run.yaml")).engine.memory_per_worker
    if (most := max(own for _, _, own in took.values())) > limit:
        sys.exit(f"{most:,} bytes of own memory are more than {limit:,}")
    shutil.rmtree(folder / "out")
    return cpu, summary["duplicates"]["verified_pairs"]


def survivors(num_documents: int, block: int, output: Path) -> None:
    """Print how many documents of each kind are kept, and how many a comparison of all with all would keep."""
    base, tails, order = documents(num_documents, block, np.random.default_rng(5))
    ledger = [pq.read_table(path, columns=["fate"])["fate"] for path in sorted((output / "ledger").glob("*.parquet"))]
    kept = np.zeros(num_documents, np.bool_)
    kept[order] = np.concatenate([np.asarray(pc.equal(fates, "kept")) for fates in ledger])
    tenth = block // 10
    bounds = np.minimum(np.cumsum([0, tenth, block // 50, block // 4, tenth, block]), block)
    kinds = ("one template", "templates of 10,000", "clusters", "pairs of copies", "alone")
    place = np.arange(num_documents) % block
    for kind, start, end in zip(kinds, bounds, bounds[1:], strict=False):
        part = np.flatnonzero((place >= start) & (place < end))
        slots = tails[part, 0] + np.uint64(50) * (part // block).astype(np.uint64)
        names, group = np.unique(slots if kind == "one template" else base[part], return_inverse=True)
        print(f"{kind:<20} {len(part):>9,} documents in {len(names):>9,} groups of mutual duplicates: {kept[part].sum():>9,} kept")
        if kind == "clusters":
            sizes, stay = np.bincount(group), np.bincount(group, kept[part])
            large = sizes > 64
            print(f"{'  beyond 64':<20} {sizes[large].sum():>9,} documents in {large.sum():>9,} groups of mutual duplicates: "
                  f"{int(stay[large].sum()):>9,} kept")  # fmt: skip


class Disk:
    """Looks at the size of a folder every two seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._done, self._most = folder, threading.Event(), 0
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._done.wait(2):
            found = subprocess.run(["du", "-sB1", self._folder], check=False, capture_output=True, text=True).stdout.split()
            self._most = max(self._most, int(found[0]) if found else 0)

    def stop(self) -> int:
        """The most bytes that were seen."""
        self._done.set()
        self._thread.join()
        return self._most


def main() -> None:
    """Run each size and say how the last compares to the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--blocks", action="store_true", help="all sizes in blocks of the first")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run_here(arguments.run)
        return
    shutil.rmtree(ROOT, ignore_errors=True)
    sizes = arguments.documents
    if arguments.blocks and any(size % sizes[0] for size in sizes):
        parser.error("with --blocks each size is a multiple of the first")
    taken = {size: measure(size, sizes[0] if arguments.blocks else size, arguments.memory) for size in sizes}
    (first, first_pairs), (last, last_pairs) = taken[sizes[0]], taken[sizes[-1]]
    if len(taken) > 1:
        times, pairs = sum(last.values()) / sum(first.values()), last_pairs / first_pairs
        print(f"\n{sizes[-1] / sizes[0]:g} times the documents, with {pairs:.1f} times the verified pairs "
              f"({first_pairs / sizes[0]:.1f} and {last_pairs / sizes[-1]:.1f} a document), take, in CPU time")  # fmt: skip
        for name in last:
            print(f"  {name:<16}{last[name] / first[name]:>7.1f} times as long")
        print(f"  {'all':<16}{times:>7.1f} times as long, {times * sizes[0] / sizes[-1]:.2f} times by the document, "
              f"{times / pairs:.2f} times by the pair")  # fmt: skip
    shutil.rmtree(ROOT)


if __name__ == "__main__":
    main()

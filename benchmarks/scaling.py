"""What each phase costs per GB and per million documents, how the cost grows with the input, and what a big run would need by that.

    python benchmarks/scaling.py ../shared/data --copies 1 8 --json docs/scaling.json
    python benchmarks/scaling.py --from docs/scaling.json

The real documents, replicated with changed characters (`dedup_speed.py` says how), go through all stages of `configs/real_data.yaml` in
one process, `--repeats` times at each size in fresh processes; of each phase the least CPU seconds, what it left on disk, and the peak
memory are kept. Beside it: what one message between a sender and a partition costs to read, by the number of partitions, and what one
unit costs the driver. `--from` prints the tables again, from these measurements, and the projection.

The projection is arithmetic, not a measurement: parallel phases at the measured cost per GB on all cores, phases of a single unit on one
core, messages = senders x partitions of each round. It leaves out stragglers and the network.
"""

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from dedup_reference import DATA
from dedup_speed import ROOT as COPIES
from dedup_speed import TimedRunner, replicate

import pipeline.run
from pipeline.config import Engine, load_run
from pipeline.dedup.components import forest_bytes
from pipeline.dedup.rounds import BAND_BYTES
from pipeline.engine import OnRay, Statistics, run_phase
from pipeline.exchange import Exchange
from pipeline.plan import num_partitions
from pipeline.progress import Progress

ROOT = Path("out/scaling")
BANDS = 16
"""Of the signatures in `STAGES`; they are the largest round."""
STAGES = Path(__file__).parents[1] / "configs" / "real_data.yaml"
GB, TB = 1e9, 1e12


@dataclass(frozen=True)
class Phase:
    """What a phase took in all: CPU seconds, bytes that it left on disk, and how many units it had."""

    cpu: float
    written: int
    units: int


@dataclass(frozen=True)
class Size:
    """A run: bytes of text, documents, shards, bytes of its largest process, and each phase."""

    text_bytes: int
    documents: int
    shards: int
    peak_memory: int
    phases: dict[str, Phase]
    stages: dict[str, float]
    """Seconds of each local stage, by the clock of the pinned core: what `annotate` is made of."""

    @classmethod
    def of(cls, found: dict[str, Any]) -> "Size":
        """From JSON."""
        return cls(**{"stages": {}, **found, "phases": {name: Phase(**phase) for name, phase in found["phases"].items()}})

    @property
    def whole(self) -> Phase:
        """All phases together."""
        phases = self.phases.values()
        return Phase(sum(p.cpu for p in phases), sum(p.written for p in phases), sum(p.units for p in phases))

    @property
    def shuffled(self) -> int:
        """Bytes that went between shards and partitions: all that phases leave but shards and output."""
        return sum(phase.written for name, phase in self.phases.items() if name not in ("open", "annotate", "write", "check"))


@dataclass(frozen=True)
class Measured:
    """All that was measured: runs of growing size, microseconds a message by number of partitions, milliseconds of the driver a unit."""

    sizes: list[Size]
    message_microseconds: dict[int, float]
    driver_milliseconds: float

    @classmethod
    def load(cls, path: Path) -> "Measured":
        """As written by `--json`."""
        data = json.loads(path.read_text())
        return cls(
            [Size.of(size) for size in data["sizes"]],
            {int(k): v for k, v in data["message_microseconds"].items()},
            data["driver_milliseconds"],
        )


class MeasuredRunner(TimedRunner):
    """Notes also what each phase leaves in the folder of intermediates and in the output."""

    written: dict[str, int] = {}  # noqa: RUF012 - one run a process
    sizes: dict[Path, int] = {}  # noqa: RUF012

    def phase(
        self, name: str, folder: str, function: Callable[[Any], Statistics], works: Mapping[str, Any], drop: Sequence[str] = ()
    ) -> list[Statistics]:
        """As `Runner.phase`."""
        found = super().phase(name, folder, function, works, drop)
        now = {path: path.stat().st_size for path in Path(self.plan.config.output).rglob("*") if path.is_file()}
        self.written[name] = sum(size for path, size in now.items() if self.sizes.get(path) != size)
        MeasuredRunner.sizes = now
        return found


def run_here(config: str) -> None:
    """Run a configuration in this process and print what it took as JSON."""
    pipeline.run.Runner = MeasuredRunner  # type: ignore[misc]
    summary = pipeline.run.run(load_run(config), quiet=True)
    phases = {
        name: Phase(MeasuredRunner.cpu[name], MeasuredRunner.written[name], phase["units"])
        for name, phase in summary["phases"].items()
        if name != "start"
    }
    peak = max(summary["peak_memory_bytes"].values())
    stages = {name: stage["seconds"] for name, stage in summary["stages"].items()}
    size = Size(summary["bytes"]["raw"], summary["documents"]["input"], summary["phases"]["annotate"]["units"], peak, phases, stages)
    print(json.dumps(asdict(size)))


def measure(copies: int, repeats: int) -> Size:
    """The least CPU seconds of each phase over some runs of the first copies."""
    settings = yaml.safe_load(STAGES.read_text())
    config = {
        "name": f"scaling{copies}",
        "output": str(ROOT / "run"),
        "sources": [{"name": f"copy{i:02d}", "path": str(COPIES / "in" / f"copy{i:02d}"), "domain": "web"} for i in range(copies)],
        "stages": settings["stages"],
        "engine": {"executor": "inprocess", "memory_per_worker": settings["engine"]["memory_per_worker"]},
    }
    path = ROOT / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    runs = []
    for _ in range(repeats):
        shutil.rmtree(ROOT / "run", ignore_errors=True)
        done = subprocess.run([sys.executable, __file__, "--run", str(path)], check=True, stdout=subprocess.PIPE)
        runs.append(Size.of(json.loads(done.stdout)))
    least = {name: Phase(min(run.phases[name].cpu for run in runs), phase.written, phase.units) for name, phase in runs[0].phases.items()}
    stages = {name: min(run.stages[name] for run in runs) for name in runs[0].stages}
    return Size(runs[0].text_bytes, runs[0].documents, runs[0].shards, max(run.peak_memory for run in runs), least, stages)


def message_microseconds(partitions: int, senders: int = 64, rows: int = 4) -> float:
    """What it takes to read one sender's message to one partition, whose file has so many others; files are in the page cache."""
    with tempfile.TemporaryDirectory() as folder:
        exchange = Exchange(folder, senders, partitions)
        docs = np.arange(rows * partitions, dtype=np.int64)
        batch = pa.RecordBatch.from_pydict({"doc": docs, "key": docs})
        for sender in range(senders):
            exchange.send(sender, batch, docs % partitions)
        exchange.messages(0)
        started = time.process_time()
        asked = min(partitions, 16)
        for partition in range(asked):
            exchange.messages(partition)
        return 1e6 * (time.process_time() - started) / (asked * senders)


def nothing(_: int) -> Statistics:
    """A unit that costs what any unit costs."""
    return {}


def driver_milliseconds(units: int = 2000) -> float:
    """CPU of the driver for one unit on Ray: start it, wait for it, note it."""
    with tempfile.TemporaryDirectory() as folder, OnRay(Engine(workers=1), ()) as executor:
        works = {str(i): i for i in range(units)}
        run_phase(executor, Progress(quiet=True), "warm up", f"{folder}/warm", nothing, {"0": 0})
        started = time.process_time()
        run_phase(executor, Progress(quiet=True), "nothing", f"{folder}/units", nothing, works)
        return 1e3 * (time.process_time() - started) / units


@dataclass(frozen=True)
class Projection:
    """What a run of a size would need, by arithmetic."""

    shards: int
    partitions: int
    messages: float
    component_bytes: float
    disk_bytes: float
    shuffled_bytes: float
    parallel_hours: float
    """Of one core, phases of many units."""
    message_hours: float
    """Of one core."""
    single_hours: float
    """By the clock: phases that are one unit."""
    driver_hours: float
    """By the clock."""

    def clock_hours(self, cores: int) -> float:
        """With so many cores, none of them idle."""
        return (self.parallel_hours + self.message_hours) / cores + self.single_hours + self.driver_hours


def project(measured: Measured, text_bytes: float, split_bytes: float, memory_per_worker: int) -> Projection:
    """What a run over so many bytes of text would need, from the largest run that was measured."""
    largest = max(measured.sizes, key=lambda size: size.text_bytes)
    times = text_bytes / largest.text_bytes
    documents = largest.documents * times
    shards = max(1, math.ceil(text_bytes / split_bytes))
    partitions = num_partitions(BAND_BYTES * BANDS * documents, memory_per_worker, shards)
    parallel = sum(phase.cpu for phase in largest.phases.values() if phase.units > 1) * times / 3600
    single = sum(phase.cpu for phase in largest.phases.values() if phase.units == 1) * times / 3600
    by_shard = sum(1 for phase in largest.phases.values() if phase.units == largest.shards)
    by_partition = sum(1 for phase in largest.phases.values() if 1 < phase.units != largest.shards)
    messages = 2.0 * by_partition * shards * partitions
    return Projection(
        shards=shards,
        partitions=partitions,
        messages=messages,
        component_bytes=forest_bytes(round(documents)),
        disk_bytes=largest.whole.written * times,
        shuffled_bytes=largest.shuffled * times,
        parallel_hours=parallel,
        message_hours=messages * _message_microseconds(measured.message_microseconds, partitions) / 3.6e9,
        single_hours=single,
        driver_hours=(by_shard * shards + by_partition * partitions) * measured.driver_milliseconds / 3.6e6,
    )


def _message_microseconds(by_partitions: Mapping[int, float], partitions: int) -> float:
    """Between the measured numbers of partitions, and beyond the largest, along a line."""
    numbers = sorted(by_partitions)
    upper = next((n for n in numbers[1:] if n >= partitions), numbers[-1])
    lower = numbers[numbers.index(upper) - 1]
    slope = (by_partitions[upper] - by_partitions[lower]) / (upper - lower)
    return max(by_partitions[numbers[0]], by_partitions[lower] + slope * (partitions - lower))


def costs(measured: Measured) -> Iterator[str]:
    """Costs by phase as a Markdown table."""
    few, many = min(measured.sizes, key=lambda s: s.documents), max(measured.sizes, key=lambda s: s.documents)
    small, large = (f"CPU s, {size.text_bytes / GB:.2f} GB" for size in (few, many))
    yield f"| phase | {small} | {large} | growth | CPU s a GB | CPU s a million documents | MB written a GB |"
    yield "| :-- | --: | --: | --: | --: | --: | --: |"
    for name in (*many.phases, "**all**"):
        before, after = (size.phases.get(name, size.whole) for size in (few, many))
        power = f"{math.log(after.cpu / before.cpu) / math.log(many.documents / few.documents):.2f}" if before.cpu >= 0.05 else ""
        gigabytes, millions = many.text_bytes / GB, many.documents / 1e6
        yield (
            f"| {name} | {before.cpu:.2f} | {after.cpu:.2f} | {power} | {after.cpu / gigabytes:.2f} | {after.cpu / millions:.2f} "
            f"| {after.written / 1e6 / gigabytes:,.0f} |"
        )
        for stage, seconds in many.stages.items() if name == "annotate" else ():
            yield f"| – {stage} | {few.stages[stage]:.2f} | {seconds:.2f} |  | {seconds / gigabytes:.2f} | {seconds / millions:.2f} |  |"


SCENARIOS = ((TB, 256e6, 4 << 30, (1, 8)), (10 * TB, 512e6, 8 << 30, (8, 64)), (100 * TB, 1e9, 16 << 30, (64, 256)))
"""Bytes of text, `engine.split_bytes`, `engine.memory_per_worker`, numbers of nodes."""
CORES = 64
"""Of a node."""


def projections(measured: Measured) -> Iterator[str]:
    """Projections as a Markdown table, one column a scenario."""
    found = [(text, split, memory, nodes, project(measured, text, split, memory)) for text, split, memory, nodes in SCENARIOS]
    rows = {
        "text": [f"{text / TB:,.0f} TB" for text, *_ in found],
        "`split_bytes`, `memory_per_worker`": [f"{split / 1e6:,.0f} MB, {memory / (1 << 30):.0f} GiB" for _, split, memory, _, _ in found],
        "shards": [f"{p.shards:,}" for *_, p in found],
        "partitions of the largest round": [f"{p.partitions:,}" for *_, p in found],
        "messages of all rounds": [f"{p.messages / 1e6:,.0f} million" for *_, p in found],
        "bytes in these messages": [f"{p.shuffled_bytes / TB:,.1f} TB" for *_, p in found],
        "disk for intermediates and output": [f"{p.disk_bytes / TB:,.1f} TB" for *_, p in found],
        "memory of the one task of components (`components_memory`)": [f"{p.component_bytes / GB:,.1f} GB" for *_, p in found],
        "core hours, phases of many units": [f"{p.parallel_hours:,.0f}" for *_, p in found],
        "core hours, opening messages": [f"{p.message_hours:,.0f}" for *_, p in found],
        "hours by the clock, phases of one unit": [f"{p.single_hours:,.1f}" for *_, p in found],
        "hours by the clock, driver": [f"{p.driver_hours:,.2f}" for *_, p in found],
        f"hours by the clock, on nodes of {CORES} cores": [
            ", ".join(f"{p.clock_hours(CORES * n):,.1f} on {n}" for n in nodes) for *_, nodes, p in found
        ],
    }
    names = list(rows)
    yield "| " + " | ".join([names[0], *rows[names[0]]]) + " |"
    yield "| :-- |" + " --: |" * len(found)
    yield from (f"| {name} | " + " | ".join(rows[name]) + " |" for name in names[1:])


def main() -> None:
    """Measure or read, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=DATA)
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where the measurements go")
    parser.add_argument("--from", dest="known", type=Path, help="print the tables of measurements made before")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run_here(arguments.run)
        return
    if arguments.known:
        measured = Measured.load(arguments.known)
    else:
        for root in (ROOT, COPIES):
            shutil.rmtree(root, ignore_errors=True)
        ROOT.mkdir(parents=True)
        replicate(arguments.folder, max(arguments.copies))
        measure(1, 1)
        sizes = [measure(copies, arguments.repeats) for copies in arguments.copies]
        messages = {partitions: message_microseconds(partitions) for partitions in (16, 256, 4096)}
        measured = Measured(sizes, messages, driver_milliseconds())
        for root in (ROOT, COPIES):
            shutil.rmtree(root)
        if arguments.json:
            arguments.json.write_text(json.dumps(asdict(measured), indent=1) + "\n")
    print("\n".join(costs(measured)))
    peaks = ", ".join(f"{size.peak_memory / GB:.2f} GB at {size.text_bytes / GB:.2f} GB of text" for size in measured.sizes)
    print(f"\nlargest process: {peaks}")
    print("a message: " + ", ".join(f"{cost:.0f} us of {n:,} partitions" for n, cost in measured.message_microseconds.items()))
    print(f"a unit: {measured.driver_milliseconds:.2f} ms of the driver\n")
    print("\n".join(projections(measured)))


if __name__ == "__main__":
    main()

"""Speed of document dedup alone, from raw files to checked ledger, in one process; and does it grow with the input as the input does?

    python benchmarks/dedup_speed.py ../shared/data --copies 1 10

The real documents, replicated with changed characters, go through `pipeline.run` with the stages `exact_dedup` and `document_dedup` alone.
Copy r has every letter, digit and Han character replaced by the one r places on in its list (a-z, A-Z, 0-9, the Han characters of the
data by frequency): lengths, bytes, near-duplicates and copies within it stay what they are, but shingles of two copies are equal by
chance alone. Only texts without such a character (and one-word ones) are equal in several copies: the run's counts show it.

Files are plain JSON lines, as many as the folder has in each copy. Each size runs `--repeats` times in fresh processes, in turn, after a
small run that compiles; the best of each is shown. Start-up is left out, MB are of raw input. Seconds are wall time and, for machines
that others use too, CPU time of all threads of the process; waiting for the disk (each file is synced) is in the first alone.
"""

import argparse
import json
import shutil
import string
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml
from dedup_reference import DATA, documents

import pipeline.run
from pipeline.config import load_run
from pipeline.engine import Statistics

ROOT = Path("out/dedup_speed")


def replicate(folder: Path, copies: int) -> None:
    """Write copies 0 to `copies` - 1, each a folder of JSON-lines files."""
    rows = {path.name.split(".")[0]: list(documents(path)) for path in sorted(folder.glob("*.jsonl.zst"))}
    han = Counter(c for some in rows.values() for row in some for c in row["text"] if "\u4e00" <= c <= "\u9fff")
    lists = ("".join(c for c, _ in han.most_common()), string.ascii_lowercase, string.ascii_uppercase, string.digits)
    for copy in range(copies):
        into = ROOT / "in" / f"copy{copy:02d}"
        into.mkdir(parents=True)
        rotated = "".join(c[copy % len(c) :] + c[: copy % len(c)] for c in lists)
        changed = str.maketrans("".join(lists), rotated)
        for name, some in rows.items():
            with (into / f"{name}.jsonl").open("wb") as file:
                for row in some:
                    text = row["text"].translate(changed) if copy else row["text"]
                    file.write(orjson.dumps({"id": f"{row['id']}/{copy}", "text": text}, option=orjson.OPT_APPEND_NEWLINE))


class TimedRunner(pipeline.run.Runner):
    """Notes the CPU seconds of each phase."""

    cpu: dict[str, float] = {}  # noqa: RUF012 - one run a process

    def phase(
        self, name: str, folder: str, function: Callable[[Any], Statistics], works: Mapping[str, Any], drop: Sequence[str] = ()
    ) -> list[Statistics]:
        """As `Runner.phase`."""
        before = time.process_time()
        found = super().phase(name, folder, function, works, drop)
        self.cpu[name] = time.process_time() - before
        return found


@dataclass(frozen=True)
class Run:
    """What a run took: (wall, CPU) seconds of each phase but the start-up."""

    summary: dict[str, Any]
    phases: dict[str, tuple[float, float]]

    @property
    def megabytes(self) -> float:
        """Raw input."""
        return float(self.summary["bytes"]["raw"] / 1e6)

    @property
    def wall(self) -> float:
        """Seconds in all."""
        return sum(wall for wall, _ in self.phases.values())

    @property
    def cpu(self) -> float:
        """Seconds in all."""
        return sum(cpu for _, cpu in self.phases.values())


def run_here(config: str) -> None:
    """Run a configuration in this process and print what it took as JSON."""
    pipeline.run.Runner = TimedRunner  # type: ignore[misc]
    summary = pipeline.run.run(load_run(config), quiet=True)
    phases = {name: (phase["seconds"], TimedRunner.cpu[name]) for name, phase in summary["phases"].items() if name != "start"}
    print(json.dumps({"summary": summary, "phases": phases}))


def measure(copies: int) -> Run:
    """One run over the first copies."""
    output = ROOT / "out"
    shutil.rmtree(output, ignore_errors=True)
    config = {
        "name": "dedup-speed",
        "output": str(output),
        "sources": [{"name": f"copy{i:02d}", "path": str(ROOT / "in" / f"copy{i:02d}"), "domain": "web"} for i in range(copies)],
        "stages": [{"exact_dedup": {}}, {"document_dedup": {}}],
        "engine": {"executor": "inprocess"},
    }
    path = ROOT / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    done = subprocess.run([sys.executable, __file__, "--run", str(path)], check=True, stdout=subprocess.PIPE)
    shutil.rmtree(output)
    return Run(**json.loads(done.stdout))


def show(copies: int, runs: list[Run]) -> Run:
    """Print the run of least CPU time; return it."""
    runs.sort(key=lambda run: run.cpu)
    best = runs[0]
    wall = min(run.wall for run in runs)
    times = ", ".join(f"{run.wall:.2f} ({run.cpu:.2f})" for run in runs)
    print(f"\n{copies} copies: {best.megabytes:,.1f} MB in {times} s wall (CPU)")
    print(f"  {best.megabytes / wall:.1f} MB/s by the wall, {best.megabytes / best.cpu:.1f} MB/s per core by CPU time")
    print(f"  {best.summary['documents']}, { ({name: sizes[0] for name, sizes in best.summary['reasons'].items()}) }")
    print(f"  {'phase':<24}{'wall':>8}{'CPU':>8}{'% of CPU':>10}{'units':>7}")
    for name, (phase_wall, phase_cpu) in best.phases.items():
        units = best.summary["phases"][name]["units"]
        print(f"  {name:<24}{phase_wall:>8.2f}{phase_cpu:>8.2f}{100 * phase_cpu / best.cpu:>10.1f}{units:>7}")
    for stage, speed in best.summary["stages"].items():
        print(f"    annotate: {stage:<20}{speed['seconds']:>8.2f} s of wall")
    return best


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=DATA)
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run_here(arguments.run)
        return
    shutil.rmtree(ROOT, ignore_errors=True)
    replicate(arguments.folder, max(arguments.copies))
    measure(1)
    runs: dict[int, list[Run]] = {copies: [] for copies in arguments.copies}
    for _ in range(arguments.repeats):
        for copies in arguments.copies:
            runs[copies].append(measure(copies))
    best = {copies: show(copies, some) for copies, some in runs.items()}
    few, many = min(best), max(best)
    if many > few:
        times = best[many].megabytes / best[few].megabytes
        print(f"\n{times:.1f} times the bytes take {best[many].cpu / best[few].cpu:.1f} times the CPU time, "
              f"{best[many].wall / best[few].wall:.1f} times as long")  # fmt: skip
    shutil.rmtree(ROOT)


if __name__ == "__main__":
    main()

"""Do the promises hold on real data? Same bytes for any executor, worker count and batch size, and after `kill -9`; and how much a
resume does again.

    python benchmarks/real_runs.py configs/real_data.yaml --kills 5

Each variant runs in its own process and folder under `out/real_runs`. A kill comes at a random moment (seeded) after the start-up of
the run; every second one first kills a Ray worker, then the driver. Redone work is (seconds until the kill + seconds of the resume -
seconds of an undisturbed run) / seconds of an undisturbed run, the median of three, start-ups left out.
"""

import argparse
import hashlib
import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path("out/real_runs")


def command(config: str, name: str, *overrides: str) -> list[str]:
    """The command line of one variant."""
    sets = [argument for override in (f"output={ROOT / name}", *overrides) for argument in ("--set", override)]
    return [sys.executable, "-m", "pipeline.cli", "run", config, *sets]


def digest(folder: Path) -> str:
    """One hash for all files of a run that are promised to be the same."""
    whole = hashlib.sha256()
    for part in ("corpus", "rejected", "ledger", "edits"):
        for path in sorted((folder / part).glob("*.parquet")):
            whole.update(f"{part}/{path.name}".encode() + path.read_bytes())
    return whole.hexdigest()[:16]


def work_seconds(name: str) -> float:
    """Wall seconds of a finished run without its start-up."""
    phases = json.loads((ROOT / name / "summary.json").read_text())["phases"]
    return sum(phase["seconds"] for key, phase in phases.items() if key != "start")


def run_to_the_end(config: str, name: str, *overrides: str) -> None:
    """Run a variant; its tables are not shown."""
    subprocess.run(command(config, name, *overrides), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_after(config: str, name: str, seconds: float, worker_first: bool) -> float:
    """Start a run, kill it `seconds` after its start-up; seconds of work that it had."""
    process = subprocess.Popen(command(config, name), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("start:"):
            break
    started = time.monotonic()
    if worker_first:
        time.sleep(seconds / 2)
        workers = [p for p in psutil.Process(process.pid).children(recursive=True) if "ray::" in " ".join(p.cmdline())]
        busy = [p for p in workers if "IDLE" not in " ".join(p.cmdline())] or workers
        if busy:
            busy[0].send_signal(signal.SIGKILL)
    time.sleep(max(0.0, seconds - (time.monotonic() - started)))
    process.send_signal(signal.SIGKILL)
    process.wait()
    return time.monotonic() - started


def main() -> None:
    """Run all variants and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    shutil.rmtree(ROOT, ignore_errors=True)
    config = arguments.config
    variants = {
        "ray2": (),
        "ray2 again": (),
        "ray2 once more": (),
        "ray1": ("engine.workers=1",),
        "inprocess": ("engine.executor=inprocess",),
        "batch1": ("engine.batch_rows=1",),
        "batch97": ("engine.batch_rows=97",),
        "batch20000": ("engine.batch_rows=20000",),
    }
    digests = {}
    for name, overrides in variants.items():
        run_to_the_end(config, name, *overrides)
        digests[name] = digest(ROOT / name)
        summary = json.loads((ROOT / name / "summary.json").read_text())
        print(f"{name:<16} {digests[name]}  {work_seconds(name):6.1f} s  {summary['documents']}", flush=True)
    whole = statistics.median(work_seconds(name) for name in ("ray2", "ray2 again", "ray2 once more"))
    rng = random.Random(arguments.seed)
    redone = []
    for number in range(arguments.kills):
        name = f"killed{number}"
        moment = rng.uniform(0.1, 0.9) * whole
        before = kill_after(config, name, moment, worker_first=number % 2 == 1)
        run_to_the_end(config, name)
        digests[name] = digest(ROOT / name)
        redone.append((before + work_seconds(name) - whole) / whole)
        what = "a worker, then the driver" if number % 2 else "the driver"
        print(f"{name:<16} {digests[name]}  killed {what} at {moment:.1f} s; done again {100 * redone[-1]:.0f} %", flush=True)
    print(f"same bytes: {len(set(digests.values())) == 1}; done again in the mean: {100 * sum(redone) / max(1, len(redone)):.0f} %")
    sys.exit(len(set(digests.values())) != 1)


if __name__ == "__main__":
    main()

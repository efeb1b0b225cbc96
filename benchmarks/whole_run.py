"""Speed of the whole run, and of its parts, on one core and on two.

    python benchmarks/whole_run.py [configs/real_data.yaml] --repeats 3

Runs the configuration from raw files to checked ledger, start-up (Ray, imports, compiled kernels) left out: in this process on one core,
and on Ray with two workers. The best of the repeats is shown with the spread; MB are of uncompressed input.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path("out/whole_run")
VARIANTS = {"one core": ("engine.executor=inprocess",), "two workers": ("engine.workers=2",)}


def run(config: str, overrides: tuple[str, ...]) -> dict[str, Any]:
    """One run in a fresh folder; its summary."""
    shutil.rmtree(ROOT, ignore_errors=True)
    sets = [argument for override in (f"output={ROOT}", *overrides) for argument in ("--set", override)]
    command = [sys.executable, "-m", "pipeline.cli", "run", config, *sets]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    summary: dict[str, Any] = json.loads((ROOT / "summary.json").read_text())
    return summary


def seconds(summary: dict[str, Any]) -> float:
    """Wall seconds without start-up."""
    return float(sum(phase["seconds"] for name, phase in summary["phases"].items() if name != "start"))


def main() -> None:
    """Print speeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", default="configs/real_data.yaml")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    for name, overrides in VARIANTS.items():
        runs = sorted((run(arguments.config, overrides) for _ in range(arguments.repeats)), key=seconds)
        best, size = runs[0], runs[0]["bytes"]["raw"] / 1e6
        cores = 2 if name == "two workers" else 1
        times = ", ".join(f"{seconds(r):.2f}" for r in runs)
        print(f"{name}: {size:,.1f} MB, {best['documents']['input']:,} documents in {times} s")
        print(f"  {size / seconds(best):.1f} MB/s, {size / seconds(best) / cores:.1f} MB/s per core, start-up left out")
        for phase, taken in best["phases"].items():
            print(f"  {phase:<16} {taken['seconds']:7.2f} s   {taken['units']:>4} units")
        for stage, speed in best["stages"].items():
            print(f"    annotate: {stage:<18} {speed['seconds']:7.2f} s of one core   {speed['mb_per_second']:>8,.1f} MB/s")


if __name__ == "__main__":
    main()

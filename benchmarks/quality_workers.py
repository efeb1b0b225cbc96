"""What a second scoring worker brings, through the engine, from files to shards.

    python benchmarks/quality_workers.py DATA MODEL_ZH MODEL_EN [--copies 6] [--rounds 5] [--json FILE]

All documents of DATA, `--copies` times with new ids, in one file of JSON lines; a run whose stages are `normalize` and `quality`,
alternately with one worker and with two. The phase `annotate` is timed by the wall: reading, normalising, measuring, scoring, writing.
Two workers need two idle cores. Files go to out/benchmarks/quality_workers, 110 MB and more a copy.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import yaml
from large_inputs import replicate

OUT = Path("out/benchmarks/quality_workers")


def annotate(path: Path, models: dict[str, list[str]], workers: int) -> tuple[float, float]:
    """Wall seconds of one run's phase `annotate`, and CPU seconds of the stage `quality` in it."""
    folder = OUT / "run"
    shutil.rmtree(folder, ignore_errors=True)
    config = {
        "name": "workers",
        "output": str(folder),
        "sources": [{"name": "all", "path": str(path), "domain": "web"}],
        "stages": [{"normalize": {}}, {"quality": {"models": models}}],
        "engine": {"workers": workers},
    }
    (OUT / "run.yaml").write_text(yaml.safe_dump(config))
    subprocess.run([sys.executable, "-m", "pipeline.cli", "run", str(OUT / "run.yaml")], check=True, capture_output=True)
    summary = json.loads((folder / "summary.json").read_text())
    return summary["phases"]["annotate"]["seconds"], summary["stages"]["quality"]["seconds"]


def main() -> None:
    """Print each round and the medians, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model_zh")
    parser.add_argument("model_en")
    parser.add_argument("--copies", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    path, _ = replicate(options.data, options.copies, OUT)
    megabytes = path.stat().st_size / 1e6
    models = {"zh": [options.model_zh], "en": [options.model_en]}
    walls: dict[int, list[float]] = {1: [], 2: []}
    for number in range(options.rounds):
        for workers in (1, 2) if number % 2 == 0 else (2, 1):
            wall, scoring = annotate(path, models, workers)
            walls[workers].append(wall)
            print(f"round {number}, {workers} worker{'s' * (workers > 1)}: {wall:.2f} s, {megabytes / wall:.1f} MB/s, of which quality "
                  f"{scoring:.2f} s of one core", flush=True)  # fmt: skip
    ratios = [one / two for one, two in zip(walls[1], walls[2], strict=True)]
    medians = {workers: statistics.median(seconds) for workers, seconds in walls.items()}
    print(f"medians {medians[1]:.2f} and {medians[2]:.2f} s: {medians[1] / medians[2]:.2f} times; "
          f"rounds {min(ratios):.2f} to {max(ratios):.2f}")  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps({"megabytes": megabytes, "seconds": walls}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

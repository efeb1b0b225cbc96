"""Large inputs: does the driver's memory stay flat, do workers stay under their bound, are both cores busy on one big file?

    python benchmarks/large_inputs.py ../shared/data --copies 10

Replicates the JSON-lines files of a folder with new ids into one plain JSON-lines file and one Parquet file (about 100 MB a copy), runs
each once at 1 copy and at `--copies`, and samples the CPU use of the run's processes twice a second. Files go to `out/large_inputs`.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import orjson
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
import zstandard

ROOT = Path("out/large_inputs")


def replicate(folder: Path, copies: int, into: Path = ROOT) -> tuple[Path, Path]:
    """The same documents `copies` times with new ids, as JSON lines and as Parquet with row groups of about 16 MB."""
    lines, table = into / f"copies{copies}.jsonl", into / f"copies{copies}.parquet"
    schema = pa.schema({"id": pa.string(), "text": pa.large_string()})
    with lines.open("wb") as out, pq.ParquetWriter(table, schema) as writer:
        for copy in range(copies):
            for path in sorted(folder.glob("*.jsonl.zst")):
                rows: list[dict[str, str]] = []
                for line in zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines():
                    row = orjson.loads(line)
                    rows.append({"id": f"{row['id']}/{copy}", "text": row["text"]})
                out.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
                writer.write_table(pa.Table.from_pylist(rows, schema=schema), row_group_size=12_000)
    return lines, table


def cpu_seconds(pid: int) -> float:
    """CPU seconds so far of a process and all below it."""
    total = 0.0
    try:
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
    except psutil.Error:
        return total
    return total


def run(path: Path, name: str, workers: int) -> None:
    """One run with its CPU use, and what it reports of memory."""
    config = {
        "name": name,
        "output": str(ROOT / name),
        "sources": [{"name": "all", "path": str(path), "domain": "web"}],
        "stages": [{"normalize": {}}, {"heuristics": {}}, {"exact_dedup": {}}, {"document_dedup": {}}],
        "engine": {"workers": workers, "memory_per_worker": "2GB"},
    }
    (ROOT / f"{name}.yaml").write_text(yaml.safe_dump(config))
    shutil.rmtree(ROOT / name, ignore_errors=True)
    command = [sys.executable, "-m", "pipeline.cli", "run", str(ROOT / f"{name}.yaml")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("open:"):
            break
    samples, before, then = [], cpu_seconds(process.pid), time.monotonic()
    while process.poll() is None:
        time.sleep(0.5)
        after, now = cpu_seconds(process.pid), time.monotonic()
        samples.append(max(0.0, after - before) / (now - then))
        before, then = after, now
    if process.returncode:
        sys.exit(f"{name}: {process.stderr.read()}")
    summary = json.loads((ROOT / name / "summary.json").read_text())
    peak = summary["peak_memory_bytes"]
    samples = samples[:-4] or samples  # the shutdown of Ray
    below = sum(s < 0.9 * workers for s in samples) / max(1, len(samples))
    seconds = sum(phase["seconds"] for key, phase in summary["phases"].items() if key != "start")
    print(
        f"{name:<16} {summary['documents']['input']:>9,} documents {path.stat().st_size / 1e6:>7,.0f} MB {seconds:>7.1f} s   "
        f"driver {peak['driver'] / 1e6:>6,.0f} MB   worker {peak['worker'] / 1e6:>6,.0f} MB   "
        f"cores busy {sum(samples) / max(1, len(samples)):.2f} of {workers}; below 90 % in {100 * below:.0f} % of samples",
        flush=True,
    )


def main() -> None:
    """Run small and large, both formats."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    for copies in (1, arguments.copies):
        for path in replicate(arguments.folder, copies):
            run(path, f"{path.suffix[1:]}{copies}", arguments.workers)


if __name__ == "__main__":
    main()

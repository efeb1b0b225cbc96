"""Kill a training with signal 9 at random steps, go on each time, and compare its records with those of one that was never killed.

    python benchmarks/training_kills.py [--config configs/train/sample.yaml] [--tokens 163840] [--every 10] [--kills 10] [--seed 1]

Each process is started as a user starts it, `python -m model.train CONFIG`, and killed when `metrics.jsonl` has reached a step drawn from
those that are left, in the midst of whatever it is doing. Bytes of the records and of the model are compared.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from model.train import load_config

COMPARED = ("metrics.jsonl", "heldout.jsonl", "faults.jsonl", "model/model.safetensors")


def main() -> int:
    """Print each kill and the comparison; status 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/train/sample.yaml")
    parser.add_argument("--tokens", type=int, default=163_840)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    num_steps = arguments.tokens // (config.batch * config.length)
    moments = random.Random(arguments.seed)
    steps = sorted(moments.sample(range(1, num_steps), arguments.kills))
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        options = ["--set", f"tokens={arguments.tokens}", "--set", f"checkpoints={{every: {arguments.every}}}", "--quiet"]
        command = [sys.executable, "-m", "model.train", arguments.config, *options, "--set"]
        subprocess.run([*command, f"output={whole}"], check=True)
        print(f"{num_steps} steps, a checkpoint every {arguments.every}")
        for step in steps:
            process = subprocess.Popen([*command, f"output={killed}"])
            while process.poll() is None and _lines(killed) < step:
                time.sleep(0.005)
            time.sleep(moments.random() * 0.1)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kept = sorted(path.name for path in (killed / "checkpoints").glob("step-*")) if killed.exists() else []
            print(f"killed at step {_lines(killed)}; checkpoints: {', '.join(kept) or 'none'}", flush=True)
        subprocess.run([*command, f"output={killed}"], check=True)
        differing = [name for name in COMPARED if (killed / name).read_bytes() != (whole / name).read_bytes()]
        for name in COMPARED:
            print(f"{name}: {(whole / name).stat().st_size:,} bytes, {'DIFFERENT' if name in differing else 'identical'}")
    return 1 if differing else 0


def _lines(folder: Path) -> int:
    metrics = folder / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


if __name__ == "__main__":
    sys.exit(main())

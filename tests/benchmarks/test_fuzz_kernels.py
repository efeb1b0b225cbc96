"""A short run of the fuzzer: its own process, since bounds checks are decided when kernels are compiled."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_broken_texts_are_never_read_out_of_bounds(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "benchmarks/fuzz_kernels.py", "--inputs", "100000"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "100,000 inputs of 4 to 64 bytes" in done.stdout
    assert "no read out of bounds" in done.stdout

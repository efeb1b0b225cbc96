"""fastText's trainer in a process of its own, with memory that is zero to begin with.

fastText 0.9.3 fills one tenth of its input matrix with random numbers when it trains in one thread (`DenseMatrix::uniform`), and leaves
the rest as the allocator gave it. In a process that has freed large arrays before, that is garbage: of 20 trainings in one such process
17 ended in `Encountered NaN`. With `MALLOC_PERTURB_=255` glibc hands out zeros: none did, and the same file gives the same model, byte by
byte. One thread because several write to the matrices without order.

NaN is still met when the learning rate is too high; then half of it is tried.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from configs.errors import RunError

ATTEMPTS = 5
_PROGRAM = """
import json, sys
import fasttext
settings = json.loads(sys.argv[1])
fasttext.train_supervised(input=sys.argv[2], thread=1, loss="softmax", verbose=0, **settings).save_model(sys.argv[3])
"""


def train_fasttext(lines: Path, model: Path, settings: dict[str, Any]) -> float:
    """Train on a file of `__label__x token token ...` lines and write `model`; the learning rate that worked, at most `settings["lr"]`.

    `settings` are fastText's own names. Raises `RunError` if it fails, or meets NaN at each of `ATTEMPTS` learning rates.
    """
    rate = float(settings["lr"])
    for _ in range(ATTEMPTS):
        arguments = [sys.executable, "-c", _PROGRAM, json.dumps(settings | {"lr": rate}), str(lines), str(model)]
        done = subprocess.run(arguments, env=os.environ | {"MALLOC_PERTURB_": "255"}, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return rate
        if "NaN" not in done.stderr:
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise RunError(f"fastText failed: {last}")
        rate /= 2
    raise RunError(f"fastText met NaN at each learning rate from {settings['lr']} to {2 * rate}; set model.learning_rate lower")

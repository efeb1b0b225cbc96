"""SentencePiece's trainer in a process of its own, so that its memory is known and given back, and its log can be read.

`python -m tokenizer.trainer OPTIONS.json` trains and prints its peak memory; `run_trainer` starts that and follows the log.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from configs.errors import RunError

_LOADED = re.compile(r"Loaded all (\d+) sentences")
_SKIPPED = re.compile(r"(?:Skipped|[Tt]oo long|Reserved chars)")
_MERGED = re.compile(r"Merged: freq=(\d+) merges=(\d+)")
_COMPLETED = re.compile(r"Completed (\d+) merge steps")


class Training(NamedTuple):
    """What a trainer left behind."""

    model: bytes
    num_loaded: int
    """Lines of the table that the trainer says it has loaded."""
    num_merges: int
    last_frequency: int
    """How often the last piece stood that the log names: it names every hundredth."""
    peak_memory_bytes: int
    """Of the trainer's process; 0 where the system does not tell."""


def run_trainer(options: Mapping[str, Any], folder: Path, say: Callable[[int, int], None]) -> Training:
    """Train with SentencePiece's options; `folder` is for its files. `say` hears merges done and to come.

    Raises `RunError` with what the trainer said if it fails.
    """
    prefix = folder / "model"
    file = folder / "options.json"
    file.write_text(json.dumps(dict(options) | {"model_prefix": str(prefix)}), encoding="utf-8")
    loaded = merges = frequency = 0
    last: list[str] = []
    with tempfile.TemporaryFile("w+") as out:
        command = [sys.executable, "-m", "tokenizer.trainer", str(file)]
        with subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True, errors="replace") as child:
            assert child.stderr is not None
            for line in child.stderr:
                if found := _LOADED.search(line):
                    loaded = int(found[1])
                elif found := _MERGED.search(line):
                    frequency, merges = int(found[1]), int(found[2])
                    say(merges, int(options["vocab_size"]))
                elif found := _COMPLETED.search(line):
                    merges = int(found[1])
                elif _SKIPPED.search(line):
                    child.kill()
                    raise RunError(f"the trainer skips text: {line.strip()}; this is a defect, please report it")
                last = [*last[-5:], line.strip()]
        if child.returncode:
            if child.returncode < 0:
                raise RunError(f"the trainer was killed by signal {-child.returncode}, perhaps for memory; set a smaller `memory`")
            raise RunError(f"the trainer failed after {merges} merges: {' '.join(last[-1:])}")
        out.seek(0)
        report = json.loads(out.read())
    return Training(prefix.with_suffix(".model").read_bytes(), loaded, merges, frequency, report["peak_memory_bytes"])


def main(file: str) -> None:
    """Train with the options of a JSON file; prints `{"peak_memory_bytes": …}`."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(**json.loads(Path(file).read_text(encoding="utf-8")))
    status = Path("/proc/self/status")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    print(json.dumps({"peak_memory_bytes": int(peak[1]) * 1024 if peak else 0}))


if __name__ == "__main__":
    main(sys.argv[1])

"""A GPU node has torch, numpy and safetensors: training, evaluation and the GPU benchmark must import there."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ABSENT = ("yaml", "pyarrow", "numba", "sentencepiece", "orjson", "ray", "transformers", "typer", "rich", "fsspec", "xxhash", "matplotlib")
MODULES = (
    *("model.train", "model.evaluate", "model.multiple_choice", "model.extrapolation", "model.harness", "model.generate"),
    *("benchmarks.gpu", "benchmarks.gpu_worker"),
)


def test_what_a_gpu_node_runs_needs_nothing_else() -> None:
    program = f"import sys\nsys.modules.update(dict.fromkeys({ABSENT!r}))\nimport {', '.join(MODULES)}\nmodel.train.StepSettings()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

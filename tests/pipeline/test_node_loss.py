"""A node of a cluster dies in the middle of a run, and the run ends with the bytes of an undisturbed one."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline.conftest import prose, zh_prose

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "node_loss.py"


def test_a_run_that_loses_a_node_gives_the_same_bytes(make_config: Callable[..., Path], tmp_path: Path) -> None:
    rows = [{"id": f"d{i}", "text": (zh_prose if i % 2 else prose)(i, 30)} for i in range(300)]
    config = make_config({"many": [*rows, {"id": "copy", "text": rows[0]["text"]}]})
    command = [sys.executable, str(BENCHMARK), str(config), "--phases", "shards"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    undisturbed, disturbed, verdict = found.stdout.splitlines()
    assert "'input': 301, 'kept': 300, 'rejected': 1" in undisturbed
    assert disturbed.startswith("node killed in shards")
    assert verdict == "same bytes: True"

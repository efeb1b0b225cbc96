"""The projection's arithmetic, by hand; and that a tiny run gives what it stands on."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest
import zstandard

from tests.pipeline.conftest import prose, zh_prose

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import scaling
from scaling import Measured, Phase, Size, costs, project

PHASES = {
    "annotate": Phase(cpu=60.0, written=2_500_000_000, units=10),
    "verify": Phase(36.0, 500_000_000, 16),
    "components": Phase(4.0, 0, 1),
}
SMALL = Size(
    500_000_000, 500_000, 5, 10, {name: Phase(phase.cpu / 2, phase.written, phase.units) for name, phase in PHASES.items()}, {"read": 20.0}
)
MEASURED = Measured([SMALL, Size(1_000_000_000, 1_000_000, 10, 10, PHASES, {"read": 40.0})], {16: 30.0, 256: 30.0, 4096: 30.0}, 1.0)


def test_a_run_of_a_thousand_times_the_bytes() -> None:
    found = project(MEASURED, 1e12, 100e6, 10 << 30)
    partitions = int(5 * 77 * 16 * 1e9 / (5 << 30)) + 1
    assert (found.shards, found.partitions) == (10_000, partitions)
    assert found.messages == 2 * 10_000 * partitions  # one phase goes over partitions, there and back
    assert found.component_bytes == 8e9
    assert (found.disk_bytes, found.shuffled_bytes) == (3e12, 0.5e12)
    assert found.parallel_hours == pytest.approx(96_000 / 3600)
    assert found.single_hours == pytest.approx(4_000 / 3600)
    assert found.message_hours == pytest.approx(found.messages * 30e-6 / 3600)
    assert found.driver_hours == pytest.approx((10_000 + partitions) * 1e-3 / 3600)
    assert found.clock_hours(100) == pytest.approx(
        (found.parallel_hours + found.message_hours) / 100 + found.single_hours + found.driver_hours
    )


def test_beyond_four_billion_documents_a_component_takes_twice_the_memory() -> None:
    assert project(MEASURED, 5e12, 1e9, 1 << 34).component_bytes == 16 * 5e9


def test_the_table_names_each_phase_and_the_sum() -> None:
    rows = {row.split("|")[1].strip(): row for row in costs(MEASURED)}
    assert rows["annotate"] == "| annotate | 30.00 | 60.00 | 1.00 | 60.00 | 60.00 | 2,500 |"
    assert rows["– read"] == "| – read | 20.00 | 40.00 |  | 40.00 | 40.00 |  |"
    assert rows["**all**"] == "| **all** | 50.00 | 100.00 | 1.00 | 100.00 | 100.00 | 3,000 |"


def test_a_tiny_run_is_measured_and_read_again(tmp_path: Path) -> None:
    rows = [orjson.dumps({"id": f"d{i}", "text": (zh_prose if i % 2 else prose)(i)}) for i in range(60)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "prose.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(b"\n".join(rows) + b"\n"))
    command = [
        sys.executable,
        scaling.__file__,
        str(tmp_path / "in"),
        "--copies",
        "1",
        "2",
        "--repeats",
        "1",
        "--json",
        "m.json",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    measured = Measured.load(tmp_path / "m.json")
    assert [size.documents for size in measured.sizes] == [60, 120]
    assert measured.sizes[1].text_bytes > measured.sizes[0].text_bytes > 0
    assert all(size.stages["read"] > 0 for size in measured.sizes)
    assert all(size.phases["annotate"].cpu > 0 and size.phases["write"].written > 0 for size in measured.sizes)
    assert json.loads(json.dumps(asdict(measured))) == json.loads((tmp_path / "m.json").read_text())

"""Planning: what is wrong is said before anything starts, and a dry run says what would happen."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from configs.errors import ConfigError, CorpusError, InputError
from configs.loader import CONFIGS
from pipeline.cli import app
from pipeline.config import load_run
from pipeline.plan import describe, make_plan, num_partitions
from tests.pipeline.conftest import prose

Maker = Callable[..., Path]


def test_the_plan_says_stages_schema_outputs_and_estimates(make_config: Maker) -> None:
    config = make_config({"a": [{"text": prose(i)} for i in range(20)]})
    text = "\n".join(describe(make_plan(load_run(config))))
    assert "read > normalize > measure > document_dedup" in text
    assert "16 bands of 8 rows find a pair of similarity" in text
    assert "band_keys                    fixed_size_list" in text
    assert "corpus/part-*.parquet" in text
    assert "about 5 splits" in text or "about 4 splits" in text


def test_a_dry_run_prints_the_plan_and_writes_nothing(make_config: Maker, tmp_path: Path) -> None:
    config = make_config({"a": [{"text": "a"}]})
    result = CliRunner().invoke(app, ["run", str(config), "--dry-run"])
    assert result.exit_code == 0
    assert "local pass, fused" in result.output
    assert not (tmp_path / "out").exists()


def test_a_missing_column_is_found_before_anything_starts(make_config: Maker, tmp_path: Path) -> None:
    pq.write_table(pa.table({"content": ["a"], "id": ["1"]}), tmp_path / "other.parquet")
    config = make_config({"a": []})
    with pytest.raises(InputError, match=r"other\.parquet.*text.*content"):
        make_plan(load_run(config, (f"sources.a.path={tmp_path / 'other.parquet'}",)))


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([{"exact_dedup": {}}, {"normalize": {}}], r"stages\[1\]\.normalize: stands after 'exact_dedup'.*put it first"),
        ([{"select": {}}, {"exact_dedup": {}}], r"stages\[0\]\.select: 'exact_dedup' stands after it.*put it last"),
        ([{"exact_dedup": {}}, {"exact_dedup": {}}], "'exact_dedup' stands twice"),
        ([{"exact_dedupe": {}}], "unknown stage 'exact_dedupe'; did you mean 'exact_dedup'"),
        ([{"document_dedup": {"bands": 15}}], r"bands: got 15, which does not divide permutations = 128; the nearest that does is 16"),
        ([{"select": {"takedown_ids": "nowhere.txt"}}], "no such file 'nowhere.txt'"),
        ([{"heuristics": {"rules": ["filters/zz.yaml"]}}], r"filters/zz\.yaml"),
    ],
)
def test_stages_that_cannot_work_are_refused(make_config: Maker, stages: list[object], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        make_plan(load_run(make_config({"a": [{"text": "a"}]}, stages=stages)))


@pytest.mark.parametrize("key", ["/", "a#b", ""])
def test_source_names_that_would_break_ids_are_refused(make_config: Maker, key: str) -> None:
    with pytest.raises(ConfigError, match="wanted a name without"):
        load_run(make_config({"a": []}), (f"sources.a.name='{key}'",))


def test_errors_of_users_end_the_command_with_status_2_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-m", "pipeline.cli", "run", "nowhere.yaml"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere.yaml: no such file" in done.stderr
    assert "Traceback" not in done.stderr


RUNS = sorted(CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_every_shipped_run_loads(path: Path) -> None:
    assert load_run(path).stages


def test_partitions_follow_the_input_and_the_memory_never_the_workers() -> None:
    assert num_partitions(1e3, 2_000_000_000, 1) == 1
    assert num_partitions(1e3, 2_000_000_000, 17) == 16
    assert num_partitions(1e12, 2_000_000_000, 17) == 5001

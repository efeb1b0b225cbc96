"""Ray and the in-process executor give the same bytes, and survive what kills them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.errors import InputError, RunError
from pipeline.config import Engine, load_run
from pipeline.engine import OnRay, _missing_paths, run_phase
from pipeline.progress import Progress
from pipeline.run import run
from tests.pipeline.conftest import output_bytes, prose
from tests.pipeline.test_run import corpus_of_many, finish

Maker = Callable[..., Path]
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def ray_executor() -> Iterator[OnRay]:
    with OnRay(Engine(workers=2, retries=2), ()) as executor:
        yield executor


def phase(executor: OnRay, folder: Path, function: Callable[[Any], dict[str, Any]], works: dict[str, Any]) -> dict[str, Any]:
    return run_phase(executor, Progress(quiet=True), "phase", str(folder), function, works)


def double(work: int) -> dict[str, Any]:
    return {"documents": 2 * work}


def die_once(marker: str) -> dict[str, Any]:
    if not os.path.exists(marker):
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"documents": 1}


def die_always(_: str) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def refuse(name: str) -> dict[str, Any]:
    raise InputError(f"{name}: torn")


def fail(_: str) -> dict[str, Any]:
    raise KeyError("a defect of ours")


def test_units_run_on_ray_and_those_done_are_not_run_again(ray_executor: OnRay, tmp_path: Path) -> None:
    first = phase(ray_executor, tmp_path, double, {str(i): i for i in range(10)})
    assert [s["documents"] for s in first.values()] == [2 * i for i in range(10)]
    stamps = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    (tmp_path / "3.json").unlink()
    again = phase(ray_executor, tmp_path, double, {str(i): i for i in range(10)})
    assert again.keys() == first.keys()
    assert [p.name for p in tmp_path.iterdir() if stamps[p.name] != p.stat().st_mtime_ns] == ["3.json"]


def test_a_unit_whose_worker_is_killed_runs_again(ray_executor: OnRay, tmp_path: Path) -> None:
    found = phase(ray_executor, tmp_path / "units", die_once, {"unit": str(tmp_path / "marker")})
    assert found["unit"]["documents"] == 1


def test_a_unit_that_always_kills_its_worker_is_named_with_what_to_do(ray_executor: OnRay, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"unit deadly: its worker died more often than engine.retries allows.*run again to continue"):
        phase(ray_executor, tmp_path, die_always, {"deadly": ""})


def test_a_users_error_in_a_worker_is_that_error_and_a_defect_keeps_its_type(ray_executor: OnRay, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^a\.gz: torn$"):
        phase(ray_executor, tmp_path, refuse, {"unit": "a.gz"})
    with pytest.raises(KeyError, match="a defect of ours"):
        phase(ray_executor, tmp_path, fail, {"unit": ""})


def test_one_and_two_ray_workers_give_the_bytes_of_the_in_process_executor(make_config: Maker, ray_executor: OnRay) -> None:
    _, plain = finish(make_config(corpus_of_many(), name="plain"))
    for workers in (1, 2):  # joins the Ray of the fixture
        _, folder = finish(make_config(corpus_of_many(), name=f"ray{workers}"), "engine.executor=ray", f"engine.workers={workers}")
        assert output_bytes(folder) == output_bytes(plain)


def test_a_run_killed_at_any_phase_resumes_to_the_same_bytes(make_config: Maker) -> None:
    _, plain = finish(make_config(corpus_of_many(), name="plain"))
    config = make_config(corpus_of_many(), name="killed")
    folder = Path(load_run(config).output)
    for wanted in ("shards", "bands-", "shingles-", "survivors-", "write-"):  # killed as soon as a unit of this phase is done
        process = subprocess.Popen([sys.executable, "-m", "pipeline.cli", "run", str(config), "--quiet"], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline and not any((folder / "work").glob(f"{wanted}*/*.json")):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (folder / "summary.json").exists() or output_bytes(folder) == output_bytes(plain)
    summary = run(load_run(config), quiet=True)
    assert summary["documents"]["input"] == 85
    assert output_bytes(folder) == output_bytes(plain)
    assert not list(folder.rglob("*.partial"))


def test_an_address_where_nothing_answers_is_refused_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(RunError, match=r"engine\.address '127\.0\.0\.1:9': nothing answers there"):
        OnRay(Engine(address="127.0.0.1:9"), ())
    assert time.monotonic() - started < 15


def test_folders_that_a_node_cannot_see_are_found(tmp_path: Path) -> None:
    assert _missing_paths((str(tmp_path), str(tmp_path / "nowhere"))) == [str(tmp_path / "nowhere")]


def test_two_runs_in_one_folder_at_a_time_are_refused(make_config: Maker) -> None:
    config = make_config({"a": [{"text": prose(1)}]})
    folder = Path(load_run(config).output)
    folder.mkdir(parents=True)
    script = (
        f"import fcntl, time; f = open({str(folder / '.lock')!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(RunError, match="another run is writing here"):
            finish(config)
    finally:
        holder.kill()
        holder.communicate()

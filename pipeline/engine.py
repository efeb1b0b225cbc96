"""Where units of work run: plain Ray tasks, or this process. Both give the same files.

A phase is a function and its units. Units that are done are skipped, the others run in any order, and each commits by itself. Ray
Data was measured at 3-10 times the cost of plain tasks for this work, and it maps no input file to an output file, so it cannot resume
by shard (docs/decisions.md).
"""

import errno
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, cast

import pyarrow as pa

from configs.errors import CorpusError, RunError
from pipeline.config import Engine
from pipeline.manifest import Units
from pipeline.progress import Progress

Statistics = dict[str, Any]
"""What a unit reports: small JSON-like counts, never rows."""


@dataclass(frozen=True)
class Task:
    """One unit of work on its way to an executor."""

    function: Callable[[Any], Statistics]
    work: Any
    units_folder: str
    key: str
    folder: str = field(default_factory=os.getcwd)
    """The driver's working directory: relative paths mean the same in a worker."""

    def __call__(self) -> Statistics:
        """Run the unit, commit it, and report what it took; `peak_memory_bytes` is that of this process so far."""
        started = time.perf_counter()
        try:
            statistics = self.function(self.work)
            statistics["seconds_total"] = time.perf_counter() - started
            statistics["peak_memory_bytes"] = peak_memory_bytes()
            Units(self.units_folder).finish(self.key, statistics)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise RunError(
                f"{self.units_folder}: the disk is full; what is done is kept: free some space and run again to continue"
            ) from None
        return statistics


class Executor(Protocol):
    """Runs tasks and yields their statistics as they finish, in any order."""

    workers: int

    def run(self, tasks: Mapping[str, Task]) -> Iterator[tuple[str, Statistics]]:
        """Yield (key, statistics) for each task. Raises the first `CorpusError` of a task, or `RunError` when a worker is lost."""
        ...


class InProcess(AbstractContextManager["InProcess"]):
    """Runs each unit here, one after the other."""

    workers = 1

    def run(self, tasks: Mapping[str, Task]) -> Iterator[tuple[str, Statistics]]:
        """As `Executor.run`, in the order given."""
        for key, task in tasks.items():
            yield key, task()

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


class OnRay(AbstractContextManager["OnRay"]):
    """Runs units as Ray tasks, at most `workers` at a time, on this machine or on a cluster."""

    def __init__(self, engine: Engine, shared_folders: tuple[str, ...], gpus: float = 0.0) -> None:
        """Start or join Ray. `shared_folders` must be seen by every node; `RunError` names the node that does not.

        Each task has `gpus` of a GPU: with .5 two share one.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        _probe(engine.address)
        self._ray = ray
        self._owns = not ray.is_initialized()
        local = engine.address == "local"
        if self._owns:
            options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
            if local:
                options |= {"num_cpus": engine.workers or os.cpu_count(), "include_dashboard": False}
                options |= {"object_store_memory": 128 << 20}
            try:
                ray.init(address=engine.address, **options)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise RunError(f"engine.address '{engine.address}': cannot start or join Ray: {error}") from None
        self.workers = engine.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=engine.retries)(_in_worker)
        if not local:
            self._refuse_private_folders(shared_folders)

    def run(self, tasks: Mapping[str, Task]) -> Iterator[tuple[str, Statistics]]:
        """As `Executor.run`; a unit whose worker dies is tried again by Ray."""
        waiting = iter(tasks.items())
        flying: dict[Any, str] = {}
        try:
            while True:
                while len(flying) < 2 * self.workers and (following := next(waiting, None)) is not None:
                    key, task = following
                    flying[self._remote.remote(task)] = key
                if not flying:
                    return
                (ready,), _ = self._ray.wait(list(flying), num_returns=1)
                key = flying.pop(ready)
                yield key, self._result(key, ready)
        finally:
            for reference in flying:
                self._ray.cancel(reference, force=False)

    def _result(self, key: str, reference: Any) -> Statistics:
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.as_instanceof_cause() from None
        except self._ray.exceptions.RayError as error:
            raise RunError(
                f"unit {key}: its worker died more often than engine.retries allows: {error}; what is done is kept: run again to "
                "continue, with a smaller engine.split_bytes or fewer engine.workers if memory ran out"
            ) from None
        if isinstance(outcome, CorpusError):
            raise outcome
        return cast(Statistics, outcome)

    def _refuse_private_folders(self, folders: tuple[str, ...]) -> None:
        """Each node looks for every local path of the run; a path on one machine's own disk would lose the others' work."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        look = self._ray.remote(num_cpus=0)(_missing_paths)
        for node in self._ray.nodes():
            if node["Alive"]:
                here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                if missing := self._ray.get(look.options(scheduling_strategy=here).remote(folders)):
                    raise RunError(
                        f"engine.address '{self._ray.get_runtime_context().gcs_address}': node {node['NodeManagerAddress']} cannot see "
                        f"{missing[0]}; use a shared folder or an object store (s3://…) for sources, output and engine.work"
                    )

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the Ray that we started."""
        if self._owns:
            self._ray.shutdown()

    def __enter__(self) -> Self:
        """The executor itself."""
        return self


def _probe(address: str) -> None:
    """Ray itself waits many minutes for a cluster that is not there."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host.rpartition("/")[2], int(port)), timeout=10).close()
    except OSError as error:
        raise RunError(f"engine.address '{address}': nothing answers there: {error}; is the cluster up?") from None


def _in_worker(task: Task) -> Statistics | CorpusError:
    """A user's error travels as a value, so that Ray neither retries it nor wraps it in a remote traceback."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    if os.path.isdir(task.folder):
        os.chdir(task.folder)
    try:
        return task()
    except CorpusError as error:
        return error


def _missing_paths(paths: tuple[str, ...]) -> list[str]:
    return [path for path in paths if not os.path.exists(path)]


def peak_memory_bytes() -> int:
    """The largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run_phase(
    executor: Executor,
    progress: Progress,
    name: str,
    folder: str,
    function: Callable[[Any], Statistics],
    works: Mapping[str, Any],
) -> dict[str, Statistics]:
    """Bring every unit of a phase to be done; statistics by key, in the order of `works`.

    `progress` counts units, and the `documents` and `bytes` that a unit's statistics report.
    """
    units = Units(folder)
    finished = units.done(works)
    tasks = {key: Task(function, work, folder, key) for key, work in works.items() if key not in finished}
    with progress.phase(name, len(works), finished) as bar:
        for key, statistics in executor.run(tasks):
            finished[key] = statistics
            bar.advance(statistics)
    return {key: finished[key] for key in works}

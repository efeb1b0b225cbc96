"""Progress of a run: a bar per phase with documents/s, MB/s and time left on a terminal; one line per phase elsewhere, or nothing."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars


class Bar:
    """The phase that runs now."""

    def __init__(self, bars: Bars | None, task: TaskID | None) -> None:
        self._bars, self._task = bars, task
        self._started = time.perf_counter()
        self._documents = self._bytes = 0

    def advance(self, statistics: Mapping[str, Any]) -> None:
        """One unit is done."""
        self._documents += statistics.get("documents", 0)
        self._bytes += statistics.get("bytes", 0)
        if self._bars is not None and self._task is not None:
            seconds = max(time.perf_counter() - self._started, 1e-9)
            speed = f"{self._documents / seconds:,.0f} documents/s  {self._bytes / seconds / 1e6:,.1f} MB/s" if self._documents else ""
            self._bars.update(self._task, advance=1, speed=speed)


class Progress:
    """Says what runs. `seconds` collects the wall time of each phase."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True)
        self._live = self._console.is_terminal and not quiet
        self._lines = not self._live and not quiet
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str, num_units: int, finished: Mapping[str, Any]) -> Iterator[Bar]:
        """A bar over `num_units`, of which those in `finished` were done by an earlier run."""
        started = time.perf_counter()
        done_before = len(finished)
        if self._live:
            columns = (
                TextColumn("{task.description:<22}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[speed]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
            )
            with Bars(*columns, console=self._console) as bars:
                task = bars.add_task(name, total=num_units, completed=done_before, speed="")
                yield Bar(bars, task)
        else:
            yield Bar(None, None)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
        if self._lines:
            before = f", {done_before} of them done before" if done_before else ""
            print(f"{name}: {num_units} units in {time.perf_counter() - started:.1f} s{before}", file=sys.stderr)

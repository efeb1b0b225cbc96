"""Run a configuration and be killed in a phase, again and again, each time continuing what the last one left.

    python -m tests.pipeline.killer CONFIG PHASE...

Every phase is killed twice: when its first unit has written its data and is about to be committed, and when its last one is committed. Each
run is a fork of this process, which has imported all and computed nothing; prints `PHASE: SIGNAL SIGNAL` for each.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pipeline.engine
import pipeline.run
from pipeline.config import load_run
from pipeline.engine import Statistics


def die(*_: object) -> None:
    """As if the machine went off."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying(phase: str, at_first: bool, name: str, run_phase: Callable[[], Any]) -> Any:
    """Run the phase `name`; die in it if it is `phase`: as its first unit commits, or after its last."""
    if name == phase and at_first:
        pipeline.engine.Units.finish = die  # type: ignore[assignment,method-assign]
    found = run_phase()
    if name == phase:
        die()
    return found


def run_and_die(config: str, phase: str, at_first: bool) -> None:
    """Run until the phase's first unit, or last one."""

    class Dying(pipeline.run.Runner):
        def phase(
            self, name: str, folder: str, function: Callable[[Any], Statistics], works: Mapping[str, Any], drop: Sequence[str] = ()
        ) -> list[Statistics]:
            own = super().phase
            found: list[Statistics] = dying(phase, at_first, name, lambda: own(name, folder, function, works, drop))
            return found

    pipeline.run.Runner = Dying  # type: ignore[misc]
    pipeline.run.run(load_run(config), quiet=True)


def kill_in_each(run_and_die: Callable[[str, str, bool], None]) -> None:
    """Kill in each phase that the command line names."""
    config, *phases = sys.argv[1:]
    for phase in phases:
        signals = []
        for at_first in (True, False):
            child = os.fork()
            if child == 0:
                run_and_die(config, phase, at_first)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            signals.append(os.WTERMSIG(status))
        print(f"{phase}: {signals[0]} {signals[1]}", flush=True)


if __name__ == "__main__":
    kill_in_each(run_and_die)

"""Pack, and be killed in a phase, again and again, each time continuing what the last one left.

    python -m tests.pipeline.pack_killer CONFIG PHASE...

Every phase is killed twice: when its first unit has written its data and is about to be committed, and when its last one is committed. Each
pack is a fork of this process; prints `PHASE: SIGNAL SIGNAL` for each.
"""

import os
import sys
from pathlib import Path
from typing import Any

import pipeline.engine
from configs.loader import load, read_yaml
from pipeline.packing import packer
from pipeline.packing.pack_config import PackConfig
from tests.pipeline.killer import die


def pack_and_die(config: str, phase: str, at_first: bool) -> None:
    """Pack until the phase's first unit, or last one."""
    run_phase = packer.run_phase

    def dying(executor: Any, progress: Any, name: str, *others: Any) -> Any:
        if name == phase and at_first:
            pipeline.engine.Units.finish = die  # type: ignore[assignment,method-assign]
        found = run_phase(executor, progress, name, *others)
        if name == phase:
            die()
        return found

    packer.run_phase = dying
    packer.pack(load(PackConfig, read_yaml(Path(config))), quiet=True)


def main() -> None:
    """Kill in each phase."""
    config, *phases = sys.argv[1:]
    for phase in phases:
        signals = []
        for at_first in (True, False):
            child = os.fork()
            if child == 0:
                pack_and_die(config, phase, at_first)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            signals.append(os.WTERMSIG(status))
        print(f"{phase}: {signals[0]} {signals[1]}", flush=True)


if __name__ == "__main__":
    main()

"""Pack, and be killed in a phase, again and again, each time continuing what the last one left.

    python -m tests.pipeline.pack_killer CONFIG PHASE...

Every phase is killed twice: when its first unit has written its data and is about to be committed, and when its last one is committed. Each
pack is a fork of this process; prints `PHASE: SIGNAL SIGNAL` for each.
"""

from pathlib import Path

from configs.loader import load, read_yaml
from pipeline.packing import packer
from pipeline.packing.pack_config import PackConfig
from tests.pipeline.killer import dying, kill_in_each


def pack_and_die(config: str, phase: str, at_first: bool) -> None:
    """Pack until the phase's first unit, or last one."""
    run_phase = packer.run_phase
    packer.run_phase = lambda executor, progress, name, *others: dying(
        phase, at_first, name, lambda: run_phase(executor, progress, name, *others)
    )
    packer.pack(load(PackConfig, read_yaml(Path(config))), quiet=True)


if __name__ == "__main__":
    kill_in_each(pack_and_die)

"""Checkpoints of a training: whole or not there, written while it goes on, readable by any number of processes.

`checkpoints/step-0000200/` holds one safetensors file for each process, with its rows of weights and moments, and `state.json`: all that
a resumed run needs to go on to the same bit. The state is copied to host memory, which is all that the training waits for; a thread
writes it to `step-0000200.tmp`, syncs, and renames. A process that is killed leaves at most such a folder, which the next start removes.
With several processes the folder must be one that all see: the first renames it when everybody's file is there.
"""

import json
import os
import shutil
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from configs.errors import RunError
from model.training.distributed import World

STATE = "state.json"
PATIENCE_SECONDS = 600.0
"""How long the first process waits for the files of the others."""


@dataclass(frozen=True)
class Snapshot:
    """A complete checkpoint on disk."""

    folder: Path
    facts: Mapping[str, Any]
    rank: int
    """Of the process that reads it."""

    @property
    def step(self) -> int:
        """The step after which it was taken."""
        return int(self.facts["step"])

    def read(self, name: str, rows: tuple[int, int] | None) -> Tensor | None:
        """Rows [begin, end) of a tensor, from whichever processes had them; without `rows`, what this process had, if anything."""
        if rows is None:
            with safe_open(self.folder / _file(self.rank % self.facts["processes"]), "pt") as opened:
                return cast(Tensor, opened.get_tensor(name)) if name in opened.keys() else None  # noqa: SIM118
        parts, first = [], 0
        for rank in range(self.facts["processes"]):
            with safe_open(self.folder / _file(rank), "pt") as opened:
                held = opened.get_slice(name)
                num_rows = held.get_shape()[0]
                begin, end = max(rows[0] - first, 0), min(rows[1] - first, num_rows)
                if begin < end:
                    parts.append(held[begin:end])
                elif not parts and rank == self.facts["processes"] - 1:
                    parts.append(held[:0])  # more processes than rows: this one has none
                first += num_rows
        return torch.cat(parts)


class Snapshots:
    """The checkpoints of a training, the last `keep` of them."""

    def __init__(self, folder: Path, keep: int, world: World) -> None:
        """Also removes what a killed process left half written."""
        self._folder, self._keep, self._world = folder, keep, world
        self._writer = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None
        self._host: dict[str, Tensor] = {}
        if world.is_first:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.iterdir():
                if not (left / STATE).exists() or left.suffix == ".tmp":
                    shutil.rmtree(left)
        world.barrier()

    def save(self, step: int, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Copy the state and return; a thread writes it. Raises `RunError` if the one before could not be written."""
        self.wait()
        for name, tensor in state.items():
            if name not in self._host:
                self._host[name] = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
            self._host[name].copy_(tensor, non_blocking=True)
        if self._world.device.type == "cuda":
            torch.cuda.synchronize()
        self._pending = self._writer.submit(self._write, step, {"step": step, "processes": self._world.size, **facts})

    def wait(self) -> None:
        """Until all that was saved is on disk. Raises `RunError` if it could not be written."""
        pending, self._pending = self._pending, None
        if pending is not None:
            try:
                pending.result()
            except OSError as error:
                raise RunError(f"{self._folder}: cannot write a checkpoint: {error}") from None
        self._world.barrier()

    def latest(self) -> Snapshot | None:
        """The last complete one; call `wait` before."""
        complete = self._complete()
        return _opened(complete[-1], self._world.rank) if complete else None

    def _write(self, step: int, facts: dict[str, Any]) -> None:
        final = self._folder / f"step-{step:07}"
        temporary = final.with_suffix(".tmp")
        temporary.mkdir(exist_ok=True)
        own = temporary / _file(self._world.rank)
        save_file(self._host, own.with_suffix(".part"))
        _sync(own.with_suffix(".part"))
        own.with_suffix(".part").rename(own)
        if not self._world.is_first:
            return
        self._wait_for_others(temporary)
        (temporary / STATE).write_text(json.dumps(facts), encoding="utf-8")
        for path in (temporary / STATE, temporary):
            _sync(path)
        temporary.rename(final)
        _sync(self._folder)
        for old in self._complete()[: -self._keep]:
            (old / STATE).unlink()  # from here on it is none
            shutil.rmtree(old)

    def _wait_for_others(self, folder: Path) -> None:
        started = time.monotonic()
        while missing := [rank for rank in range(self._world.size) if not (folder / _file(rank)).exists()]:
            if time.monotonic() - started > PATIENCE_SECONDS:
                raise OSError(f"process {missing[0]} has not written {folder / _file(missing[0])}; do all see this folder?")
            time.sleep(0.05)

    def _complete(self) -> list[Path]:
        return sorted(path for path in self._folder.glob("step-*") if path.suffix != ".tmp" and (path / STATE).exists())


def _opened(folder: Path, rank: int) -> Snapshot:
    facts = json.loads((folder / STATE).read_text(encoding="utf-8"))
    lacking = [name for name in map(_file, range(facts["processes"])) if not (folder / name).exists()]
    if lacking:
        raise RunError(f"{folder}: {lacking[0]} is missing; delete this checkpoint to go on from the one before")
    return Snapshot(folder, facts, rank)


def _file(rank: int) -> str:
    return f"process-{rank:05}.safetensors"


def _sync(path: Path) -> None:
    """What was written survives the machine, not only the process."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

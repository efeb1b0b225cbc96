"""Checkpoints are whole or not there, and any number of processes can read them."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from configs.errors import RunError
from model.training.distributed import World, own_rows
from model.training.snapshots import Snapshots

WEIGHT, GAIN = torch.arange(50.0).view(10, 5), torch.arange(3.0)


def state(rank: int, size: int) -> dict[str, Tensor]:
    parts = {name: tensor[slice(*own_rows(len(tensor), rank, size))] for name, tensor in (("weight", WEIGHT), ("gain", GAIN))}
    return parts | {"random.cpu": torch.tensor([rank], dtype=torch.uint8)}


class Alone(World):
    """One of several processes, without the others."""

    def barrier(self) -> None:
        """Nobody to wait for."""


def written(folder: Path, size: int, step: int, keep: int = 3) -> Snapshots:
    made = [Snapshots(folder, keep, Alone(rank, size)) for rank in range(size)]
    for rank in [*range(1, size), 0]:
        made[rank].save(step, state(rank, size), {"updates": step})
    for snapshots in made:
        snapshots.wait()
    return made[0]


@pytest.mark.parametrize("size", [1, 2, 4, 7])
@pytest.mark.parametrize("new_size", [1, 3, 4, 8])
def test_every_row_is_found_whichever_process_had_it(size: int, new_size: int, tmp_path: Path) -> None:
    latest = written(tmp_path, size, 5).latest()
    assert latest is not None
    assert (latest.step, latest.facts["updates"]) == (5, 5)
    for rank in range(new_size):
        for name, tensor in (("weight", WEIGHT), ("gain", GAIN)):
            begin, end = own_rows(len(tensor), rank, new_size)
            found = latest.read(name, (begin, end))
            assert found is not None
            assert torch.equal(found, tensor[begin:end])
            assert found.shape[1:] == tensor.shape[1:]
    for rank in range(new_size):
        random = dataclasses.replace(latest, rank=rank).read("random.cpu", None)
        assert random is not None
        assert random.tolist() == [rank % size]
    assert latest.read("random.cuda", None) is None


def test_the_last_few_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 100, 1000):
        written(tmp_path, 1, step, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-0000100", "step-0001000"]


def test_what_was_saved_is_what_was_there_then(tmp_path: Path) -> None:
    tensor = torch.ones(3)
    snapshots = Snapshots(tmp_path, 3, World())
    snapshots.save(1, {"weight": tensor}, {})
    tensor.zero_()
    snapshots.wait()
    latest = snapshots.latest()
    assert latest is not None
    found = latest.read("weight", (0, 3))
    assert found is not None
    assert found.tolist() == [1, 1, 1]


def test_half_written_checkpoints_are_removed_at_the_next_start(tmp_path: Path) -> None:
    written(tmp_path, 1, 5)
    (tmp_path / "step-0000010.tmp").mkdir()
    (tmp_path / "step-0000010.tmp" / "state.json").write_text("{}")
    (tmp_path / "step-0000003").mkdir()  # killed while it was removed: state.json goes first
    latest = Snapshots(tmp_path, 3, World()).latest()
    assert latest is not None
    assert latest.step == 5
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000005"]


def test_a_lost_file_is_named(tmp_path: Path) -> None:
    snapshots = written(tmp_path, 2, 5)
    (tmp_path / "step-0000005" / "process-00001.safetensors").unlink()
    with pytest.raises(RunError, match=r"process-00001\.safetensors is missing; delete this checkpoint"):
        snapshots.latest()


def test_a_checkpoint_that_cannot_be_written_ends_the_training(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "checkpoints", 3, World())
    (tmp_path / "checkpoints").rmdir()
    (tmp_path / "checkpoints").write_text("a file stands where the folder was")
    snapshots.save(1, state(0, 1), {})
    with pytest.raises(RunError, match="cannot write a checkpoint"):
        snapshots.wait()

"""Many processes learn what one learns: FSDP2 over gloo, on a CPU."""

import dataclasses
import json
import multiprocessing
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch

from model import Baichuan
from model.train import StepSettings, train
from model.training.distributed import leave
from model.training.records import HELDOUT, METRICS, read_records
from model.training.settings import CheckpointSettings
from tests.model.training.tiny import settings, stream


def run(folder: Path, rank: int, size: int, port: int, changes: dict[str, Any]) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    config = settings(folder, heldout="in memory", heldout_every=15, **changes)
    train(config, stream(), stream(700, seed=1), quiet=True)
    leave()


def trained_by(size: int, folder: Path, **changes: Any) -> Path:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["model.train"])
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    processes = [context.Process(target=run, args=(folder, rank, size, port, changes)) for rank in range(size)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * size
    return folder


def curve(folder: Path) -> torch.Tensor:
    metrics, heldout = read_records(folder, METRICS), read_records(folder, HELDOUT)
    return torch.tensor([[row["loss"], row["cross_entropy"], row["grad_norm"]] for row in metrics] + [[row["loss"]] * 3 for row in heldout])


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_by(1, tmp_path_factory.mktemp("alone") / "run")


@pytest.mark.parametrize("size", [2, 4])
def test_the_loss_curve_is_that_of_one_process(size: int, alone: Path, tmp_path: Path) -> None:
    together = trained_by(size, tmp_path / "run", step=StepSettings(**vars(settings(tmp_path).step) | {"micro_batch": 1}))
    torch.testing.assert_close(curve(together), curve(alone), atol=1e-4, rtol=0)
    ours, theirs = (Baichuan.from_pretrained(folder / "model").state_dict() for folder in (together, alone))
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name], weight, atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", ["adamw", "adamw_split"])
def test_bf16_and_recomputed_layers_work_over_processes(kind: Any, alone: Path, tmp_path: Path) -> None:
    optimizer = dataclasses.replace(settings(tmp_path).step.optimizer, kind=kind)
    step = StepSettings(compile=False, activations="selective", micro_batch=2, optimizer=optimizer)
    together = trained_by(2, tmp_path / "run", step=step)
    # bf16 rounds products by 2^-9; over forty steps losses of about 2 differ by little more
    torch.testing.assert_close(curve(together)[:, :2], curve(alone)[:, :2], atol=0.05, rtol=0)


def test_another_number_of_processes_goes_on_from_a_checkpoint(alone: Path, tmp_path: Path) -> None:
    folder = trained_by(2, tmp_path / "run", checkpoints=CheckpointSettings(every=10, keep=9))
    for later in ("step-0000030", "step-0000040"):
        for file in (folder / "checkpoints" / later).iterdir():
            file.unlink()
    training = folder / "training.json"
    training.write_text(json.dumps(json.loads(training.read_text()) | {"result": None}))
    trained_by(4, folder)
    torch.testing.assert_close(curve(folder), curve(alone), atol=1e-4, rtol=0)
    assert len(list((folder / "checkpoints" / "step-0000040").glob("process-*"))) == 4

"""Records, held-out loss, progress and picture."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from model.train import build
from model.training.batches import TokensInMemory
from model.training.curve import _smoothed, draw_curve
from model.training.distributed import World
from model.training.heldout import Heldout
from model.training.progress import Progress
from model.training.records import HELDOUT, METRICS, Records, read_records
from tests.model.training.test_trainer import PLAIN, SHAPE
from tests.model.training.tiny import stream


def test_a_resumed_run_takes_back_what_came_after_its_checkpoint_and_a_torn_line(tmp_path: Path) -> None:
    with Records(tmp_path, 0, enabled=True) as records:
        for step in (1, 2, 3, 4):
            records.add(METRICS, {"step": step, "loss": 1 / 3, "name": "第一条"})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')
    with Records(tmp_path, 3, enabled=True) as records:
        records.add(METRICS, {"step": 4, "loss": math.nan})
    rows = read_records(tmp_path, METRICS)
    assert [(row["step"], row["loss"]) for row in rows] == [(1, 1 / 3), (2, 1 / 3), (3, 1 / 3), (4, None)]
    assert read_records(tmp_path, HELDOUT) == []


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    with Records(tmp_path, 0, enabled=False) as records:
        records.add(METRICS, {"step": 1})
        records.sync()
    assert list(tmp_path.iterdir()) == []


def test_held_out_loss_is_the_mean_over_all_targets_whatever_the_batch() -> None:
    trainer = build(SHAPE, PLAIN, world=World())
    found = [Heldout(stream(700), 32, True, 1000, batch).loss(trainer) for batch in (1, 5, 100)]
    assert [targets for _, targets in found] == [found[0][1]] * 3
    assert [loss for loss, _ in found] == pytest.approx([found[0][0]] * 3, abs=1e-5)
    ids = torch.from_numpy(stream(700).tokens(0, 21 * 32).astype(np.int64)).view(21, 32)
    segments = torch.from_numpy(np.stack([stream(700).segments(i * 32, i * 32 + 32) for i in range(21)]))
    labels = ids.clone()
    labels[:, 1:][segments[:, 1:] != segments[:, :-1]] = -100
    with torch.no_grad():
        expected = trainer.model(ids, attention_mask=segments, labels=labels).cross_entropy.item()
    assert found[0][0] == pytest.approx(expected, abs=1e-5)


def test_unigram_entropy_is_that_of_the_targets() -> None:
    tokens = np.array([9, 5, 5, 6, 2, 9, 5, 6], np.int32)  # targets: 5 5 6 2 and 5 6; the 9s begin documents
    found = Heldout(TokensInMemory(tokens, 10, 2), 8, True, 100, 1).unigram_entropy()
    assert found == pytest.approx(-(3 / 6 * math.log(3 / 6) + 2 / 6 * math.log(2 / 6) + 1 / 6 * math.log(1 / 6)))


def test_progress_says_loss_speed_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(SHAPE, 32, 10, World(), quiet=False)
    progress.step(1, 4.5, 1000.0, 0.5)
    progress.step(2, 4.4, 1000.0, 0.5)  # too soon for another line
    progress.step(10, 4.25, 1234.0, 0.5)
    assert capsys.readouterr().err.splitlines() == [
        "step 1/10   loss 4.500   1,000 tokens/s   0:00:04 left",
        "step 10/10   loss 4.250   1,234 tokens/s   done",
    ]
    assert progress.mfu(1000.0) is None  # nobody says what a CPU could do
    Progress(SHAPE, 32, 10, World(), quiet=True).step(1, 4.5, 1000.0, 0.5)
    assert capsys.readouterr().err == ""


def test_the_curve_is_drawn_without_numbers_that_are_none(tmp_path: Path) -> None:
    with Records(tmp_path, 0, enabled=True) as records:
        for step, loss in ((1, 3.0), (2, math.nan), (3, 2.0)):
            records.add(METRICS, {"step": step, "cross_entropy": loss, "tokens": step * 100})
        records.add(HELDOUT, {"step": 3, "tokens": 300, "loss": 2.5})
    assert draw_curve(tmp_path, 3.5)
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert _smoothed([1.0, 2.0, 6.0, 4.0], 2) == [1.0, 1.5, 4.0, 5.0]

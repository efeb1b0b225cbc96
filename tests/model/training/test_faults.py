"""Spikes and losses that are no numbers: when they are seen, what is done, and who is named."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.errors import RunError
from model.train import StepResult, train
from model.training.batches import TokensInMemory
from model.training.faults import Watch, describe, worst
from model.training.records import FAULTS, METRICS, read_records
from model.training.settings import CheckpointSettings, FaultSettings
from tests.model.training.tiny import settings, stream


def good(loss: float) -> StepResult:
    return StepResult(loss, loss, 1.0, True)


def test_the_limit_is_the_median_and_some_deviations_once_the_window_is_full() -> None:
    watch = Watch(FaultSettings(window=9, spike=8.0))
    losses = [3.0, 3.1, 2.9, 3.2, 2.8, 3.3, 2.7, 3.4]
    for loss in losses:
        assert watch.limit() == math.inf
        watch.see(good(loss))
    watch.see(good(2.6))
    # Deviations from the median of 3.0: 0, .1, .1, .2, .2, .3, .3, .4, .4
    assert watch.limit() == pytest.approx(3.0 + 8 * 1.4826 * 0.2)
    again = Watch(FaultSettings(window=9, spike=8.0), json.loads(json.dumps(watch.state())))
    assert again.limit() == watch.limit()


def test_even_losses_may_still_move_a_little_and_zero_switches_spikes_off() -> None:
    watch, off = Watch(FaultSettings(window=8, spike=6.0)), Watch(FaultSettings(window=8, spike=0.0))
    for _ in range(8):
        watch.see(good(2.0))
        off.see(good(2.0))
    assert watch.limit() == pytest.approx(2.3)
    assert off.limit() == math.inf


def test_faults_are_counted_in_a_row_and_do_not_move_the_limit() -> None:
    watch = Watch(FaultSettings(window=8))
    for _ in range(8):
        watch.see(good(2.0))
    limit = watch.limit()
    for count in (1, 2):
        watch.see(StepResult(9.0, 9.0, 1.0, False))
        assert (watch.in_a_row, watch.limit()) == (count, limit)
    watch.see(good(2.0))
    assert watch.in_a_row == 0


def test_the_worst_sequences_are_those_without_a_number_else_the_highest() -> None:
    assert worst([1.0, 5.0, 2.0]) == [1]
    assert worst([math.nan, 5.0, math.inf]) == [0, 2]


def test_what_was_wrong_is_said() -> None:
    assert describe(StepResult(math.nan, math.nan, 1.0, False), 3.0) == "the loss is nan"
    assert describe(StepResult(2.0, 2.0, math.inf, False), 3.0) == "the gradient's norm is inf"
    assert describe(StepResult(9.0, 9.0, 1.0, False), 3.0) == "the loss jumped to 9.000 (limit 3.000)"


def poisoned(step: int, sequence: int, last_step: int | None = None) -> TokensInMemory:
    """The stream with one sequence, or the batches to `last_step`, of ids in an order that occurs nowhere else."""
    tokens = np.array(stream().tokens(0, 20_000))
    begin = (step - 1) * 256 + sequence * 32
    end = begin + 32 if last_step is None else last_step * 256
    tokens[begin:end] = np.arange(begin, end) * 31 % 50 + 5
    return TokensInMemory(tokens, stream().vocab_size, stream().eos_id)


def run(folder: Path, source: TokensInMemory, policy: Any, every: int = 12, **changes: Any) -> None:
    faults = FaultSettings(policy=policy, window=8, spike=3.0, **changes)
    train(settings(folder, faults=faults, checkpoints=CheckpointSettings(every=every)), source, quiet=True)


def test_skip_leaves_the_batch_out_and_names_the_documents_of_its_worst_sequence(tmp_path: Path) -> None:
    source = poisoned(20, 5)
    run(tmp_path / "run", source, "skip")
    (fault,) = read_records(tmp_path / "run", FAULTS)
    assert (fault["step"], fault["policy"]) == (20, "skip")
    begin = 19 * 256 + 5 * 32
    assert fault["documents"] == [list(document) for document in source.documents(begin, begin + 32)]
    applied = {row["step"]: row["applied"] for row in read_records(tmp_path / "run", METRICS)}
    assert [step for step, was in applied.items() if not was] == [20]
    result = json.loads((tmp_path / "run" / "training.json").read_text())["result"]
    assert result["faults"] == 1


def test_rewind_goes_back_to_the_last_checkpoint_and_on_with_the_next_data(tmp_path: Path) -> None:
    source = poisoned(20, 5)
    run(tmp_path / "skip", source, "skip")
    run(tmp_path / "rewind", source, "rewind")
    (fault,) = read_records(tmp_path / "rewind", FAULTS)
    assert fault["policy"] == "rewind"
    skipped, rewound = (read_records(tmp_path / name, METRICS) for name in ("skip", "rewind"))
    assert rewound[:20] == skipped[:20]
    assert [row["step"] for row in rewound] == list(range(1, 41))
    assert rewound[20]["loss"] > skipped[20]["loss"]  # the weights of step 12 know less
    assert json.loads(next((tmp_path / "rewind" / "checkpoints").glob("*40/state.json")).read_text())["updates"] == 40 - 8


def test_rewind_before_the_first_checkpoint_skips(tmp_path: Path) -> None:
    run(tmp_path / "run", poisoned(20, 5), "rewind", every=30)
    assert [fault["policy"] for fault in read_records(tmp_path / "run", FAULTS)] == ["skip"]


def test_stop_ends_the_training_with_the_documents(tmp_path: Path) -> None:
    source = poisoned(20, 5)
    begin = 19 * 256 + 5 * 32
    _, document = source.documents(begin, begin + 32)[0]
    with pytest.raises(RunError, match=rf"step 20: the loss jumped to .*; the policy is to stop\. .*: {document} \(memory\)"):
        run(tmp_path / "run", source, "stop")
    assert len(read_records(tmp_path / "run", FAULTS)) == 1


def test_many_faults_in_a_row_end_the_training(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"step 22: .* 3 faults in a row"):
        run(tmp_path / "run", poisoned(20, 0, last_step=30), "skip", most_in_a_row=3)


def test_a_loss_that_is_no_number_is_null_in_the_records(tmp_path: Path) -> None:
    step = settings(tmp_path).step
    hot = dataclasses.replace(step, optimizer=dataclasses.replace(step.optimizer, learning_rate=1e30, clip=0.0))
    with pytest.raises(RunError, match="2 faults in a row"):
        train(settings(tmp_path / "run", step=hot, faults=FaultSettings(most_in_a_row=2)), stream(), quiet=True)
    rows = read_records(tmp_path / "run", METRICS)
    assert [row["applied"] for row in rows] == [True, False, False]
    assert rows[-1]["grad_norm"] is None

"""Killed at any moment and run again, a training comes to the same bits."""

import multiprocessing
import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from model.train import train
from model.training.settings import CheckpointSettings, FaultSettings
from tests.model.training.tiny import EOS, VOCABULARY, settings, stream

RECORDS = ("metrics.jsonl", "heldout.jsonl", "faults.jsonl", "model/model.safetensors")


class StreamWithABadPlace:
    """Ids that occur nowhere else, from one position on: the loss jumps there."""

    vocab_size, eos_id = VOCABULARY, EOS

    def __init__(self, begin: int, end: int) -> None:
        self._stream, self._bad = stream(), range(begin, end)
        self.num_tokens = self._stream.num_tokens

    def tokens(self, start: int, stop: int) -> Any:
        tokens = self._stream.tokens(start, stop).copy()
        places = [place - start for place in range(start, stop) if place in self._bad]
        tokens[places] = [(place * 31) % 50 + 5 for place in places]
        return tokens

    def segments(self, start: int, stop: int) -> Any:
        return self._stream.segments(start, stop)

    def documents(self, start: int, stop: int) -> list[tuple[str, str]]:
        return self._stream.documents(start, stop)


def run(folder: Path, policy: Any) -> None:
    faults = FaultSettings(policy=policy, window=8, spike=8.0)
    config = settings(folder, heldout="in memory", heldout_every=7, checkpoints=CheckpointSettings(every=6), faults=faults)
    train(config, StreamWithABadPlace(20 * 256, 21 * 256), stream(600, seed=1), quiet=True)


def started(folder: Path, policy: Any) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["model.train"])
    process = context.Process(target=run, args=(folder, policy))
    process.start()
    return process


def lines(folder: Path) -> int:
    metrics = folder / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


@pytest.mark.parametrize(("policy", "num_kills"), [("skip", 5), ("rewind", 3)])
def test_a_training_killed_at_random_moments_has_the_records_of_one_that_was_not(tmp_path: Path, policy: str, num_kills: int) -> None:
    whole = started(tmp_path / "whole", policy)
    whole.join()
    assert whole.exitcode == 0
    folder, moments = tmp_path / "killed", random.Random(3)
    for kill in range(num_kills):
        process = started(folder, policy)
        wanted = 3 + 36 * kill // num_kills
        while process.is_alive() and lines(folder) < wanted:
            time.sleep(0.001)
        time.sleep(moments.random() * 0.02)
        process.kill()
        process.join()
    last = started(folder, policy)
    last.join()
    assert last.exitcode == 0
    for name in RECORDS:
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert b'"policy": "' + policy.encode() in (folder / "faults.jsonl").read_bytes()

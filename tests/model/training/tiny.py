"""A stream that a tiny model learns in seconds, and the settings of a training on it."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np

from model.train import ModelSettings, OptimizerSettings, StepSettings, TrainConfig
from model.training.batches import TokensInMemory
from model.training.settings import CheckpointSettings

VOCABULARY, EOS = 61, 2


@functools.cache
def stream(num_tokens: int = 20_000, seed: int = 0) -> TokensInMemory:
    """Documents of about forty ids; an id follows from the one before and a coin."""
    random = np.random.default_rng(seed)
    coins, ends = random.integers(0, 2, num_tokens), random.random(num_tokens) < 1 / 40
    tokens = np.empty(num_tokens, np.int32)
    last = 5
    for place in range(num_tokens):
        last = EOS if ends[place] else (last * 7 + int(coins[place])) % (VOCABULARY - 3) + 3
        tokens[place] = last
    return TokensInMemory(tokens, VOCABULARY, EOS)


def settings(folder: Path, **changes: Any) -> TrainConfig:
    """Forty steps of eight sequences of 32, a step in milliseconds."""
    step = StepSettings(precision="fp32", compile=False, optimizer=OptimizerSettings(learning_rate=1e-2, clip=1.0))
    tiny = ModelSettings(preset="nano", hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    base = TrainConfig(
        data="in memory", output=str(folder), model=tiny, length=32, batch=8, tokens=40 * 256, threads=1, step=step, device="cpu"
    )
    return dataclasses.replace(base, **({"checkpoints": CheckpointSettings(every=10)} | changes))

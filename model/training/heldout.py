"""Loss on documents that were set apart, and what it has to beat: the entropy of their tokens.

A model that knows how often each token occurs in the held-out text itself, and nothing else, pays the entropy of these frequencies. No
unigram model can pay less, so a loss clearly below it has learnt from context.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from configs.errors import InputError
from model.loss import IGNORED
from model.training.batches import Batch, TokenSource, make_batch
from model.training.distributed import World
from model.training.trainer import Trainer


@dataclass(frozen=True)
class Heldout:
    """Held-out tokens, cut into sequences as in training; what is left at the end is not measured."""

    source: TokenSource
    length: int
    with_segments: bool
    max_tokens: int
    batch: int
    """Sequences that a process takes at a time."""

    def __post_init__(self) -> None:
        if not self.num_samples:
            used = f", of which {self.max_tokens:,} are measured," if self.max_tokens < self.source.num_tokens else ""
            raise InputError(f"heldout: {self.source.num_tokens:,} tokens{used} are less than one sequence of {self.length}; hold more out")

    @property
    def num_samples(self) -> int:
        """Sequences that are measured."""
        return min(self.source.num_tokens, self.max_tokens) // self.length

    def loss(self, trainer: Trainer) -> tuple[float, int]:
        """Nats a target, and targets."""
        nats, targets = 0.0, 0
        for batch in self._batches(trainer.world):
            more_nats, more_targets = trainer.evaluate(batch)
            nats, targets = nats + more_nats, targets + more_targets
        return nats / max(targets, 1), targets

    def unigram_entropy(self) -> float:
        """Entropy of the targets' frequencies, nats."""
        counts = np.zeros(self.source.vocab_size, np.int64)
        for batch in self._batches(World()):
            targets = batch.labels[:, 1:]
            counts += np.bincount(targets[targets != IGNORED].numpy(), minlength=len(counts))
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * np.log(shares)).sum())

    def _batches(self, world: World) -> Iterator[Batch]:
        """The part of one process. All processes get as many batches: some at the end are without targets."""
        for begin in range(0, self.num_samples, self.batch * world.size):
            own = begin + world.rank * self.batch
            samples = range(own, min(own + self.batch, self.num_samples))
            if samples:
                yield make_batch(self.source, samples, self.length, self.with_segments)
            else:
                batch = make_batch(self.source, range(1), self.length, self.with_segments)
                yield Batch(batch.ids, torch.full_like(batch.labels, IGNORED), batch.segments)

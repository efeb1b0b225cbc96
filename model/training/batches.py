"""From a stream of tokens to batches: step k reads samples [(k-1)·B, k·B) of T tokens each, in the order of the pack, whatever happens.

So the position in the data is the number of the step, and nothing else has to be saved. With several processes, process r takes the r-th
part of a batch. The next batch is read by a thread while the current one is computed.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.loss import IGNORED
from model.training.distributed import World

Ids = npt.NDArray[np.int32]


class TokenSource(Protocol):
    """What a training reads, as `model.shards.TokenShards`."""

    @property
    def num_tokens(self) -> int:
        """All of them."""
        ...

    @property
    def vocab_size(self) -> int:
        """Ids are below it."""
        ...

    @property
    def eos_id(self) -> int:
        """Ends a document."""
        ...

    def tokens(self, start: int, stop: int) -> Ids:
        """Ids of positions [start, stop)."""
        ...

    def segments(self, start: int, stop: int) -> Ids:
        """1, 1, 2, 2, 2, ...: which document of the window each position is in."""
        ...

    def documents(self, start: int, stop: int) -> list[tuple[str, str]]:
        """(shard, id) of the documents that the window touches."""
        ...


@dataclass(frozen=True)
class Batch:
    """B sequences of T tokens; on the device that computes them."""

    ids: Tensor
    """(B, T), int64."""
    labels: Tensor
    """(B, T): the ids, -100 where a document begins."""
    segments: Tensor | None = None
    """(B, T), int32: which document of its sequence a token is in."""

    def part(self, begin: int, end: int) -> "Batch":
        """Some of the sequences."""
        segments = None if self.segments is None else self.segments[begin:end]
        return Batch(self.ids[begin:end], self.labels[begin:end], segments)

    def to(self, device: torch.device) -> "Batch":
        """On a device, copied while it computes."""
        if device.type == "cpu":
            return self
        parts = (self.ids, self.labels, self.segments)
        ids, labels, segments = (None if x is None else x.pin_memory().to(device, non_blocking=True) for x in parts)
        assert ids is not None
        assert labels is not None
        return Batch(ids, labels, segments)


def make_batch(source: TokenSource, samples: range, length: int, segments: bool) -> Batch:
    """The samples of these numbers, each `length` tokens."""
    windows = [(sample * length, (sample + 1) * length) for sample in samples]
    ids_BT = torch.from_numpy(np.stack([source.tokens(*window) for window in windows]).astype(np.int64))
    if not segments:
        return Batch(ids_BT, ids_BT)
    segments_BT = torch.from_numpy(np.stack([source.segments(*window) for window in windows]).astype(np.int32))
    labels_BT = ids_BT.clone()
    labels_BT[:, 1:][segments_BT[:, 1:] != segments_BT[:, :-1]] = IGNORED
    return Batch(ids_BT, labels_BT, segments_BT)


@dataclass(frozen=True)
class Batches:
    """The batches of a training, by step."""

    source: TokenSource
    batch: int
    """Sequences of a step, over all processes."""
    length: int
    with_segments: bool
    world: World

    def samples(self, step: int) -> range:
        """The samples of this process in a step, counted from 1."""
        share = self.batch // self.world.size
        begin = (step - 1) * self.batch + self.world.rank * share
        return range(begin, begin + share)

    def steps(self, first: int, last: int) -> Iterator[tuple[int, Batch]]:
        """The steps `first` to `last`, both included, each read while the one before is computed."""
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._read, first) if first <= last else None
            for step in range(first, last + 1):
                assert coming is not None
                batch = coming.result()
                coming = reader.submit(self._read, step + 1) if step < last else None
                yield step, batch

    def documents(self, step: int, sequence: int) -> list[tuple[str, str]]:
        """(shard, id) of the documents in one of this process's sequences of a step."""
        sample = self.samples(step)[sequence]
        return self.source.documents(sample * self.length, (sample + 1) * self.length)

    def _read(self, step: int) -> Batch:
        return make_batch(self.source, self.samples(step), self.length, self.with_segments)


class TokensInMemory:
    """Tokens of one array, as a source; documents end after `eos_id` and have numbers for ids."""

    def __init__(self, tokens: Ids, vocab_size: int, eos_id: int) -> None:
        self._tokens, self.vocab_size, self.eos_id = tokens, vocab_size, eos_id

    @property
    def num_tokens(self) -> int:
        """All of them."""
        return len(self._tokens)

    def tokens(self, start: int, stop: int) -> Ids:
        """Ids of positions [start, stop)."""
        return self._tokens[start:stop]

    def segments(self, start: int, stop: int) -> Ids:
        """1, 1, 2, 2, 2, ...: which document of the window each position is in."""
        is_first = np.concatenate(([False], self._tokens[start : stop - 1] == self.eos_id))
        return np.cumsum(is_first, dtype=np.int32) + np.int32(1)

    def documents(self, start: int, stop: int) -> list[tuple[str, str]]:
        """(memory, number) of the documents that the window touches."""
        first = int((self._tokens[:start] == self.eos_id).sum())
        return [("memory", str(first + i)) for i in range(int(self.segments(start, stop)[-1]))]


def shuffled(source: TokenSource, num_tokens: int, seed: int) -> TokensInMemory:
    """The control: the first tokens of a source, all but ends of documents in other places, so that only their frequencies are left."""
    tokens = np.array(source.tokens(0, num_tokens), np.int32)
    inside = tokens != source.eos_id
    tokens[inside] = np.random.Generator(np.random.PCG64(seed)).permutation(tokens[inside])
    return TokensInMemory(tokens, source.vocab_size, source.eos_id)

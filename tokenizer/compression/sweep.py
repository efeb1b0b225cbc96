"""Vocabularies of many sizes from few trainings: BPE's merges are ranked, so a small vocabulary is the beginning of a large one.

The model of a smaller size is the large one without its last merges (`tokenizer.model_file.with_fewer_merges`): byte for byte the file
that a training of that size on the same words with the same characters gives (tested). So sizes that share a character coverage cost one
training. A coverage is tried from the highest on and taken where its characters leave half of the ids that are free; small sizes so get
lower ones.

A size that the text does not allow, for its characters or its length, is refused with the trainer's reason, and the others go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.errors import CorpusError
from tokenizer.model_file import with_fewer_merges
from tokenizer.recipe import TrainConfig
from tokenizer.sampling import Sampling
from tokenizer.train import Batches, Say, train
from tokenizer.vocabulary import NUM_CODES


@dataclass
class Swept:
    """Models by number of ids, and why others are missing."""

    models: dict[int, bytes] = field(default_factory=dict)
    coverages: dict[int, float] = field(default_factory=dict)
    facts: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What `training.json` would hold, by the sizes that were trained."""
    refused: dict[int, str] = field(default_factory=dict)


def sweep(config: TrainConfig, sizes: Sequence[int], coverages: Sequence[float], batches: Batches, say: Say = lambda *_: None) -> Swept:
    """Train as `config` says for each of `sizes`; `coverages` from the highest on. The preset's size and coverage do not count."""
    swept = Swept()
    counts = character_counts(config, batches)
    of_coverage: dict[float, list[int]] = {}
    for size in sorted(set(sizes)):
        try:
            room = size - replace(config, vocab_size=size).recipe().num_fixed
        except CorpusError as error:
            swept.refused[size] = str(error)
            continue
        fitting = [coverage for coverage in sorted(coverages, reverse=True) if 2 * characters_needed(counts, coverage) <= room]
        of_coverage.setdefault(fitting[0] if fitting else min(coverages), []).append(size)
    for coverage, group in of_coverage.items():
        _train_group(swept, replace(config, character_coverage=coverage), group, batches, say)
    return swept


def _train_group(swept: Swept, config: TrainConfig, sizes: list[int], batches: Batches, say: Say) -> None:
    """Train the largest of the sizes that can be, and take the others from it."""
    largest: bytes | None = None
    for size in reversed(sizes):
        try:
            if largest is None:
                trained = train(replace(config, vocab_size=size), batches, say)
                swept.facts[size], largest = trained.facts, trained.model
                swept.models[size] = largest
            else:
                swept.models[size] = with_fewer_merges(largest, size)
            assert config.character_coverage is not None
            swept.coverages[size] = config.character_coverage
        except CorpusError as error:
            swept.refused[size] = str(error)


def character_counts(config: TrainConfig, batches: Batches) -> npt.NDArray[np.int64]:
    """How often each character stands in the texts, repeated by their weights, (NUM_CODES,)."""
    counts = np.zeros(NUM_CODES, np.int64)
    sampling = Sampling(config.seed, config.languages, config.domains)
    for batch in batches():
        copies = sampling.copies(batch)
        for times in np.unique(copies[copies > 0]).tolist():
            texts = "".join(batch["text"].filter(pa.array(copies == times)).drop_null().to_pylist())
            counts += times * np.bincount(np.frombuffer(texts.encode("utf-32-le"), np.uint32), minlength=NUM_CODES)
    return counts


def characters_needed(counts: npt.NDArray[np.int64], coverage: float) -> int:
    """How many of the most frequent characters make up a share of all."""
    ordered = np.sort(counts[counts > 0])[::-1]
    return min(len(ordered), int(np.searchsorted(np.cumsum(ordered), coverage * ordered.sum())) + 1)

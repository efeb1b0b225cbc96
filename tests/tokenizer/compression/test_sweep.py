"""Sizes from few trainings: the models are those of separate trainings, and what cannot be is refused with its reason."""

from dataclasses import replace

import numpy as np
import pytest

from configs.errors import InputError
from pipeline.texts import texts
from tests.tokenizer.conftest import INPUTS, batches_of, sample_config
from tokenizer.codec import Tokenizer
from tokenizer.compression.sweep import character_counts, characters_needed, sweep
from tokenizer.model_file import with_dummy_prefix, with_fewer_merges
from tokenizer.train import train


def test_a_small_vocabulary_is_the_beginning_of_a_large_one_byte_for_byte() -> None:
    config = sample_config(vocab_size=5000)
    large = train(config, texts(INPUTS))
    for size in (2600, 4999, 5000):
        separate = train(replace(config, vocab_size=size), texts(INPUTS))
        assert separate.facts["cuts_changed_nothing"]
        assert with_fewer_merges(large.model, size) == separate.model
        assert with_fewer_merges(with_dummy_prefix(large.model), size) == with_dummy_prefix(separate.model)


def test_without_room_for_a_merge_there_is_no_smaller_vocabulary(small: Tokenizer) -> None:
    merges = sum(kind == 1 and len(piece) > 1 for piece, kind in zip(small.model.pieces, small.model.types, strict=True))
    assert len(Tokenizer(with_fewer_merges(small.model_bytes, 2001 - merges), "least")) == 2001 - merges
    with pytest.raises(InputError, match=rf"{2000 - merges:,} ids leave no room for merges: .* wanted {2001 - merges:,} to 2,000"):
        with_fewer_merges(small.model_bytes, 2000 - merges)
    with pytest.raises(InputError, match=r"2,001 ids leave no room"):
        with_fewer_merges(small.model_bytes, 2001)


def test_sizes_that_the_text_does_not_allow_are_refused_and_the_others_go_on() -> None:
    found = sweep(sample_config(), [300, 1500, 4000, 8000, 1_000_000], [0.98, 0.9999], texts(INPUTS))
    assert sorted(found.models) == [4000, 8000]
    assert {size: len(Tokenizer(model, str(size))) for size, model in found.models.items()} == {4000: 4000, 8000: 8000}
    assert sorted(found.refused) == [300, 1500, 1_000_000]
    assert "have no room for merges" in found.refused[1500] or "leave no room for merges" in found.refused[1500]
    assert "Give more text, or set vocab_size to at most" in found.refused[1_000_000]
    assert set(found.facts) <= {4000, 8000}
    assert found.coverages[8000] >= found.coverages[4000]


def test_the_special_ids_alone_may_be_too_many() -> None:
    found = sweep(sample_config(preset="baichuan1"), [300], [0.98], lambda: batches_of([{"id": "a", "text": "a"}]))
    assert found.models == {}
    assert "the special ids and bytes alone are 649" in found.refused[300]


def test_characters_are_counted_with_their_weights() -> None:
    rows = [{"id": "a", "text": "aa𠀀", "domain": "x"}, {"id": "b", "text": "ab", "domain": "y"}, {"id": "c", "text": None, "domain": "x"}]
    counts = character_counts(sample_config(domains={"x": 3, "y": 0}), lambda: batches_of(rows))
    assert {chr(code): int(counts[code]) for code in np.flatnonzero(counts)} == {"a": 6, "𠀀": 3}


def test_a_coverage_takes_the_most_frequent_characters() -> None:
    counts = np.zeros(10, np.int64)
    counts[[2, 5, 7]] = [90, 9, 1]
    assert [characters_needed(counts, coverage) for coverage in (0.5, 0.9, 0.901, 0.99, 0.991, 1.0)] == [1, 1, 2, 2, 3, 3]

"""What a step reads."""

import numpy as np
import torch

from model.training.batches import Batches, TokensInMemory, make_batch, shuffled
from model.training.distributed import World
from tests.model.training.tiny import EOS, stream

TOKENS = TokensInMemory(np.array([5, 6, 2, 7, 8, 9, 2, 3, 4, 5, 2, 6], np.int32), 10, EOS)


def test_labels_leave_out_what_begins_a_document_and_segments_part_them() -> None:
    batch = make_batch(TOKENS, range(2), 6, segments=True)
    assert batch.ids.tolist() == [[5, 6, 2, 7, 8, 9], [2, 3, 4, 5, 2, 6]]
    assert batch.segments is not None
    assert batch.segments.tolist() == [[1, 1, 1, 2, 2, 2], [1, 2, 2, 2, 2, 3]]
    assert batch.labels.tolist() == [[5, 6, 2, -100, 8, 9], [2, -100, 4, 5, 2, -100]]


def test_plain_batches_have_no_segments_and_all_labels() -> None:
    batch = make_batch(TOKENS, range(1, 2), 6, segments=False)
    assert batch.segments is None
    assert torch.equal(batch.labels, batch.ids)


def test_processes_share_the_batch_that_one_would_have() -> None:
    whole = Batches(stream(), 8, 32, True, World())
    parts = [Batches(stream(), 8, 32, True, World(rank, 4)) for rank in range(4)]
    steps = [list(batches.steps(3, 5)) for batches in parts]
    for place, (step, batch) in enumerate(whole.steps(3, 5)):
        assert [own[place][0] for own in steps] == [step] * 4
        assert torch.equal(torch.cat([own[place][1].ids for own in steps]), batch.ids)
    assert whole.samples(2) == range(8, 16)
    assert list(whole.steps(6, 5)) == []


def test_a_sequence_is_named_by_its_documents() -> None:
    batches = Batches(TOKENS, 1, 6, True, World())
    assert batches.documents(1, 0) == [("memory", "0"), ("memory", "1")]
    assert batches.documents(2, 0) == [("memory", "1"), ("memory", "2"), ("memory", "3")]


def test_shuffled_tokens_keep_their_frequencies_and_ends_and_nothing_else() -> None:
    tokens, control = stream().tokens(0, 5000), shuffled(stream(), 5000, seed=1).tokens(0, 5000)
    assert np.array_equal(np.bincount(control), np.bincount(tokens))
    assert np.array_equal(control == EOS, tokens == EOS)
    # Of the pairs of neighbours, only those that chance makes are left: a pair's two frequencies multiplied, about 1/58 each
    assert (control[1:] == tokens[1:]).mean() < 0.1
    assert np.array_equal(control, shuffled(stream(), 5000, seed=1).tokens(0, 5000))

"""Proxies: what they read, that all else is equal, and what they measure."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from configs.errors import ConfigError
from model.proxy import MAX_EPOCHS, ProxyData, ProxySettings, _windows, allocate, train_doremi, train_proxy

TINY = ProxySettings(hidden_size=16, intermediate_size=32, layers=1, heads=2, length=16, batch=4, tokens=4096, learning_rate=2e-2)


def texts(num: int = 4096) -> ProxyData:
    """`up` counts upwards, `down` downwards, `noise` draws evenly; 16 symbols of one byte each."""
    up = 3 + np.arange(num) % 16
    noise = 3 + np.random.default_rng(0).integers(0, 16, num)
    ids = [part.astype(np.int32) for part in (up[::-1].copy(), noise, up)]
    return ProxyData(("down", "noise", "up"), tuple(ids), tuple(part[:256] for part in ids), np.array([0, 0, 0] + [1] * 16))


def test_a_domain_is_predicted_best_by_what_reads_it() -> None:
    data = texts()
    down, up = (train_proxy(mix, data, TINY) for mix in ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
    assert down[0] < 0.5 * up[0]
    assert up[2] < 0.5 * down[2]
    assert down[1] > math.log2(16)  # nothing predicts noise better than evenly


def test_a_training_is_the_same_each_time_and_leaves_torch_as_it_was() -> None:
    data, mix = texts(), (0.3, 0.3, 0.4)
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first = train_proxy(mix, data, TINY)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert train_proxy(mix, data, TINY) == first
    assert train_proxy(mix, data, replace(TINY, seed=2)) != first


def test_windows_of_a_domain_do_not_depend_on_the_others_and_are_read_over_only_when_all_were_read() -> None:
    data = texts()
    alone = ProxyData(("up",), data.train[2:], data.held_out[2:], data.token_bytes)
    assert torch.equal(_windows(data, 2, 10, TINY), _windows(alone, 0, 10, TINY))
    numbered = ProxyData(("a",), (np.repeat(np.arange(5), 16).astype(np.int32),), (), data.token_bytes)
    read = _windows(numbered, 0, 12, TINY)[:, 0].tolist()
    assert sorted(read[:5]) == sorted(read[5:10]) == [0, 1, 2, 3, 4]
    assert read[:5] != read[5:10]


def test_no_domain_is_read_more_than_four_times() -> None:
    data = texts(320)  # 20 windows of each; 256 in a training
    assert data.max_shares(TINY) == pytest.approx([MAX_EPOCHS * 20 / 256] * 3)
    with pytest.raises(AssertionError, match="windows of 'up', which has 2"):
        train_proxy((0.0, 0.0, 1.0), texts(32), TINY)


def test_windows_are_given_out_by_the_largest_remainders() -> None:
    assert allocate(np.array([0.5, 0.3, 0.2]), 7) == [4, 2, 1]  # 3.5, 2.1, 1.4
    assert allocate(np.array([1.0, 1.0, 1.0]), 4) == [2, 1, 1]
    assert allocate(np.array([0.0, 1.0]), 5) == [0, 5]


def test_special_ids_are_not_measured() -> None:
    data = texts()
    with_ends = tuple(np.where(np.arange(256) % 8 == 0, 2, ids[:256]).astype(np.int32) for ids in data.train)
    found = train_proxy((0.0, 1.0, 0.0), data._replace(held_out=with_ends), TINY)
    assert found[1] == pytest.approx(math.log2(16), rel=0.1)  # an end would cost far more: it never stood in the training text


def test_a_budget_below_one_batch_is_refused() -> None:
    with pytest.raises(ConfigError, match="a budget of 63 tokens is less than one batch of 4 x 16 tokens"):
        train_proxy((1.0, 0.0, 0.0), texts(), replace(TINY, tokens=63))


def test_doremi_weighs_what_the_reference_knows_better() -> None:
    weights = train_doremi(texts(8192), (0.45, 0.1, 0.45), TINY)
    assert sum(weights) == pytest.approx(1)
    assert min(weights) > 0
    assert weights == train_doremi(texts(8192), (0.45, 0.1, 0.45), TINY)


def test_the_rate_of_doremi_falls_over_the_steps_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    from model import proxy

    rates: list[float] = []
    step = proxy._step

    def recorded(loss: torch.Tensor, model: Any, optimizer: torch.optim.Optimizer, scheduler: Any) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        step(loss, model, optimizer, scheduler)

    monkeypatch.setattr(proxy, "_step", recorded)
    train_doremi(texts(8192), (0.45, 0.1, 0.45), TINY)
    reference, own = rates[: TINY.steps], rates[TINY.steps :]
    assert (len(reference), len(own)) == (64, 42)  # 256 windows: steps of 4, and of twice 3 domains
    for one in (reference, own):
        assert max(one) == pytest.approx(TINY.learning_rate)
        assert 0.1 * TINY.learning_rate <= one[-1] < 0.11 * TINY.learning_rate

"""Chunked head and loss equal plain autograd over the full logits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from model.loss import head_loss


def plain(hidden: Tensor, weight: Tensor, targets: Tensor, z: float) -> Tensor:
    logits = hidden @ weight.T
    return F.cross_entropy(logits, targets) + z * logits.max(-1).values.square().mean()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(1, 31), st.sampled_from([0.0, 1e-3, 0.5]), st.integers(0, 99), st.booleans())
def test_any_chunk_gives_the_loss_and_gradients_of_the_whole(tokens: int, chunk: int, z: float, seed: int, some_ignored: bool) -> None:
    torch.manual_seed(seed)
    hidden, weight = torch.randn(tokens, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    targets = torch.randint(0, 50, (tokens,))
    if some_ignored:
        targets[1::2] = -100
    loss, cross_entropy = head_loss(hidden, weight, targets, z, chunk)
    expected = plain(hidden, weight, targets, z)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-6)
    torch.testing.assert_close(cross_entropy, plain(hidden, weight, targets, 0.0).detach(), atol=1e-5, rtol=1e-6)
    for ours, theirs in zip(
        torch.autograd.grad(3 * loss, (hidden, weight)), torch.autograd.grad(3 * expected, (hidden, weight)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-5)


def test_improbable_targets_have_finite_loss_and_gradient() -> None:
    hidden = torch.tensor([[200.0, 0.0]], requires_grad=True)
    weight = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    loss, _ = head_loss(hidden, weight, torch.tensor([1]))
    assert loss.item() == 400.0
    assert torch.autograd.grad(loss, hidden)[0].tolist() == [[2.0, 0.0]]


def test_a_batch_without_targets_costs_nothing() -> None:
    hidden, weight = torch.randn(4, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    loss, _ = head_loss(hidden, weight, torch.full((4,), -100))
    assert loss.item() == 0
    assert all((g == 0).all() for g in torch.autograd.grad(loss, (hidden, weight)))


def test_only_what_learns_gets_a_gradient() -> None:
    hidden, weight = torch.randn(4, 8), torch.randn(50, 8, requires_grad=True)
    loss, _ = head_loss(hidden, weight, torch.tensor([1, 2, 3, 4]))
    loss.backward()
    assert hidden.grad is None
    assert weight.grad is not None
    with torch.no_grad():
        assert not head_loss(hidden, weight, torch.tensor([1, 2, 3, 4]))[0].requires_grad


@pytest.mark.parametrize("chunk", [5, 64])
def test_under_autocast_products_are_bf16_and_sums_fp32(chunk: int) -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(64, 32, requires_grad=True), torch.randn(500, 32, requires_grad=True)
    targets = torch.randint(0, 500, (64,))
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = head_loss(hidden, weight, targets, 1e-3, chunk)
    assert loss.dtype == torch.float32
    expected = plain(hidden, weight, targets, 1e-3)
    assert abs(loss.item() - expected.item()) < 0.01 * expected.item()
    for ours, theirs in zip(torch.autograd.grad(loss, (hidden, weight)), torch.autograd.grad(expected, (hidden, weight)), strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() < 0.02 * theirs.norm()

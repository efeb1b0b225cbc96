"""Head and cross-entropy in chunks of tokens: the loss of the full logits, which are never in memory.

N tokens, C tokens of a chunk, D width, V vocabulary.

Logits of 4,096 tokens over 125,696 pieces take 2 GB in fp32, as much again for their gradient. Here a chunk of logits becomes its loss
and its gradients in the forward pass and is forgotten: the same three matrix products as plain autograd, no recomputation, memory for one
chunk. Softmax and sums are fp32; products run in the type of autocast, if it is on, and the weight's gradient is summed in fp32.

Loss = mean over targets of cross-entropy + z_loss_weight · mean over all positions of max(logit)^2, as in the official code. Without a
single target the first mean is 0 (PyTorch's is NaN, and one batch of padding would destroy a run).
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

IGNORED = -100
"""A label that is no target."""
CHUNK_NUMBERS = {"cpu": 1 << 21, "cuda": 1 << 26}
"""Logits of a chunk: what a CPU's cache likes, and what keeps a GPU busy (256 MB)."""
LEAST_TOKENS = 256
"""Of a chunk; each chunk reads the whole weight and its gradient, and below 256 tokens that costs a sixth (16,384 rows)."""


def head_loss(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    targets_N: Tensor,
    z_loss_weight: float = 0.0,
    chunk_tokens: int | None = None,
    whole: tuple[Tensor, int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Loss of hidden states against the ids that they should predict, and its cross-entropy part without gradient; fp32 scalars.

    `whole`: these tokens are a part of a batch with so many targets (a number on the device) and positions; its parts' losses, and their
    gradients, add up to those of the batch.
    """
    if chunk_tokens is None:
        chunk_tokens = max(LEAST_TOKENS, CHUNK_NUMBERS.get(hidden_ND.device.type, 1 << 26) // len(weight_VD))
    kind = hidden_ND.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden_ND.dtype
    learns = torch.is_grad_enabled()
    num_targets, num_positions = whole or ((targets_N != IGNORED).sum(), len(targets_N))
    z_share = z_loss_weight / max(num_positions, 1)
    both = _HeadLoss.apply(hidden_ND, weight_VD, targets_N, num_targets, z_share, chunk_tokens, dtype, learns)  # type: ignore[no-untyped-call]
    return cast(tuple[Tensor, Tensor], both)


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        weight_VD: Tensor,
        targets_N: Tensor,
        num_targets: Tensor,
        z_share: float,
        chunk_tokens: int,
        dtype: torch.dtype,
        learns: bool,
    ) -> tuple[Tensor, Tensor]:
        learns_hidden, learns_weight = learns and ctx.needs_input_grad[0], learns and ctx.needs_input_grad[1]
        hidden, weight = hidden_ND.to(dtype), weight_VD.to(dtype)
        share_N = (targets_N != IGNORED) / num_targets.clamp(min=1)
        cross_entropy = torch.zeros((), dtype=torch.float32, device=hidden.device)
        z_loss = torch.zeros_like(cross_entropy)
        hidden_grad = torch.empty_like(hidden) if learns_hidden else None
        weight_grad = torch.zeros_like(weight, dtype=torch.float32) if learns_weight else None
        with torch.autocast(hidden.device.type, enabled=False):
            for begin in range(0, len(hidden), chunk_tokens):
                part = slice(begin, begin + chunk_tokens)
                logits_CV = (hidden[part] @ weight.T).float()
                target_C1, share_C1 = targets_N[part, None].clamp(min=0), share_N[part, None]
                highest_C1, place_C1 = logits_CV.max(-1, keepdim=True)
                target_logit_C1 = logits_CV.gather(-1, target_C1)
                grad_CV = logits_CV.softmax(-1)
                # The highest probability is at least 1/V, so its logarithm is exact where another's would not be
                log_sum_C1 = highest_C1 - grad_CV.gather(-1, place_C1).log()
                cross_entropy += ((log_sum_C1 - target_logit_C1) * share_C1).sum()
                z_loss += highest_C1.square().sum() * z_share
                if hidden_grad is None and weight_grad is None:
                    continue
                grad_CV.mul_(share_C1).scatter_add_(-1, target_C1, -share_C1)
                if z_share:
                    grad_CV.scatter_add_(-1, place_C1, 2 * z_share * highest_C1)
                grad_CV = grad_CV.to(dtype)
                if hidden_grad is not None:
                    torch.mm(grad_CV, weight, out=hidden_grad[part])
                if weight_grad is not None:
                    if dtype == torch.float32:
                        weight_grad.addmm_(grad_CV.T, hidden[part])
                    else:
                        weight_grad += grad_CV.T @ hidden[part]
        ctx.save_for_backward(hidden_grad, weight_grad)
        ctx.dtypes = hidden_ND.dtype, weight_VD.dtype
        ctx.mark_non_differentiable(cross_entropy)
        return cross_entropy + z_loss, cross_entropy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, loss_grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        hidden_dtype, weight_dtype = ctx.dtypes
        hidden_grad, weight_grad = ctx.saved_tensors
        hidden = None if hidden_grad is None else (hidden_grad * loss_grad).to(hidden_dtype)
        weight = None if weight_grad is None else (weight_grad * loss_grad).to(weight_dtype)
        return hidden, weight, None, None, None, None, None, None

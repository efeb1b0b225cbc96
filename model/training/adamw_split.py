"""AdamW with fp32 weights of which the model holds one half: 14 bytes a parameter where fp32 weights beside bf16 ones take 18.

A weight's fp32 bits are its bf16 rounding, which the model computes with, and the signed 16 bits that are missing, kept beside the moments.
The update joins them, computes as fp32 AdamW does, and splits again: no bit is lost, no copy is cast in each pass. Only gradients are
bf16, which is what products in bf16 make them anyway; adding up many parts in bf16 rounds each sum (2^-9 relative).
"""

from typing import Any

import torch
from torch import Tensor

from model.training.tensorwise import TensorwiseAdamW

STATE = {"exp_avg": torch.float32, "exp_avg_sq": torch.float32, "rest": torch.int16}
"""What is kept beside a weight."""


class AdamWSplit(TensorwiseAdamW):
    """Over bf16 weights."""

    def __init__(self, groups: Any, **shared: Any) -> None:
        super().__init__(groups, **shared, kept=tuple(STATE), update=_update)


def _update(
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    square: Tensor,
    rest: Tensor,
    step: Tensor,
    rate: Tensor,
    beta1: float,
    beta2: float,
    eps: float,
    decay: float,
) -> None:
    grad = grad.float()
    mean.lerp_(grad, 1 - beta1)
    square.lerp_(grad * grad, 1 - beta2)
    root = (square / (1 - beta2**step)).sqrt() + eps
    upper, lower = split(joined(weight, rest) * (1 - rate * decay) - rate / (1 - beta1**step) * mean / root)
    weight.copy_(upper)
    rest.copy_(lower)


def split(x: Tensor) -> tuple[Tensor, Tensor]:
    """fp32 to its rounding in bf16, halves away from zero, and the int16 that `joined` needs to give it back."""
    bits = x.contiguous().view(torch.int32)
    upper = (bits + 0x8000) >> 16
    return upper.to(torch.int16).view(torch.bfloat16), (bits - (upper << 16)).to(torch.int16)


def joined(upper: Tensor, lower: Tensor) -> Tensor:
    """What `split` took apart, bit for bit."""
    return ((upper.view(torch.int16).to(torch.int32) << 16) + lower.to(torch.int32)).view(torch.float32)

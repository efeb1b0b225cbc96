"""AdamW, fused where torch has it, and AdamW in bf16 for models whose fp32 state does not fit.

7.0 billion parameters take 112 GB with fp32 weights, gradients and two moments, and 56 GB in bf16. Rounding to the nearest would lose
updates smaller than 1/256 of a weight, which most are; rounding stochastically keeps them on average (arXiv 2010.06192).
"""

from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from model.baichuan import Baichuan
from model.training.adamw_split import STATE, AdamWSplit
from model.training.settings import OptimizerSettings
from model.training.tensorwise import TensorwiseAdamW

MOMENTS = ("exp_avg", "exp_avg_sq")


def make_optimizer(model: Baichuan, settings: OptimizerSettings, compiled: bool) -> Optimizer:
    """The optimizer, with its state laid out, so that it can be saved and restored before the first step."""
    groups = model.parameter_groups(settings.weight_decay)
    shared: dict[str, Any] = {"lr": settings.learning_rate, "betas": (settings.beta1, settings.beta2), "eps": settings.eps}
    optimizer: Optimizer
    kept: dict[str, torch.dtype | None] = dict.fromkeys(MOMENTS)
    if settings.kind == "adamw":
        optimizer = AdamW(groups, **shared, fused=True)
    elif settings.kind == "adamw_split":
        optimizer, kept = AdamWSplit(groups, **shared, compiled=compiled), {**STATE}
    else:
        optimizer = AdamWBf16(groups, **shared, compiled=compiled)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            step = torch.zeros((), dtype=torch.float32, device=parameter.device)
            optimizer.state[parameter] = {"step": step} | {name: torch.zeros_like(parameter, dtype=dtype) for name, dtype in kept.items()}
    return optimizer


class AdamWBf16(TensorwiseAdamW):
    """Over bf16 weights and moments: computed in fp32, weights and second moments rounded stochastically."""

    def __init__(self, groups: Any, **shared: Any) -> None:
        super().__init__(groups, **shared, kept=MOMENTS, update=_update)


def _update(
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    square: Tensor,
    step: Tensor,
    rate: Tensor,
    beta1: float,
    beta2: float,
    eps: float,
    decay: float,
) -> None:
    grad = grad.float()
    new_mean = torch.lerp(mean.float(), grad, 1 - beta1)
    new_square = torch.lerp(square.float(), grad * grad, 1 - beta2)
    root = (new_square / (1 - beta2**step)).sqrt() + eps
    new_weight = weight.float() * (1 - rate * decay) - rate / (1 - beta1**step) * new_mean / root
    mean.copy_(new_mean)
    square.copy_(rounded_stochastically(new_square))
    weight.copy_(rounded_stochastically(new_weight))


def rounded_stochastically(x: Tensor) -> Tensor:
    """fp32 to one of its two neighbours in bf16, each with the probability that makes the expectation exact."""
    noise = torch.randint(0, 1 << 16, x.shape, dtype=torch.int32, device=x.device)
    return ((x.contiguous().view(torch.int32) + noise) & -65536).view(torch.float32).bfloat16()

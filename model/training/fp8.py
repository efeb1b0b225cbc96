"""Matrix products of the layers in fp8, labelled as such: e4m3 forward, e5m2 for gradients, one scale a tensor, found at each step.

Hopper multiplies fp8 at twice the speed of bf16. A loss curve made so is not comparable with one in bf16 to the last digit, and a figure
of speed not at all: nothing turns this on by itself. The head stays in bf16, where rounding costs most (arXiv 2209.05433, 2310.18313).
Needs compute capability 8.9 and `torch._scaled_mm`.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from configs.errors import ConfigError
from model.baichuan import Baichuan

FORWARD, BACKWARD = torch.float8_e4m3fn, torch.float8_e5m2


def check_fp8(device: torch.device) -> None:
    """Raises `ConfigError` where the products are not to be had."""
    if device.type != "cuda":
        raise ConfigError("step.precision: fp8 needs a GPU of compute capability 8.9 or more, and this is a CPU; take bf16")
    capability = torch.cuda.get_device_capability(device)
    if capability < (8, 9):
        raise ConfigError(f"step.precision: fp8 needs compute capability 8.9 or more, and this GPU has {capability}; take bf16")


def use_fp8(model: Baichuan) -> None:
    """Let all matrices of the layers multiply in fp8; names, shapes and weights stay. Sizes must be multiples of 16."""
    for name, module in model.model.layers.named_modules():
        if isinstance(module, nn.Linear):
            if module.in_features % 16 or module.out_features % 16:
                size = f"{module.out_features} x {module.in_features}"
                raise ConfigError(f"step.precision: fp8 multiplies in tiles of 16, and layers.{name} is {size}; take bf16")
            module.forward = _Fp8Product(module)  # type: ignore[method-assign, assignment]


class _Fp8Product:
    def __init__(self, linear: nn.Linear) -> None:
        self._linear = linear

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = _Product.apply(x.flatten(0, -2), self._linear.weight)  # type: ignore[no-untyped-call]
        return out.view(*x.shape[:-1], -1)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, weight_ED: Tensor) -> Tensor:
        ctx.save_for_backward(x_ND, weight_ED)
        return product(scaled(x_ND, FORWARD), scaled(weight_ED, FORWARD))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_NE: Tensor) -> tuple[Tensor, Tensor]:
        x_ND, weight_ED = ctx.saved_tensors
        x_grad = product(scaled(grad_NE, BACKWARD), scaled(weight_ED.T, FORWARD))
        weight_grad = product(scaled(grad_NE.T, BACKWARD), scaled(x_ND.T, FORWARD))
        return x_grad.to(x_ND.dtype), weight_grad.to(weight_ED.dtype)


def scaled(x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A tensor in fp8, row-major, and the number that it has to be multiplied by."""
    largest = x.abs().amax().float().clamp(min=1e-12)
    limit = torch.finfo(dtype).max
    return (x.float() * (limit / largest)).clamp(-limit, limit).to(dtype).contiguous(), largest / limit


def product(a_NK: tuple[Tensor, Tensor], b_MK: tuple[Tensor, Tensor]) -> Tensor:
    """The product a · bᵀ in bf16, of two tensors with their scales; sums are fp32."""
    return torch._scaled_mm(a_NK[0], b_MK[0].t(), scale_a=a_NK[1], scale_b=b_MK[1], out_dtype=torch.bfloat16)

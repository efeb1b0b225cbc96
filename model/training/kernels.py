"""Which attention kernel runs, and what a layer keeps for its backward pass.

On Hopper cuDNN's attention is the fastest, flash follows; both refuse some shapes, where the next takes over. On a CPU torch has one
fast kernel and needs no order. FlexAttention (ALiBi, packed documents) is chosen in `model.attention`.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

_KERNELS = {
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}


def attention_kernels(name: str, device: torch.device) -> AbstractContextManager[Any]:
    """Within it, causal attention takes the kernel of this name and no other, or with `auto` the first that runs."""
    if device.type != "cuda":
        return nullcontext()
    if name == "auto":
        return sdpa_kernel(list(_KERNELS.values()), set_priority=True)
    return sdpa_kernel([_KERNELS[name]])


def keep_products() -> Any:
    """For `Baichuan.checkpoint_layers`: matrix products and attention are kept, what lies between is computed again."""
    return create_selective_checkpoint_contexts(_policy)  # type: ignore[no-untyped-call]


def _policy(_context: Any, operation: Any, *_args: Any, **_kwargs: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if operation in _KEPT else CheckpointPolicy.PREFER_RECOMPUTE


_aten = torch.ops.aten
_KEPT = {
    _aten.mm.default,
    _aten._scaled_mm.default,
    _aten._scaled_dot_product_flash_attention.default,
    _aten._scaled_dot_product_flash_attention_for_cpu.default,
    _aten._scaled_dot_product_efficient_attention.default,
    _aten._scaled_dot_product_cudnn_attention.default,
    torch.ops.higher_order.flex_attention,
}

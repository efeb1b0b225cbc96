"""Each fast path of training beside a plain one, on this machine's device. Each check gives its worst error and the bound that it keeps.

Kernels are held to the error of the plain kernel in the same number type: both are compared with fp32, and the fast one may be at most
twice as far off, since their sums run in another order. Whole steps are compared by the losses of a few updates.
"""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from model.attention import dense_attend, flex_attend
from model.config import BaichuanConfig
from model.loss import head_loss
from model.positions import alibi_slopes
from model.presets import preset
from model.train import Batch, OptimizerSettings, StepSettings, build
from model.training.kernels import attention_kernels

Check = Callable[[torch.device], dict[str, Any]]
CHECKS: dict[str, Check] = {}
"""By name, in the order in which they run."""
HEADS, WIDTH = 4, 128
STEPS = 6


def check(function: Check) -> Check:
    """Enter a check under its own name."""
    CHECKS[function.__name__] = function
    return function


def skipped(why: str) -> dict[str, Any]:
    """A check that this device cannot run."""
    return {"passed": None, "skipped": why}


def found(worst: float, bound: float, what: str) -> dict[str, Any]:
    """A result; not a number is a failure."""
    return {"passed": bool(worst <= bound), "worst": worst, "bound": bound, "what": what}


def _qkv(device: torch.device, length: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, HEADS, length, WIDTH, generator=generator).to(device, dtype).requires_grad_() for _ in range(3)]


def _run(attend: Any, qkv: list[Tensor]) -> list[Tensor]:
    """Output and gradients, in fp32."""
    out = attend(*qkv)
    weights = torch.linspace(-1, 1, out.numel(), device=out.device).view_as(out)
    return [x.detach().float() for x in (out, *torch.autograd.grad((out.float() * weights).sum(), qkv))]


def _distance(a: list[Tensor], b: list[Tensor]) -> float:
    """The largest relative error of output and gradients, by norm."""
    return max(((x - y).norm() / y.norm()).item() for x, y in zip(a, b, strict=True))


def _sdpa(name: str, device: torch.device) -> dict[str, Any]:
    if device.type != "cuda":
        return skipped("SDPA's kernels are CUDA's")

    def causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    exact = [x.detach().float().requires_grad_() for x in _qkv(device, 1024, torch.bfloat16)]
    with attention_kernels("math", device):
        truth = _run(causal, exact)
        plain = _distance(_run(causal, _qkv(device, 1024, torch.bfloat16)), truth)
    with attention_kernels(name, device):
        fast = _distance(_run(causal, _qkv(device, 1024, torch.bfloat16)), truth)
    return found(fast, max(2 * plain, 0.01), f"bf16 against fp32, relative; the plain kernel is off by {plain:.5f}")


@check
def sdpa_cudnn(device: torch.device) -> dict[str, Any]:
    """Causal attention of cuDNN."""
    return _sdpa("cudnn", device)


@check
def sdpa_flash(device: torch.device) -> dict[str, Any]:
    """Flash attention."""
    return _sdpa("flash", device)


def _flex(device: torch.device, with_alibi: bool, with_documents: bool) -> dict[str, Any]:
    length = 300
    slopes = torch.tensor(alibi_slopes(HEADS), device=device) if with_alibi else None
    position = torch.arange(length, device=device)
    documents = torch.stack(((position // 97 + 1) * (position < 280), (position > 20) * 5)) if with_documents else None
    dense = dense_attend(length, length, slopes, documents, device)
    if device.type != "cuda":
        # Not compiled FlexAttention has no gradients on a CPU, and says that it is slow
        with torch.no_grad():
            qkv = [x.detach() for x in _qkv(device, length, torch.float32)]
            flex = flex_attend(length, length, slopes, documents, device, compiled=False)
            return found(_distance([flex(*qkv)], [dense(*qkv)]), 1e-5, "fp32, its rules in torch's dense reference; output only")
    flex = flex_attend(length, length, slopes, documents, device, compiled=True)
    truth = _run(dense, [x.detach().float().requires_grad_() for x in _qkv(device, length, torch.bfloat16)])
    own = _run(lambda q, k, v: dense(q.float(), k.float(), v.float()).to(q.dtype), _qkv(device, length, torch.bfloat16))
    fast = _run(flex, _qkv(device, length, torch.bfloat16))
    plain = _distance(own, truth)
    return found(_distance(fast, truth), max(4 * plain, 0.01), f"bf16 against dense fp32, relative; rounding alone {plain:.5f}")


@check
def flex_documents(device: torch.device) -> dict[str, Any]:
    """FlexAttention over packed documents."""
    return _flex(device, with_alibi=False, with_documents=True)


@check
def flex_alibi(device: torch.device) -> dict[str, Any]:
    """FlexAttention with ALiBi."""
    return _flex(device, with_alibi=True, with_documents=False)


@check
def flex_alibi_documents(device: torch.device) -> dict[str, Any]:
    """Both."""
    return _flex(device, with_alibi=True, with_documents=True)


@check
def chunked_loss(device: torch.device) -> dict[str, Any]:
    """Head and loss in chunks against the full logits in autograd, fp32."""
    torch.manual_seed(0)
    hidden, weight = torch.randn(700, 256, device=device, requires_grad=True), torch.randn(3000, 256, device=device, requires_grad=True)
    targets = torch.randint(0, 3000, (700,), device=device)
    results = []
    for chunk in (256, None):
        if chunk:
            loss, _ = head_loss(hidden, weight, targets, 1e-3, chunk)
        else:
            logits = hidden @ weight.T
            loss = F.cross_entropy(logits, targets) + 1e-3 * logits.max(-1).values.square().mean()
        results.append([x.detach() for x in (loss, *torch.autograd.grad(loss, (hidden, weight)))])
    return found(_distance(*results), 1e-4, "fp32, relative: loss and gradients")


def tiny_shape(device: torch.device) -> BaichuanConfig:
    """A model whose steps take milliseconds; on a GPU with heads as wide as Baichuan's."""
    if device.type == "cuda":
        return preset("nano", hidden_size=512, intermediate_size=1376, num_attention_heads=4, num_hidden_layers=4)
    return preset("nano", vocab_size=320, num_hidden_layers=2)


def _losses(device: torch.device, position: Any = "rope", documents: bool = False, **settings: Any) -> list[float]:
    """Of a few updates on one batch."""
    shape = dataclasses.replace(tiny_shape(device), position=position)
    trainer = build(shape, StepSettings(**{"compile": False, "micro_batch": 2} | settings))
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, shape.vocab_size, (4, 256 if device.type == "cuda" else 48), generator=generator)
    segments = (torch.arange(ids.shape[1]) // 37 + 1).expand(len(ids), -1).to(torch.int32).contiguous() if documents else None
    return [trainer.step(Batch(ids, ids, segments), 1e-3).loss for _ in range(STEPS)]


def _worst(a: list[float], b: list[float]) -> float:
    """Of the first loss: later ones are small, and small differences of weights are large beside them."""
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) / b[0]


def _beside(device: torch.device, bound: float, what: str, plain: dict[str, Any], **fast: Any) -> dict[str, Any]:
    ours, theirs = _losses(device, **fast), _losses(device, **plain)
    if not ours[-1] < ours[0]:
        return {"passed": False, "worst": ours[-1] - ours[0], "bound": 0.0, "what": "the loss of a repeated batch must fall"}
    return found(_worst(ours, theirs), bound, f"{what}; losses {ours[0]:.4f} -> {ours[-1]:.4f}, plain {theirs[-1]:.4f}")


@check
def compile_layer(device: torch.device) -> dict[str, Any]:
    """Layers compiled one by one against none compiled."""
    if device.type != "cuda" and not os.environ.get("BENCH_GPU_COMPILE_ON_CPU"):
        return skipped("compiling on a CPU takes minutes; set BENCH_GPU_COMPILE_ON_CPU=1")
    return _beside(device, 0.01, "bf16 losses of six updates, of the first", {}, compile=True, compile_scope="layer")


@check
def compile_model(device: torch.device) -> dict[str, Any]:
    """The whole step in one graph against none compiled."""
    if device.type != "cuda" and not os.environ.get("BENCH_GPU_COMPILE_ON_CPU"):
        return skipped("compiling on a CPU takes minutes; set BENCH_GPU_COMPILE_ON_CPU=1")
    return _beside(device, 0.01, "bf16 losses of six updates, of the first", {}, compile=True, compile_scope="model")


def _documents(device: torch.device, position: str) -> dict[str, Any]:
    if device.type != "cuda" and not os.environ.get("BENCH_GPU_COMPILE_ON_CPU"):
        return skipped("compiling on a CPU takes minutes; set BENCH_GPU_COMPILE_ON_CPU=1")
    packed = {"position": position, "documents": True}
    return _beside(device, 0.01, "bf16 losses of six updates, of the first", packed, **packed, compile=True, compile_scope="layer")


@check
def step_documents(device: torch.device) -> dict[str, Any]:
    """Compiled layers over packed documents against layers that are not compiled; the kernel alone is checked above."""
    return _documents(device, "rope")


@check
def step_alibi_documents(device: torch.device) -> dict[str, Any]:
    """The same with ALiBi."""
    return _documents(device, "alibi")


@check
def activations_recompute(device: torch.device) -> dict[str, Any]:
    """Layers computed again against layers kept."""
    return _beside(device, 0.005, "bf16 losses of six updates, of the first", {}, activations="recompute")


@check
def activations_selective(device: torch.device) -> dict[str, Any]:
    """All but matrix products computed again against layers kept."""
    return _beside(device, 0.005, "bf16 losses of six updates, of the first", {}, activations="selective")


@check
def optimizer_adamw(device: torch.device) -> dict[str, Any]:
    """Fused AdamW against torch's loop over tensors, the same gradients."""
    torch.manual_seed(0)
    start = [torch.randn(64, 48, device=device), torch.randn(300, device=device)]
    results = []
    for options in ({"fused": True}, {"foreach": False}):
        weights = [x.clone().requires_grad_() for x in start]
        optimizer = torch.optim.AdamW(weights, lr=1e-2, betas=(0.9, 0.95), weight_decay=0.1, **options)
        generator = torch.Generator().manual_seed(2)
        for _ in range(10):
            for weight in weights:
                weight.grad = torch.randn(weight.shape, generator=generator).to(device)
            optimizer.step()
        results.append([x.detach() for x in weights])
    return found(_distance(*results), 1e-5, "fp32 weights after ten updates, relative")


@check
def optimizer_adamw_split(device: torch.device) -> dict[str, Any]:
    """Weights in two halves, fp32 moments, bf16 gradients against plain AdamW: a whole step."""
    return _beside(
        device, 0.02, "losses of six updates against fp32 AdamW, of the first", {}, optimizer=OptimizerSettings(kind="adamw_split")
    )


@check
def optimizer_adamw_bf16(device: torch.device) -> dict[str, Any]:
    """Weights and moments in bf16, rounded stochastically, against plain AdamW: a whole step."""
    return _beside(
        device, 0.03, "losses of six updates against fp32 AdamW, of the first", {}, optimizer=OptimizerSettings(kind="adamw_bf16")
    )


@check
def fp8(device: torch.device) -> dict[str, Any]:
    """Products of the layers in fp8 against bf16."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 9):
        return skipped("needs a GPU of compute capability 8.9")
    return _beside(
        device, 0.05, "losses of six updates against bf16, of the first", {}, precision="fp8", compile=True, compile_scope="layer"
    )

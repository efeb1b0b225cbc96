"""What only a GPU can show: the compiled FlexAttention against the CPU's dense masks, and each fast path that `make bench-gpu` checks."""

from typing import Any

import pytest
import torch

from benchmarks.gpu_parity import CHECKS
from model import BaichuanConfig
from model.attention import dense_attend, flex_attend
from model.positions import alibi_slopes
from tests.model.reference import SMALL, gradients, lively

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: the compiled FlexAttention cannot run")
SHAPE = {"hidden_size": 192, "num_attention_heads": 3, "max_length": 300}


def packed(length: int) -> torch.Tensor:
    position = torch.arange(length)
    return torch.stack(((position // 97 + 1) * (position < 280), (position > 20) * 5))


@pytest.mark.parametrize("with_segments", [False, True])
@pytest.mark.parametrize("with_slopes", [False, True])
@pytest.mark.parametrize("num_queries", [300, 130])
def test_compiled_flex_equals_the_dense_mask(with_slopes: bool, with_segments: bool, num_queries: int) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, n, 64) for n in (num_queries, 300, 300))
    slopes, segments = torch.tensor(alibi_slopes(3)), packed(300)
    results = []
    for device in (torch.device("cpu"), torch.device("cuda")):
        own = slopes.to(device) if with_slopes else None, segments.to(device) if with_segments else None
        attend = (
            dense_attend(num_queries, 300, *own, device)
            if device.type == "cpu"
            else flex_attend(num_queries, 300, *own, device, compiled=True)
        )
        qkv = [x.to(device).requires_grad_() for x in (q, k, v)]
        out = attend(*qkv)
        results.append([x.cpu() for x in (out, *torch.autograd.grad(out.square().sum(), qkv))])
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=5e-5, rtol=1e-5)


@pytest.mark.parametrize("position", ["rope", "alibi"])
@pytest.mark.parametrize("with_segments", [False, True])
def test_the_model_on_a_gpu_equals_the_model_on_a_cpu(position: Any, with_segments: bool) -> None:
    model = lively(BaichuanConfig(**SMALL | SHAPE, position=position, norm_head=True, z_loss_weight=1e-2))
    ids = torch.randint(3, 97, (2, 300))
    mask = packed(300) if with_segments else None
    labels = ids if mask is None else ids.masked_fill(mask == 0, -100)
    output = model(ids, attention_mask=mask, labels=labels)
    expected = [output.logits, output.loss, *gradients(model, output.loss).values()]
    model.cuda()
    output = model(ids.cuda(), attention_mask=None if mask is None else mask.cuda(), labels=labels.cuda())
    found = [output.logits, output.loss, *gradients(model, output.loss).values()]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, atol=5e-5, rtol=0)


@pytest.mark.filterwarnings("ignore")  # torch's own, of its compiler
@pytest.mark.parametrize("name", CHECKS)
def test_fast_paths_give_what_plain_ones_give(name: str) -> None:
    result = CHECKS[name](torch.device("cuda"))
    if result["passed"] is None:
        pytest.skip(result["skipped"])
    assert result["passed"], result

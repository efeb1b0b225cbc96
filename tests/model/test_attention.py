"""The kernels agree: dense at once, in chunks of queries, and FlexAttention's rules in torch's own dense reference."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

from model.attention import attention, dense_attend, flex_attend
from model.positions import alibi_slopes, rope_tables, rotate

CPU = torch.device("cpu")
SEGMENTS = torch.tensor([[0, 0, 1, 1, 1, 2, 2, 2, 2, 2], [1, 1, 1, 1, 3, 3, 0, 3, 3, 0]])


def inputs(num_queries: int = 10) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    q, k, v = torch.randn(2, 3, num_queries, 16), torch.randn(2, 3, 10, 16), torch.randn(2, 3, 10, 16)
    return q.requires_grad_(), k.requires_grad_(), v.requires_grad_()


def results(attend: Any, num_queries: int = 10) -> list[Tensor]:
    """Output and gradients."""
    qkv = inputs(num_queries)
    out = attend(*qkv)
    return [out, *torch.autograd.grad((out * torch.linspace(0, 1, out.numel()).view_as(out)).sum(), qkv)]


@pytest.mark.parametrize("segments", [None, SEGMENTS])
@pytest.mark.parametrize("slopes", [None, torch.tensor(alibi_slopes(3))])
@pytest.mark.parametrize("num_queries", [10, 4, 1])
def test_chunks_and_flex_equal_the_dense_whole(segments: Tensor | None, slopes: Tensor | None, num_queries: int) -> None:
    whole = results(dense_attend(num_queries, 10, slopes, segments, CPU), num_queries)
    chunks = results(dense_attend(num_queries, 10, slopes, segments, CPU, limit=70), num_queries)
    for a, b in zip(chunks, whole, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that uncompiled FlexAttention is slow
        qkv = [x.detach() for x in inputs(num_queries)]  # no gradients on a CPU
        flex = flex_attend(num_queries, 10, slopes, segments, CPU, compiled=False)(*qkv)
    torch.testing.assert_close(flex, whole[0], atol=1e-6, rtol=0)


def test_padding_sees_nothing_and_is_seen_by_nobody() -> None:
    v = inputs()[2]
    out, _, _, v_grad = results(attention(10, 10, None, SEGMENTS, CPU))
    assert (out.transpose(1, 2)[SEGMENTS == 0] == 0).all()
    assert (v_grad.transpose(1, 2)[SEGMENTS == 0] == 0).all()
    assert (out.transpose(1, 2)[SEGMENTS != 0] != 0).all()
    first_of_segment = torch.tensor([[0, 2], [0, 5], [1, 0], [1, 4]])
    for row, position in first_of_segment:
        torch.testing.assert_close(out[row, :, position], v[row, :, position])


def test_slopes_of_twelve_heads_are_eight_then_four_of_sixteen_unsorted() -> None:
    assert alibi_slopes(12) == [2**-k for k in range(1, 9)] + [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5]


def test_rope_turns_the_first_pair_by_one_radian_a_position() -> None:
    x = torch.zeros(1, 3, 1, 8)
    x[..., 0] = 1
    out = rotate(x, rope_tables(torch.arange(3), 8))
    expected = torch.tensor([[1.0, 0.0], [0.54030231, 0.84147098], [-0.41614684, 0.90929743]])
    torch.testing.assert_close(out[0, :, 0, [0, 4]], expected)


def test_rope_in_bf16_keeps_neighbours_apart_beyond_256() -> None:
    x = torch.ones(1, 2, 1, 8, dtype=torch.bfloat16)
    out = rotate(x, rope_tables(torch.tensor([1000, 1001]), 8))
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(
        out[0, :, 0, 0].float(), torch.tensor([1000.0, 1001.0]).cos() - torch.tensor([1000.0, 1001.0]).sin(), atol=4e-3, rtol=0
    )

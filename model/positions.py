"""How attention knows distances: RoPE turns queries and keys, ALiBi lowers scores with distance. Both are computed, never stored.

B batch, N positions, S slots that share a turn (queries and keys of all heads), D width of a head, H heads.

RoPE (half-split, base 10,000): Baichuan-7B casts its tables to the type of the activations, Baichuan 2 turns in fp32. We always turn in
fp32, which is the same in fp32 and better in bf16, where neighbouring positions beyond 256 share a table row. Tables of 4,096 positions
take a millisecond, so there is no cache to outgrow and no buffer in a checkpoint: text beyond the trained window simply works.

ALiBi: the bias is relative, slope · (key - query) in fp32. As an absolute bias, slope · key, which softmax cannot tell apart, it is off
by up to 8 in bf16 at 4,096 keys.
"""

import math

import torch
from torch import Tensor

BASE = 10_000.0


def rope_tables(positions_N: Tensor, head_width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the angles position / base^(2d/D), fp32, each (N, 1, D/2)."""
    exponents = torch.arange(0, head_width, 2, dtype=torch.float32, device=positions_N.device) / head_width
    angles_ND = positions_N.float()[:, None] * (1.0 / BASE**exponents)
    return angles_ND.cos()[:, None], angles_ND.sin()[:, None]


def rotate(x_BNSD: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """Turn each pair (d, d + D/2) by its position's angle; computed in fp32, returned in the type of `x_BNSD`."""
    cos, sin = tables
    first, second = x_BNSD.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x_BNSD.dtype)


def alibi_slopes(num_heads: int) -> list[float]:
    """Slopes of the heads in their official order: for other counts than powers of two, those of the next power fill up, unsorted.

    >>> alibi_slopes(4)
    [0.25, 0.0625, 0.015625, 0.00390625]
    >>> alibi_slopes(6)
    [0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125]
    """
    whole = 2 ** int(math.log2(num_heads))
    slopes = [2.0 ** (-8 * (k + 1) / whole) for k in range(whole)]
    return slopes if whole == num_heads else slopes + alibi_slopes(2 * whole)[0::2][: num_heads - whole]

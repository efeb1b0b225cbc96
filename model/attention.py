"""Who attends to whom, and with which kernel: decided once for a forward pass, used by all layers.

B batch, H heads, N query positions, M key positions (the N queries are the last of them), D width of a head.

The rule is the same in all variants: a position sees itself and what is before it in its own segment. `segments_BM` are the integers of
an attention mask: equal ids belong together (packed documents), 0 is padding, which sees nothing and is seen by nobody; its attention is
zero. Without segments all is one.

| | no segments | segments |
|---|---|---|
| RoPE | SDPA, `is_causal` | CUDA: FlexAttention; else SDPA with a mask |
| ALiBi | CUDA: FlexAttention; else SDPA with a bias | the same |

FlexAttention adds slope · distance inside the kernel and skips blocks that no document crosses; a dense bias of a 13B model at 4,096
would hold 2.7 GB. On a CPU the mask or bias is dense and shared by all layers while it has at most 2^26 numbers (256 MB); beyond, queries
are taken in chunks whose bias is made again in the backward pass. One query (generation) is a row, and always SDPA.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as sdpa
from torch.utils.checkpoint import checkpoint

DENSE_LIMIT = 1 << 26
"""Numbers in a mask or bias that may be kept for all layers."""

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(queries, keys, values) of a layer, (B, H, N or M, D), to what they attend to, (B, H, N, D)."""


def attention(num_queries: int, num_keys: int, slopes: list[float] | None, segments_BM: Tensor | None, device: torch.device) -> Attend:
    """How all layers of one forward pass attend. `slopes`: ALiBi's, by head."""
    if segments_BM is not None and _is_one(segments_BM):
        segments_BM = None
    if slopes is None and segments_BM is None and num_queries in (1, num_keys):
        return partial(sdpa, is_causal=num_queries > 1)
    slopes_H = None if slopes is None else torch.tensor(slopes, dtype=torch.float32, device=device)
    if device.type == "cuda" and num_queries > 1:
        return flex_attend(num_queries, num_keys, slopes_H, segments_BM, device, compiled=True)
    return dense_attend(num_queries, num_keys, slopes_H, segments_BM, device)


def _is_one(segments_BM: Tensor) -> bool:
    """Whether each row is one segment without padding. Asked where the answer is at hand: it would stall a GPU and break a graph."""
    if segments_BM.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return bool(((segments_BM == segments_BM[:, :1]) & (segments_BM != 0)).all())


def dense_attend(
    num_queries: int, num_keys: int, slopes_H: Tensor | None, segments_BM: Tensor | None, device: torch.device, limit: int = DENSE_LIMIT
) -> Attend:
    """SDPA with a mask or bias: one for all layers up to `limit` numbers, else by chunks of queries."""
    offset = num_keys - num_queries
    numbers_per_query = num_keys * (1 if slopes_H is None else len(slopes_H)) * (1 if segments_BM is None else len(segments_BM))
    if num_queries * numbers_per_query <= limit:
        return partial(sdpa, attn_mask=_mask(offset, num_keys, slopes_H, segments_BM, device))
    size = max(1, limit // numbers_per_query)

    def chunk(q_BHND: Tensor, k_BHMD: Tensor, v_BHMD: Tensor, begin: int) -> Tensor:
        end = begin + q_BHND.shape[2]
        seen = None if segments_BM is None else segments_BM[:, :end]
        return sdpa(q_BHND, k_BHMD[:, :, :end], v_BHMD[:, :, :end], attn_mask=_mask(begin, end, slopes_H, seen, device))

    def attend(q_BHND: Tensor, k_BHMD: Tensor, v_BHMD: Tensor) -> Tensor:
        parts = [
            checkpoint(chunk, q_BHND[:, :, begin : begin + size], k_BHMD, v_BHMD, offset + begin, use_reentrant=False)
            for begin in range(0, num_queries, size)
        ]
        return torch.cat(cast(list[Tensor], parts), dim=2)

    return attend


def _mask(begin: int, end: int, slopes_H: Tensor | None, segments_BM: Tensor | None, device: torch.device) -> Tensor:
    """For queries [begin, end) over keys [0, end): which are seen, (B or 1, 1, N, M), or with ALiBi the bias, (B or 1, H, N, M)."""
    queries_N1 = torch.arange(begin, end, device=device)[:, None]
    keys_M = torch.arange(end, device=device)
    seen = (keys_M <= queries_N1)[None, None]
    if segments_BM is not None:
        own_BN1 = segments_BM[:, begin:end, None]
        seen = seen & ((own_BN1 == segments_BM[:, None, :]) & (own_BN1 != 0))[:, None]
    if slopes_H is None:
        return seen
    distance_NM = (keys_M - queries_N1).float()
    return (slopes_H[:, None, None] * distance_NM)[None].masked_fill(~seen, -torch.inf)


def flex_attend(
    num_queries: int, num_keys: int, slopes_H: Tensor | None, segments_BM: Tensor | None, device: torch.device, compiled: bool
) -> Attend:
    """FlexAttention. Not `compiled` it is torch's dense reference of the same rules, to check them without a GPU."""
    from torch.nn.attention.flex_attention import create_block_mask

    offset = num_keys - num_queries

    def seen(b: Tensor, _h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        causal = j <= i + offset
        if segments_BM is None:
            return causal
        own = segments_BM[b, i + offset]
        return causal & (own == segments_BM[b, j]) & (own != 0)

    def lowered(score: Tensor, _b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        assert slopes_H is not None
        return score + slopes_H[h] * (j - (i + offset))

    batch = None if segments_BM is None else len(segments_BM)
    # Within a graph that is being compiled, it is part of that graph
    create = _compiled_block_mask() if compiled and not torch.compiler.is_compiling() else create_block_mask
    block_mask = create(seen, batch, None, num_queries, num_keys, device=str(device))
    kernel = _compiled_flex() if compiled and not torch.compiler.is_compiling() else _flex()
    return partial(_over_contiguous, kernel, None if slopes_H is None else lowered, block_mask)


def _over_contiguous(kernel: Any, score_mod: Any, block_mask: Any, q_BHND: Tensor, k_BHMD: Tensor, v_BHMD: Tensor) -> Tensor:
    """Compiled with a layer whose RoPE leaves them transposed, the kernel read the wrong places (torch 2.13 on a CPU: off by 5)."""
    out: Tensor = kernel(q_BHND.contiguous(), k_BHMD.contiguous(), v_BHMD.contiguous(), score_mod=score_mod, block_mask=block_mask)
    return out


def _flex() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return flex_attention


@cache
def _compiled_flex() -> Any:
    return torch.compile(_flex())


@cache
def _compiled_block_mask() -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    return torch.compile(create_block_mask)

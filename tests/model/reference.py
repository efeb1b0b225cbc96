"""The obvious Baichuan: one sequence, one head, one row at a time, dense masks, full logits; and parameters to run it on.

Written from the published description, without a line of `model/`.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from model import Baichuan, BaichuanConfig

SMALL = {"vocab_size": 97, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 6, "max_length": 16}


def lively(config: BaichuanConfig, seed: int = 0) -> Baichuan:
    """A model whose weights are large enough that attention is far from uniform and a wrong mask or position shows."""
    torch.manual_seed(seed)
    model = Baichuan(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 1.0 if "embed" in name else 1.5 * parameter.shape[1] ** -0.5)
            else:
                parameter.uniform_(0.5, 1.5)
        model.model.embed_tokens.weight[config.pad_token_id] = 0
    return model


def slopes(heads: int) -> list[float]:
    """ALiBi's, from its paper: powers of two; else the next smaller power's, then every second of twice that."""
    if math.log2(heads).is_integer():
        return [2 ** (-8 * (head + 1) / heads) for head in range(heads)]
    fewer = 2 ** math.floor(math.log2(heads))
    return slopes(fewer) + slopes(2 * fewer)[::2][: heads - fewer]


def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight


def turned(x: Tensor, position: int) -> Tensor:
    """One head's vector, each pair (d, d + D/2) as a complex number times e^(i·angle)."""
    half = len(x) // 2
    angles = torch.tensor([position / 10000 ** (2 * d / len(x)) for d in range(half)], dtype=torch.float64).to(x.dtype)
    pairs = torch.complex(x[:half], x[half:]) * torch.complex(angles.cos(), angles.sin())
    return torch.cat((pairs.real, pairs.imag))


def attended(q: Tensor, k: Tensor, v: Tensor, segments: list[int], config: BaichuanConfig, head: int) -> Tensor:
    """One head of one sequence, (N, D)."""
    rows = []
    if config.position == "rope":
        q = torch.stack([turned(row, i) for i, row in enumerate(q)])
        k = torch.stack([turned(row, i) for i, row in enumerate(k)])
    for i in range(len(q)):
        seen = [j for j in range(i + 1) if segments[j] == segments[i] != 0]
        if not seen:
            rows.append(torch.zeros_like(v[0]))
            continue
        scores = k[seen] @ q[i] / math.sqrt(q.shape[1])
        if config.position == "alibi":
            scores = scores + slopes(config.num_attention_heads)[head] * torch.tensor([float(j - i) for j in seen])
        rows.append(scores.softmax(0) @ v[seen])
    return torch.stack(rows)


def reference_logits(model: Baichuan, ids: Tensor, segments: Tensor | None = None) -> Tensor:
    """(B, N, V), differentiable in the model's parameters, read by their official names."""
    config, w = model.config, dict(model.named_parameters())
    segments = torch.ones_like(ids) if segments is None else segments
    heads, width = config.num_attention_heads, config.hidden_size // config.num_attention_heads
    sequences = []
    for row, own in zip(ids, segments.tolist(), strict=True):
        x = F.embedding(row, w["model.embed_tokens.weight"], padding_idx=config.pad_token_id)
        for n in range(config.num_hidden_layers):
            at = f"model.layers.{n}."
            h = norm(x, w[at + "input_layernorm.weight"], config.rms_norm_eps)
            q, k, v = (h @ w[at + "self_attn.W_pack.weight"].T).split(config.hidden_size, dim=1)
            cut = [slice(head * width, (head + 1) * width) for head in range(heads)]
            parts = [attended(q[:, c], k[:, c], v[:, c], own, config, head) for head, c in enumerate(cut)]
            x = x + torch.cat(parts, 1) @ w[at + "self_attn.o_proj.weight"].T
            h = norm(x, w[at + "post_attention_layernorm.weight"], config.rms_norm_eps)
            gate, up = h @ w[at + "mlp.gate_proj.weight"].T, h @ w[at + "mlp.up_proj.weight"].T
            x = x + (gate * gate.sigmoid() * up) @ w[at + "mlp.down_proj.weight"].T
        sequences.append(norm(x, w["model.norm.weight"], config.rms_norm_eps))
    matrix = w["lm_head.weight"]
    if config.norm_head:
        matrix = matrix / matrix.pow(2).sum(1, keepdim=True).sqrt()
    return torch.stack(sequences) @ matrix.T


def reference_loss(logits: Tensor, labels: Tensor, z_loss_weight: float) -> Tensor:
    """As the official code: mean over targets, and the largest logits of all shifted positions."""
    shifted = logits[:, :-1].flatten(0, 1)
    return F.cross_entropy(shifted, labels[:, 1:].flatten(), ignore_index=-100) + z_loss_weight * shifted.amax(-1).square().mean()


def gradients(model: torch.nn.Module, loss: Tensor) -> dict[str, Tensor]:
    """Of every parameter, by name."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))

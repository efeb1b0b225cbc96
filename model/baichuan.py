"""The Baichuan decoder: all four published models, under their official parameter names.

B batch, N positions, M all positions with those in the cache, D hidden width, V vocabulary.

    embed_tokens -> layers: x + o_proj(attention(RMSNorm x)); x + down(silu(gate) · up)(RMSNorm x) -> RMSNorm -> lm_head

RoPE or ALiBi, a linear head or NormHead: `BaichuanConfig` decides. NormHead always normalises its rows, which gives what the official
switch between training and evaluation gives. RMSNorm takes its variance in fp32, casts back, then multiplies. No biases, no dropout.

`Output.logits` are made when they are asked for: a training step that reads only `loss` never holds them (`model/loss.py`).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint, noop_context_fn

from configs.errors import InputError
from model.attention import Attend, attention
from model.cache import KeyValueCache
from model.checkpoint import SHARD_BYTES, load_weights, read_config, save
from model.config import BaichuanConfig
from model.loss import head_loss
from model.positions import alibi_slopes, rope_tables, rotate


@dataclass
class Output:
    """What a forward pass gives."""

    last_hidden_state: Tensor
    """(B, N, D), normalised: what the head reads."""
    head: Callable[[Tensor], Tensor] = field(repr=False)
    loss: Tensor | None = None
    """Cross-entropy with z-loss, where labels were given."""
    cross_entropy: Tensor | None = None
    """The part of the loss that is comparable between models, without gradient; nats per target."""
    past_key_values: KeyValueCache | None = None
    """For the next call."""
    _logits: Tensor | None = field(default=None, repr=False)

    @property
    def logits(self) -> Tensor:
        """(B, N, V), made at the first access."""
        if self._logits is None:
            self._logits = self.head(self.last_hidden_state)
        return self._logits


class Baichuan(nn.Module):
    """A language model. Fresh ones are initialised as published, from torch's global generator."""

    def __init__(self, config: BaichuanConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        for name, parameter in self.named_parameters():
            self.fill_fresh(name, parameter.data)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        past_key_values: KeyValueCache | None = None,
        use_cache: bool | None = None,
        whole: tuple[Tensor, int] | None = None,
    ) -> Output:
        """Ids (B, N) to `Output`.

        `attention_mask` (B, M) holds integers, over the cached positions too: equal ids see each other, 0 is padding; so ones and zeros
        mean what they mean in transformers. `labels` (B, N) are the ids themselves, shifted here; -100 is no target. `use_cache`: give
        `past_key_values` back; by default in evaluation mode without labels. `whole`: targets and positions of the batch of which this
        is a part, whose losses add up to its loss (`head_loss`).
        """
        if use_cache is None:
            use_cache = not self.training and labels is None
        cache = past_key_values
        if cache is None and use_cache:
            cache = KeyValueCache(self.config.num_hidden_layers)
        hidden_BND = self.model(input_ids, attention_mask, cache)
        output = Output(hidden_BND, self.head, past_key_values=cache if use_cache or past_key_values is not None else None)
        if labels is not None:
            output.loss, output.cross_entropy = self.loss_of(hidden_BND, labels, whole=whole)
        return output

    def head(self, hidden_BND: Tensor) -> Tensor:
        """Logits, (B, N, V)."""
        return F.linear(hidden_BND, self.head_weight())

    def head_weight(self) -> Tensor:
        """The output matrix (V, D), with NormHead each row of length 1."""
        return F.normalize(self.lm_head.weight) if self.config.norm_head else self.lm_head.weight

    def loss_of(
        self, hidden_BND: Tensor, labels_BN: Tensor, chunk_tokens: int | None = None, whole: tuple[Tensor, int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The loss of predicting each next label, and its cross-entropy part; the head runs on so many tokens at a time."""
        if labels_BN.shape != hidden_BND.shape[:2]:
            raise InputError(f"labels: got shape {tuple(labels_BN.shape)}, wanted that of input_ids, {tuple(hidden_BND.shape[:2])}")
        hidden_ND, targets_N = hidden_BND[:, :-1].flatten(0, 1), labels_BN[:, 1:].flatten()
        return head_loss(hidden_ND, self.head_weight(), targets_N, self.config.z_loss_weight, chunk_tokens, whole)

    def checkpoint_layers(self, every: int = 1, context_fn: Callable[[], Any] = noop_context_fn) -> None:
        """Forget the activations of every n-th layer and compute them again in the backward pass; 0: of none.

        `context_fn` chooses what is kept inside such a layer, see `torch.utils.checkpoint.create_selective_checkpoint_contexts`.
        """
        self.model.checkpoint_every, self.model.checkpoint_context = every, context_fn

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """For an optimizer: matrices decay, gains of the norms do not."""
        parameters = [p for p in self.parameters() if p.requires_grad]
        return [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
        ]

    @classmethod
    def from_pretrained(
        cls, folder: str | os.PathLike[str], dtype: torch.dtype | None = None, device: str | torch.device = "cpu"
    ) -> "Baichuan":
        """Read a folder with `config.json` and weights, in their own type or in `dtype`, in evaluation mode.

        Raises `InputError` or `ConfigError` with the names of what is missing, left over or of another shape.
        """
        config = read_config(Path(folder))
        with torch.device("meta"):
            model = cls(config)
        load_weights(model, Path(folder), dtype, torch.device(device))
        return model.eval()

    def save_pretrained(self, folder: str | os.PathLike[str], shard_bytes: int = SHARD_BYTES) -> None:
        """Write a folder that `from_pretrained` and the official code read."""
        save(self.config.to_json(), self.state_dict(), Path(folder), shard_bytes)

    def num_parameters(self) -> int:
        """Count of parameters."""
        return sum(p.numel() for p in self.parameters())

    @torch.no_grad()
    def fill_fresh(self, name: str, weight: Tensor, generator: torch.Generator | None = None) -> None:
        """Fill a tensor of the shape of a parameter with what it starts from, as published; torch's global generator if none is given."""
        if weight.ndim == 1:
            weight.fill_(1.0)
        elif name == "lm_head.weight" and self.config.norm_head:
            bound = self.config.hidden_size**-0.5
            weight.uniform_(-bound, bound, generator=generator)
        else:
            weight.normal_(0.0, self.config.initializer_range, generator=generator)
        if name == "model.embed_tokens.weight":
            weight[self.config.pad_token_id].zero_()


class Decoder(nn.Module):
    """Ids to the last hidden states."""

    def __init__(self, config: BaichuanConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(Layer(config, index) for index in range(config.num_hidden_layers))
        self.norm = RMSNorm(config)
        self.stream_dtype: torch.dtype | None = None
        """Type of the residual stream, where it is not the embedding's: training in bf16 halves its traffic so."""
        self.checkpoint_every = 0
        self.checkpoint_context: Callable[[], Any] = noop_context_fn

    def forward(self, input_ids: Tensor, segments_BM: Tensor | None, cache: KeyValueCache | None) -> Tensor:
        """(B, N) to (B, N, D)."""
        past, num_new = (0 if cache is None else cache.length), input_ids.shape[1]
        if segments_BM is not None and segments_BM.shape != (len(input_ids), past + num_new):
            wanted = f"({len(input_ids)}, {past + num_new}): the batch, and {past} cached with {num_new} new positions"
            raise InputError(f"attention_mask: got shape {tuple(segments_BM.shape)}, wanted {wanted}")
        x_BND = self.embed_tokens(input_ids).to(self.stream_dtype)
        tables = slopes = None
        if self.config.position == "rope":
            tables = rope_tables(torch.arange(past, past + num_new, device=x_BND.device), self.config.head_width)
        else:
            slopes = alibi_slopes(self.config.num_attention_heads)
        attend = attention(num_new, past + num_new, slopes, segments_BM, x_BND.device)
        for index, layer in enumerate(self.layers):
            if self.training and self.checkpoint_every and index % self.checkpoint_every == 0:
                again = checkpoint(layer, x_BND, tables, attend, cache, use_reentrant=False, context_fn=self.checkpoint_context)
                x_BND = cast(Tensor, again)
            else:
                x_BND = layer(x_BND, tables, attend, cache)
        if cache is not None:
            cache.advance(num_new)
        return cast(Tensor, self.norm(x_BND))


class Layer(nn.Module):
    """Attention, then the feed-forward network, each on the normalised stream and added to it."""

    def __init__(self, config: BaichuanConfig, index: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, index)
        self.mlp = FeedForward(config)
        self.input_layernorm = RMSNorm(config)
        self.post_attention_layernorm = RMSNorm(config)

    def forward(self, x_BND: Tensor, tables: tuple[Tensor, Tensor] | None, attend: Attend, cache: KeyValueCache | None) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        x_BND = x_BND + self.self_attn(self.input_layernorm(x_BND), tables, attend, cache)
        return cast(Tensor, x_BND + self.mlp(self.post_attention_layernorm(x_BND)))


class Attention(nn.Module):
    """Multi-head attention; `W_pack` holds the rows of queries, keys and values, in this order, each head by head."""

    def __init__(self, config: BaichuanConfig, index: int) -> None:
        super().__init__()
        self.index, self.num_heads = index, config.num_attention_heads
        self.W_pack = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=False)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, x_BND: Tensor, tables: tuple[Tensor, Tensor] | None, attend: Attend, cache: KeyValueCache | None) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        batch, num_new, _ = x_BND.shape
        packed = self.W_pack(x_BND).view(batch, num_new, 3 * self.num_heads, -1)
        turning, values = packed.split((2 * self.num_heads, self.num_heads), dim=2)
        if tables is not None:
            turning = rotate(turning, tables)
        queries, keys = turning.chunk(2, dim=2)
        q, k, v = queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
        if cache is not None:
            k, v = cache.extend(self.index, k, v)
        return cast(Tensor, self.o_proj(attend(q, k, v).transpose(1, 2).flatten(2)))


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, config: BaichuanConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        return cast(Tensor, self.down_proj(F.silu(self.gate_proj(x_BND)) * self.up_proj(x_BND)))


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) in fp32, cast back, times a gain that starts at 1."""

    def __init__(self, config: BaichuanConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.hidden_size))
        self.eps = config.rms_norm_eps

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        # By the norm's square: one kernel forward and one backward, a fortieth of a layer's time on a CPU
        norm_BN1 = torch.linalg.vector_norm(x_BND, dim=-1, keepdim=True, dtype=torch.float32)
        return self.weight * (x_BND * torch.rsqrt(norm_BN1.square() / x_BND.shape[-1] + self.eps)).to(x_BND.dtype)

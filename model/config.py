"""The shape of a Baichuan model, and the `config.json` that says it.

One dataclass describes all four published models: Baichuan-7B (RoPE), Baichuan-13B (ALiBi), Baichuan2-7B (RoPE, NormHead) and
Baichuan2-13B (ALiBi, NormHead). Their `config.json` does not name these choices; they are read as the official code implies them:
`max_position_embeddings` means RoPE, `model_max_length` alone means ALiBi, `z_loss_weight` or a vocabulary of 125,696 means NormHead.
What we write says `norm_head` outright, since a folded Baichuan 2 keeps its vocabulary and has none. A setting that would change the
mathematics and that we do not have (grouped queries, tied embeddings, another activation or RoPE base) is refused by name.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from configs.errors import ConfigError

BAICHUAN_2_VOCABULARY = 125_696
MOST_PADDING = 255
"""Rows by which a vocabulary may exceed its tokenizer: sizes are rounded up to a multiple of at most 256."""


@dataclass(frozen=True, kw_only=True)
class BaichuanConfig:
    """What decides the parameters' shapes and the function that they compute."""

    vocab_size: int
    """Rows of the embedding and of the output head."""
    hidden_size: int
    """Width of the residual stream."""
    intermediate_size: int
    """Width inside the SwiGLU."""
    num_hidden_layers: int
    num_attention_heads: int
    """Heads of queries, and as many of keys and values; RoPE needs an even head width."""
    position: Literal["rope", "alibi"] = "rope"
    """How attention knows distances."""
    norm_head: bool = False
    """Whether the rows of the output head are normalised to length 1 (Baichuan 2)."""
    z_loss_weight: float = 0.0
    """Weight of mean(max logit squared) in the loss: 2e-4 when Baichuan 2 was pre-trained, 0 in its released configurations."""
    max_length: int = 4096
    """Trained context in tokens. Says what to train and to warn about; both kinds of positions run on beyond it."""
    initializer_range: float = 0.02
    """Standard deviation of fresh matrices; a NormHead starts uniform in ±1/sqrt(hidden_size)."""
    rms_norm_eps: float = 1e-6
    pad_token_id: int = 0
    """Its embedding starts at zero and gets no gradient."""
    bos_token_id: int = 1
    eos_token_id: int = 2

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_length"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model: {name}: got {getattr(self, name)}, wanted at least 1")
        if self.position not in ("rope", "alibi"):
            raise ConfigError(f"model: position: got '{self.position}', wanted rope or alibi")
        if self.hidden_size % self.num_attention_heads:
            raise ConfigError(f"model: hidden_size: {self.hidden_size} does not divide into {self.num_attention_heads} num_attention_heads")
        if self.position == "rope" and self.head_width % 2:
            raise ConfigError(f"model: hidden_size: RoPE turns pairs, and heads are {self.head_width} wide: wanted an even width")
        if not 0 <= self.pad_token_id < self.vocab_size:
            raise ConfigError(f"model: pad_token_id: got {self.pad_token_id}, wanted an id below vocab_size {self.vocab_size}")
        if self.z_loss_weight < 0:
            raise ConfigError(f"model: z_loss_weight: got {self.z_loss_weight}, wanted at least 0")

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.hidden_size // self.num_attention_heads

    def num_parameters(self, embeddings: bool = True) -> int:
        """Count of parameters; without `embeddings` that of the layers and the last norm, by which scaling laws count.

        >>> from model.presets import preset
        >>> preset("baichuan-7b").num_parameters()
        7000559616
        """
        hidden = self.hidden_size
        layer = 4 * hidden * hidden + 3 * hidden * self.intermediate_size + 2 * hidden
        return self.num_hidden_layers * layer + hidden + (2 * self.vocab_size * hidden if embeddings else 0)

    def flops_per_token(self, length: int, causal: bool = False) -> int:
        """Floating-point operations of forward and backward for a token in a sequence of `length`: 6N + 12·L·d·T.

        N leaves out the input embedding, which is looked up. `causal` counts only the half of attention that a causal kernel computes.

        >>> from model.presets import preset
        >>> preset("baichuan-7b").flops_per_token(4096) / 1e9, preset("baichuan-7b").flops_per_token(4096, causal=True) / 1e9
        (46.87294464, 43.651719168)
        """
        weights = self.num_parameters() - self.vocab_size * self.hidden_size
        return 6 * weights + (6 if causal else 12) * self.num_hidden_layers * self.hidden_size * length

    def to_json(self) -> dict[str, Any]:
        """The content of `config.json`, under the official keys."""
        shared = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
        ids = ("initializer_range", "rms_norm_eps", "pad_token_id", "bos_token_id", "eos_token_id")
        first = self.position == "rope" and not self.norm_head  # Baichuan-7B alone is spelt with a capital C
        content: dict[str, Any] = {"architectures": ["BaiChuanForCausalLM" if first else "BaichuanForCausalLM"], "model_type": "baichuan"}
        content |= {name: getattr(self, name) for name in shared}
        content |= {"max_position_embeddings" if self.position == "rope" else "model_max_length": self.max_length, "hidden_act": "silu"}
        content |= {name: getattr(self, name) for name in ids} | {"tie_word_embeddings": False, "norm_head": self.norm_head}
        if self.norm_head or self.z_loss_weight:
            content["z_loss_weight"] = self.z_loss_weight
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any], where: str = "config.json") -> "BaichuanConfig":
        """Read `config.json` of a published model or of ours. Raises `ConfigError` for another architecture or a missing key."""
        for key, wanted in _FIXED.items():
            if content.get(key, wanted) not in (wanted, None):
                raise ConfigError(f"{where}: {key}: got {content[key]!r}, and Baichuan has {wanted!r}: this model cannot be read")
        heads = content.get("num_attention_heads")
        if content.get("num_key_value_heads", heads) not in (heads, None):
            raise ConfigError(f"{where}: num_key_value_heads: got {content['num_key_value_heads']}, and Baichuan shares no keys: {heads}")
        rope = "max_position_embeddings" in content
        length = "max_position_embeddings" if rope else "model_max_length"
        required = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
        missing = [key for key in (*required, length) if content.get(key) is None]
        if missing:
            also = "; RoPE has max_position_embeddings, ALiBi model_max_length" if length in missing else ""
            raise ConfigError(f"{where}: missing keys: {', '.join(missing)}{also}")
        norm_head = content.get("norm_head", "z_loss_weight" in content or content["vocab_size"] == BAICHUAN_2_VOCABULARY)
        named = {f.name for f in dataclasses.fields(cls)} - {"position", "norm_head", "max_length"}
        values = {name: content[name] for name in named if content.get(name) is not None}
        try:
            return cls(position="rope" if rope else "alibi", norm_head=norm_head, max_length=content[length], **values)
        except ConfigError as error:
            raise ConfigError(f"{where}: {str(error).removeprefix('model: ')}") from None


_FIXED = {
    **{"model_type": "baichuan", "hidden_act": "silu", "tie_word_embeddings": False},
    **{"rope_theta": 10000.0, "rope_scaling": None, "attention_bias": False, "mlp_bias": False, "quantization_config": None},
}
"""Settings of other models that would change the function; where a file has them, they must say what Baichuan does."""

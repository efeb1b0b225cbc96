"""A Baichuan as other programs know it: plain Llama, or Baichuan 2 as Baichuan 1.

Llama: a RoPE Baichuan is a Llama whose queries, keys and values are packed into one matrix. Split, with the head normalised once, it loads
in stock transformers without remote code, and in whatever reads Llama. ALiBi has no place there and is refused.

Baichuan 1: NormHead normalises the rows of the head in each step; done once to the stored matrix, the model is a Baichuan 1 with the same
logits. This is the official way to run Baichuan 2 in programs that know Baichuan 1 only.

Weights are normalised in fp32 and stored in their own type, so that in bf16 the logits differ as any rounding of a head does.
"""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from configs.errors import ConfigError
from model.baichuan import Baichuan
from model.config import BaichuanConfig

TARGETS = ("llama", "baichuan1")
Target = Literal["llama", "baichuan1"]


def converted(model: Baichuan, target: Target) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """`config.json` and weights for another architecture, ready for `checkpoint.save`. Raises `ConfigError` for ALiBi to Llama."""
    state = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    if model.config.norm_head:
        head = state["lm_head.weight"]
        state["lm_head.weight"] = F.normalize(head.float()).to(head.dtype)
    if target == "baichuan1":
        return _without_norm_head(model.config), state
    if model.config.position != "rope":
        raise ConfigError("llama: this model has ALiBi positions and a Llama has RoPE; models with ALiBi can become baichuan1 only")
    return _llama_config(model.config), _split(state)


def _split(state: dict[str, Tensor]) -> dict[str, Tensor]:
    split = {}
    for name, tensor in state.items():
        if name.endswith("W_pack.weight"):
            for part, rows in zip("qkv", tensor.chunk(3), strict=True):
                split[name.replace("W_pack", f"{part}_proj")] = rows.clone(memory_format=torch.contiguous_format)
        else:
            split[name] = tensor
    return split


def _without_norm_head(config: BaichuanConfig) -> dict[str, Any]:
    content = config.to_json() | {"norm_head": False}
    content.pop("z_loss_weight", None)
    if config.position == "rope":
        content["architectures"] = ["BaiChuanForCausalLM"]
    return content


def _llama_config(config: BaichuanConfig) -> dict[str, Any]:
    content = config.to_json()
    for ours in ("norm_head", "z_loss_weight"):
        content.pop(ours, None)
    return content | {
        **{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_key_value_heads": config.num_attention_heads},
        **{"head_dim": config.head_width, "rope_theta": 10000.0, "attention_bias": False, "mlp_bias": False},
    }

"""Shapes by name: the four published models, the sizes of Baichuan 2's scaling law, and four of ours.

Published: `baichuan-7b`, `baichuan-13b`, `baichuan2-7b`, `baichuan2-13b`, parameter counts exact. `scaling-…`: table of the Baichuan 2
report (arXiv 2309.10305), named by their parameters without embeddings. Ours, for the tiers of a comparison of corpora, have small
vocabularies, for embeddings of 64,000 rows would be nine tenths of a small model:

| preset | parameters | without embeddings | vocabulary | use |
|---|---|---|---|---|
| nano | 973,520 | 318,160 | 4,096 | smoke: CPU, minutes |
| micro | 9,817,856 | 5,623,552 | 8,192 | a proxy on a CPU |
| small | 30,285,696 | 17,702,784 | 16,384 | decision: at least 15 M, 20 tokens a parameter |
| 1b | 1,071,712,256 | 809,568,256 | 64,000 | confirm: one GPU |

All but Baichuan 1 have Baichuan 2's NormHead; ours have its pre-training z-loss, 2e-4. Any field may be changed:
`preset("nano", vocab_size=8000, position="alibi")`. Presets are code and not YAML, since a bare GPU node may lack a YAML reader.
"""

import dataclasses
import difflib
from typing import Any

from configs.errors import ConfigError
from model.config import BAICHUAN_2_VOCABULARY, BaichuanConfig


def preset(name: str, **changes: Any) -> BaichuanConfig:
    """A shape by name, with fields changed. Raises `ConfigError` for an unknown name or field."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        raise ConfigError(
            f"model: unknown preset '{name}'{f'; did you mean {near[0]!r}?' if near else ''}; known are: {', '.join(PRESETS)}"
        )
    known = {field.name for field in dataclasses.fields(BaichuanConfig)}
    if unknown := sorted(set(changes) - known):
        raise ConfigError(f"model: unknown fields {', '.join(unknown)}; known are: {', '.join(sorted(known))}")
    return dataclasses.replace(PRESETS[name], **changes)


def _shape(vocabulary: int, hidden: int, intermediate: int, layers: int, heads: int, **more: Any) -> BaichuanConfig:
    return BaichuanConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        **more,
    )


_2 = BAICHUAN_2_VOCABULARY

PRESETS: dict[str, BaichuanConfig] = {
    "baichuan-7b": _shape(64_000, 4096, 11008, 32, 32),
    "baichuan-13b": _shape(64_000, 5120, 13696, 40, 40, position="alibi"),
    "baichuan2-7b": _shape(_2, 4096, 11008, 32, 32, norm_head=True),
    "baichuan2-13b": _shape(_2, 5120, 13696, 40, 40, position="alibi", norm_head=True),
    "scaling-11m": _shape(_2, 384, 1152, 6, 6, norm_head=True),
    "scaling-51m": _shape(_2, 704, 2112, 8, 8, norm_head=True),
    "scaling-108m": _shape(_2, 832, 2496, 12, 8, norm_head=True),
    "scaling-307m": _shape(_2, 1216, 3648, 16, 8, norm_head=True),
    "scaling-835m": _shape(_2, 1792, 5376, 20, 14, norm_head=True),
    "scaling-1.6b": _shape(_2, 2240, 6720, 24, 14, norm_head=True),
    "scaling-3b": _shape(_2, 2880, 8640, 28, 20, norm_head=True),
    "nano": _shape(4_096, 80, 224, 4, 5, norm_head=True, z_loss_weight=2e-4, max_length=512),
    "micro": _shape(8_192, 256, 704, 7, 4, norm_head=True, z_loss_weight=2e-4, max_length=1024),
    "small": _shape(16_384, 384, 1024, 10, 6, norm_head=True, z_loss_weight=2e-4, max_length=2048),
    "1b": _shape(64_000, 2048, 5504, 16, 16, norm_head=True, z_loss_weight=2e-4),
}
"""All shapes by name."""

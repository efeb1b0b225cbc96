"""Baichuan in torch: one implementation of the four published models, small enough to read, and the presets that check corpora.

    from model import Baichuan, BaichuanConfig, preset

    model = Baichuan.from_pretrained("folder")                 # official names, shapes and config.json
    model = Baichuan(preset("small", vocab_size=16384))        # fresh, initialised as published
    output = model(input_ids, attention_mask=segment_ids, labels=labels)
    output.loss.backward()                                     # the full logits are never made, unless output.logits is asked for

Needs torch, numpy and safetensors only, so that it runs from a bare checkout on a GPU node.
"""

from model.baichuan import Baichuan, Output
from model.config import BaichuanConfig
from model.presets import PRESETS, preset

__all__ = ["PRESETS", "Baichuan", "BaichuanConfig", "Output", "preset"]

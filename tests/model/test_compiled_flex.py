"""FlexAttention inside compiled layers, as CUDA runs it: on a CPU torch compiles its forward pass, which shows whether it can be traced."""

import shutil
from functools import partial
from typing import Any

import pytest
import torch

import model.baichuan
from model import Baichuan, preset
from model.attention import flex_attend

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="no g++: torch cannot compile for a CPU"),
    pytest.mark.filterwarnings("ignore"),  # torch's own, of its own internals
]


def flex_only(num_queries: int, num_keys: int, slopes: Any, segments: Any, device: torch.device) -> Any:
    slopes_H = None if slopes is None else torch.tensor(slopes, dtype=torch.float32)
    return flex_attend(num_queries, num_keys, slopes_H, segments, device, compiled=True)


@pytest.mark.parametrize("position", ["rope", "alibi"])
def test_a_compiled_layer_over_packed_documents_gives_what_dense_masks_give(monkeypatch: pytest.MonkeyPatch, position: Any) -> None:
    """Without contiguous queries and keys torch 2.13 is off by 5 here with RoPE."""
    torch.manual_seed(0)
    shape = preset("nano", hidden_size=256, intermediate_size=688, num_attention_heads=2, num_hidden_layers=2, position=position)
    made = Baichuan(shape).eval()
    ids = torch.randint(3, 4096, (2, 256))
    run = partial(made, ids, use_cache=False)
    masks = [((torch.arange(256) + shift) // 97 + 1).expand(2, -1).contiguous() for shift in (0, 7)]
    with torch.no_grad():
        expected = [run(attention_mask=mask).last_hidden_state for mask in masks]
        monkeypatch.setattr(model.baichuan, "attention", flex_only)
        for layer in made.model.layers:
            layer.compile(fullgraph=True)
        for mask, theirs in zip(masks, expected, strict=True):
            torch.testing.assert_close(run(attention_mask=mask).last_hidden_state, theirs, atol=1e-4, rtol=0)

"""Logits, loss and every gradient against implementations that are not ours, in fp32, within 5e-5."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from model import Baichuan, BaichuanConfig
from tests.model.reference import SMALL, gradients, lively, reference_logits, reference_loss

CLOSE = {"atol": 5e-5, "rtol": 0.0}
LENGTH = 24
"""Beyond the window of 16 that the small configuration names."""
LAYOUTS = {
    "whole": [[1] * LENGTH] * 2,
    "left padding": [[0] * 9 + [1] * (LENGTH - 9), [1] * LENGTH],
    "right padding": [[1] * LENGTH, [1] * (LENGTH - 7) + [0] * 7],
    "packed": [[1] * 10 + [2] * 14, [5] * 3 + [2] * 9 + [7] * 12],
    "packed, padded": [[3] * 8 + [1] * 11 + [0] * 5, [0] * 2 + [4] * 6 + [0] * 4 + [4] * 12],
}
"""Attention masks by name; the last one uses an id again after a gap."""


def batch(layout: str) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, mask, labels: no target in padding, nor the first token of a segment, which another segment would have to predict."""
    torch.manual_seed(7)
    mask = torch.tensor(LAYOUTS[layout])
    ids = torch.randint(3, SMALL["vocab_size"], mask.shape) * (mask != 0)
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, 1:][mask[:, 1:] != mask[:, :-1]] = -100
    return ids, mask, labels


def assert_equal_gradients(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        assert gradient.abs().max() > 1e-3, name  # else the comparison would say nothing
        torch.testing.assert_close(gradient, theirs[name], **CLOSE, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("position", ["rope", "alibi"])
@pytest.mark.parametrize("norm_head", [False, True])
def test_equals_the_plain_reference(position: Any, norm_head: bool, layout: str) -> None:
    model = lively(BaichuanConfig(**SMALL, position=position, norm_head=norm_head, z_loss_weight=1e-2))
    ids, mask, labels = batch(layout)
    output = model(ids, attention_mask=mask, labels=labels)
    logits = reference_logits(model, ids, mask)
    loss = reference_loss(logits, labels, 1e-2)
    torch.testing.assert_close(output.logits, logits, **CLOSE)
    torch.testing.assert_close(output.loss, loss, **CLOSE)
    assert_equal_gradients(gradients(model, output.loss), gradients(model, loss))


@pytest.mark.parametrize("heads", [1, 2, 3, 5, 8, 12, 20])
def test_alibi_equals_the_plain_reference_for_any_number_of_heads(heads: int) -> None:
    model = lively(BaichuanConfig(**SMALL | {"num_attention_heads": heads, "hidden_size": 4 * heads}, position="alibi"))
    ids, _, _ = batch("whole")
    torch.testing.assert_close(model(ids).logits, reference_logits(model, ids), **CLOSE)


def llama_of(model: Baichuan) -> Any:
    """Transformers' Llama with the same weights, W_pack split in three."""
    transformers = pytest.importorskip("transformers", reason="the development extra brings transformers")
    config = model.config
    llama = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            **SMALL | {"max_length": None},
            max_position_embeddings=config.max_length,
            rms_norm_eps=config.rms_norm_eps,
            pad_token_id=0,
            tie_word_embeddings=False,
        )
    )
    state = {}
    for name, tensor in model.state_dict().items():
        if "W_pack" in name:
            for part, rows in zip("qkv", tensor.chunk(3), strict=True):
                state[name.replace("W_pack", f"{part}_proj")] = rows
        else:
            state[name] = tensor
    llama.load_state_dict(state)
    return llama.train()


def packed_gradients(llama: Any, loss: Tensor) -> dict[str, Tensor]:
    """Llama's gradients under our names."""
    split = gradients(llama, loss)
    packed = {name: g for name, g in split.items() if not any(f"{part}_proj" in name for part in "qkv")}
    for name in [name for name in split if "q_proj" in name]:
        packed[name.replace("q_proj", "W_pack")] = torch.cat([split[name.replace("q_proj", f"{part}_proj")] for part in "qkv"])
    return packed


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("norm_head", [False, True])
def test_rope_equals_transformers_llama(layout: str, norm_head: bool) -> None:
    model = lively(BaichuanConfig(**SMALL, norm_head=norm_head))
    llama = llama_of(model)
    ids, mask, labels = batch(layout)
    seen = (mask[:, :, None] == mask[:, None, :]) & (mask != 0)[:, :, None] & torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
    hidden = llama.model(ids, attention_mask=seen[:, None] if "packed" in layout else mask, use_cache=False).last_hidden_state
    logits = hidden @ (F.normalize(llama.lm_head.weight) if norm_head else llama.lm_head.weight).T
    output = model(ids, attention_mask=mask, labels=labels)
    torch.testing.assert_close(output.logits[mask != 0], logits[mask != 0], **CLOSE)
    loss = reference_loss(logits, labels, 0.0)
    torch.testing.assert_close(output.loss, loss, **CLOSE)
    assert_equal_gradients(gradients(model, output.loss), packed_gradients(llama, loss))
    if not norm_head and "packed" not in layout:
        torch.testing.assert_close(output.loss, llama(ids, attention_mask=mask, labels=labels).loss, **CLOSE)


@pytest.mark.parametrize("position", ["rope", "alibi"])
def test_a_packed_document_is_read_as_if_it_were_alone(position: Any) -> None:
    model = lively(BaichuanConfig(**SMALL, position=position))
    ids, mask, _ = batch("packed")
    packed = model(ids, attention_mask=mask).logits
    for row in range(len(ids)):
        for document in mask[row].unique():
            here = mask[row] == document
            torch.testing.assert_close(packed[row, here], model(ids[row : row + 1, here]).logits[0], **CLOSE)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("position", ["rope", "alibi"])
def test_the_cache_gives_the_logits_of_the_whole(position: Any, layout: str) -> None:
    model = lively(BaichuanConfig(**SMALL, position=position)).eval()
    ids, mask, _ = batch(layout)
    whole = model(ids, attention_mask=mask).logits
    with torch.no_grad():
        first = model(ids[:, :5], attention_mask=mask[:, :5])
        cache, parts = first.past_key_values, [first.logits]
        for begin, end in ((5, 9), (9, 10), (10, 11), (11, 20), (20, 21), (21, LENGTH)):
            parts.append(model(ids[:, begin:end], attention_mask=mask[:, :end], past_key_values=cache).logits)
    assert cache.get_seq_length() == LENGTH
    torch.testing.assert_close(torch.cat(parts, 1), whole, **CLOSE)


def test_ones_are_no_mask() -> None:
    model = lively(BaichuanConfig(**SMALL))
    ids, mask, _ = batch("whole")
    assert torch.equal(model(ids).logits, model(ids, attention_mask=mask).logits)
    torch.testing.assert_close(model(ids).logits, model(ids, attention_mask=mask * torch.tensor([[3], [9]])).logits, **CLOSE)

"""The model's face: sizes, names, initialisation, outputs, errors."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from configs.errors import ConfigError, InputError
from model import PRESETS, Baichuan, BaichuanConfig, preset
from tests.model.reference import SMALL, gradients, lively

PUBLISHED = {
    "baichuan-7b": 7_000_559_616,
    "baichuan-13b": 13_264_901_120,
    "baichuan2-7b": 7_505_973_248,
    "baichuan2-13b": 13_896_668_160,
}


def on_meta(config: BaichuanConfig) -> Baichuan:
    with torch.device("meta"):
        return Baichuan(config)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_as_many_parameters_as_its_formula_says(name: str) -> None:
    config = PRESETS[name]
    assert on_meta(config).num_parameters() == config.num_parameters() == PUBLISHED.get(name, config.num_parameters())


def test_presets_are_as_large_as_their_names_and_tables_say() -> None:
    scaling = {name: round(PRESETS[name].num_parameters(embeddings=False) / 1e6, 2) for name in PRESETS if name.startswith("scaling")}
    assert list(scaling.values()) == [11.51, 51.56, 108.01, 307.6, 835.0, 1565.6, 3019.33]
    ours = {
        name: (PRESETS[name].num_parameters(), PRESETS[name].num_parameters(embeddings=False)) for name in ("nano", "micro", "small", "1b")
    }
    import model.presets

    rows = re.findall(r"\| (nano|micro|small|1b) \| ([\d,]+) \| ([\d,]+) \|", model.presets.__doc__ or "")
    assert {name: (int(a.replace(",", "")), int(b.replace(",", ""))) for name, a, b in rows} == ours


def test_parameters_have_the_official_names_and_shapes() -> None:
    shapes = {name: tuple(p.shape) for name, p in on_meta(PRESETS["baichuan2-13b"]).named_parameters()}
    layer = {
        "self_attn.W_pack.weight": (15360, 5120),
        "self_attn.o_proj.weight": (5120, 5120),
        "mlp.gate_proj.weight": (13696, 5120),
        "mlp.up_proj.weight": (13696, 5120),
        "mlp.down_proj.weight": (5120, 13696),
        "input_layernorm.weight": (5120,),
        "post_attention_layernorm.weight": (5120,),
    }
    expected = {f"model.layers.{n}.{name}": shape for n in range(40) for name, shape in layer.items()}
    expected |= {"model.embed_tokens.weight": (125696, 5120), "model.norm.weight": (5120,), "lm_head.weight": (125696, 5120)}
    assert shapes == expected


def test_fresh_weights_are_as_published() -> None:
    torch.manual_seed(0)
    config = preset("micro")
    state = Baichuan(config).state_dict()
    for name, tensor in state.items():
        if name == "lm_head.weight":
            bound = 256**-0.5
            assert 0.99 * bound < tensor.max() <= bound
            assert abs(tensor.std() * 3**0.5 / bound - 1) < 0.01
        elif tensor.ndim > 1:
            assert abs(tensor.std() / 0.02 - 1) < 0.01, name
            assert abs(tensor.mean()) < 4 * 0.02 * tensor.numel() ** -0.5, name
        else:
            assert (tensor == 1).all()
    assert (state["model.embed_tokens.weight"][0] == 0).all()
    head = Baichuan(preset("nano", norm_head=False)).lm_head.weight
    assert abs(head.std() / 0.02 - 1) < 0.01


def test_norm_head_does_not_see_the_length_of_its_rows() -> None:
    model = lively(BaichuanConfig(**SMALL, norm_head=True))
    ids = torch.randint(3, 97, (1, 6))
    before = model(ids).logits
    with torch.no_grad():
        model.lm_head.weight *= torch.linspace(0.1, 9, 97)[:, None]
    torch.testing.assert_close(model(ids).logits, before, atol=1e-5, rtol=0)


def test_z_loss_is_in_the_loss_and_not_in_the_cross_entropy() -> None:
    ids = torch.randint(3, 97, (2, 9))
    plain = lively(BaichuanConfig(**SMALL, norm_head=True))(ids, labels=ids)
    both = lively(BaichuanConfig(**SMALL, norm_head=True, z_loss_weight=0.1))(ids, labels=ids)
    highest = plain.logits[:, :-1].amax(-1).square().mean()
    torch.testing.assert_close(both.loss, plain.loss + 0.1 * highest)
    torch.testing.assert_close(both.cross_entropy, plain.loss.detach())
    assert plain.cross_entropy == plain.loss


@pytest.mark.parametrize("every", [1, 2])
def test_checkpointed_layers_give_the_same_gradients(every: int) -> None:
    model = lively(BaichuanConfig(**SMALL, position="alibi"))
    ids = torch.randint(3, 97, (2, 9))
    plain = gradients(model, model(ids, labels=ids).loss)
    model.checkpoint_layers(every)
    calls = []
    for index, layer in enumerate(model.model.layers):
        layer.register_forward_pre_hook(lambda *_, index=index: calls.append(index))
    again = gradients(model, model(ids, labels=ids).loss)
    assert calls == ([0, 1, 1, 0] if every == 1 else [0, 1, 0])
    for name, gradient in again.items():
        torch.testing.assert_close(gradient, plain[name])


def test_matrices_decay_and_norms_do_not() -> None:
    model = on_meta(PRESETS["nano"])
    decayed, free = model.parameter_groups(0.1)
    assert decayed["weight_decay"] == 0.1
    assert free["weight_decay"] == 0.0
    assert len(decayed["params"]) == 2 + 5 * 4
    assert len(free["params"]) == 1 + 2 * 4
    assert {id(p) for group in (decayed, free) for p in group["params"]} == {id(p) for p in model.parameters()}


def test_a_cache_comes_back_in_evaluation_or_when_asked_for() -> None:
    model, ids = lively(BaichuanConfig(**SMALL)), torch.randint(3, 97, (1, 6))
    assert model(ids).past_key_values is None
    assert model(ids, use_cache=True).past_key_values.length == 6
    assert model.eval()(ids).past_key_values.length == 6
    assert model(ids, labels=ids).past_key_values is None
    assert model(ids, use_cache=False).past_key_values is None


def test_bf16_is_close_to_fp32() -> None:
    model, ids = lively(BaichuanConfig(**SMALL, position="alibi")), torch.randint(3, 97, (2, 20))
    exact = model(ids, labels=ids).loss
    with torch.autocast("cpu", torch.bfloat16):
        assert abs(model(ids, labels=ids).loss / exact - 1) < 0.02
    assert abs(model.bfloat16()(ids, labels=ids).loss / exact - 1) < 0.02


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 50}, "hidden_size: 50 does not divide into 6 num_attention_heads"),
        ({"hidden_size": 54}, "hidden_size: RoPE turns pairs, and heads are 9 wide: wanted an even width"),
        ({"position": "learned"}, "position: got 'learned', wanted rope or alibi"),
        ({"num_hidden_layers": 0}, "num_hidden_layers: got 0, wanted at least 1"),
        ({"pad_token_id": 97}, "pad_token_id: got 97, wanted an id below vocab_size 97"),
        ({"z_loss_weight": -1.0}, "z_loss_weight: got -1.0, wanted at least 0"),
    ],
)
def test_an_impossible_shape_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        BaichuanConfig(**SMALL | changes)


def test_unknown_presets_and_fields_are_named() -> None:
    with pytest.raises(ConfigError, match="unknown preset 'baichuan7b'; did you mean 'baichuan-7b'"):
        preset("baichuan7b")
    with pytest.raises(ConfigError, match="unknown fields heads, layers; known are: bos_token_id"):
        preset("nano", layers=3, heads=2)


def test_a_mask_or_labels_of_another_shape_are_refused() -> None:
    model, ids = lively(BaichuanConfig(**SMALL)).eval(), torch.randint(3, 97, (2, 6))
    with pytest.raises(InputError, match=re.escape("attention_mask: got shape (2, 5), wanted (2, 6)")):
        model(ids, attention_mask=torch.ones(2, 5, dtype=torch.long))
    cache = model(ids).past_key_values
    with pytest.raises(InputError, match=re.escape("wanted (2, 7): the batch, and 6 cached with 1 new positions")):
        model(ids[:, :1], attention_mask=torch.ones(2, 1, dtype=torch.long), past_key_values=cache)
    with pytest.raises(InputError, match=re.escape("labels: got shape (2, 5), wanted that of input_ids, (2, 6)")):
        model(ids, labels=ids[:, 1:])


def test_flops_of_a_token_are_those_of_the_published_7b() -> None:
    config = PRESETS["baichuan-7b"]
    assert (config.flops_per_token(4096), config.flops_per_token(4096, causal=True)) == (46_872_944_640, 43_651_719_168)


def test_the_model_needs_torch_numpy_and_safetensors_only() -> None:
    """Ours and theirs that a bare GPU node may lack are not imported, nor any third package."""
    code = """
import sys
for name in ("yaml", "ray", "pyarrow", "numba", "pydantic", "sentencepiece", "transformers", "orjson", "rich", "typer", "regex"):
    sys.modules[name] = None
import torch
from model import Baichuan, preset
ids = torch.randint(3, 99, (1, 8))
Baichuan(preset("nano"))(ids, labels=ids).loss.backward()
assert not {"stages", "pipeline"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # by torch itself, of its own class
@pytest.mark.parametrize("position", ["rope", "alibi"])
def test_a_training_step_is_one_graph(position: Any) -> None:
    """torch.compile meets no break, with packed documents too, and the gradients are the same."""
    model = lively(BaichuanConfig(**SMALL, position=position, norm_head=True, z_loss_weight=1e-2))
    ids, mask = torch.randint(3, 97, (2, 12)), torch.tensor([[1] * 5 + [2] * 7, [0] * 3 + [4] * 9])

    def step(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = model(ids, attention_mask=mask, labels=ids).loss
        return loss

    compiled = torch.compile(step, backend="aot_eager", fullgraph=True)
    expected, found = gradients(model, step(ids, mask)), gradients(model, compiled(ids, mask))
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-6, rtol=0)

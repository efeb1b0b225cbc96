"""Folders come back as they were; wrong ones are refused by name; converted ones are what other programs read."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from configs.errors import ConfigError, InputError
from model import Baichuan, BaichuanConfig
from model import checkpoint as folders
from model.convert import converted
from tests.model.reference import SMALL, lively

IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 11, 12], [0, 0, 20, 21, 22, 23, 24, 25]])
MASK = (IDS != 0).long()


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS, attention_mask=MASK).logits[MASK != 0]


@pytest.mark.parametrize("position", ["rope", "alibi"])
@pytest.mark.parametrize("norm_head", [False, True])
@pytest.mark.parametrize("shard_bytes", [20_000, folders.SHARD_BYTES])
def test_a_saved_model_comes_back(tmp_path: Path, position: Any, norm_head: bool, shard_bytes: int) -> None:
    model = lively(BaichuanConfig(**SMALL, position=position, norm_head=norm_head, z_loss_weight=2e-4 * norm_head))
    model.save_pretrained(tmp_path, shard_bytes)
    again = Baichuan.from_pretrained(tmp_path)
    assert again.config == model.config
    assert torch.equal(logits(again), logits(model.eval()))
    assert not again.training
    assert all(p.requires_grad for p in again.parameters())
    assert len(list(tmp_path.glob("*.safetensors"))) == (12 if shard_bytes == 20_000 else 1)
    assert not list(tmp_path.glob("*.tmp"))


def test_shards_hold_what_the_index_says(tmp_path: Path) -> None:
    model = lively(BaichuanConfig(**SMALL))
    model.save_pretrained(tmp_path, 20_000)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 4 * model.num_parameters()
    held = {name: file.name for file in tmp_path.glob("*.safetensors") for name in load_file(file)}
    assert held == index["weight_map"]
    assert set(held) == set(model.state_dict())


def test_saving_again_leaves_no_older_weights(tmp_path: Path) -> None:
    lively(BaichuanConfig(**SMALL), seed=1).save_pretrained(tmp_path, 20_000)
    second = lively(BaichuanConfig(**SMALL), seed=2)
    second.save_pretrained(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    third = Baichuan.from_pretrained(tmp_path)
    third.save_pretrained(tmp_path, 20_000)  # over the file that its tensors may still be mapped from
    assert torch.equal(logits(Baichuan.from_pretrained(tmp_path)), logits(second.eval()))


@pytest.mark.parametrize("sharded", [False, True])
def test_bin_files_are_read_without_running_code(tmp_path: Path, sharded: bool) -> None:
    model = lively(BaichuanConfig(**SMALL)).eval()
    state = {**model.state_dict(), "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    (tmp_path / "config.json").write_text(json.dumps(model.config.to_json()))
    if sharded:
        names = list(state)
        files = {"pytorch_model-00001-of-00002.bin": names[:5], "pytorch_model-00002-of-00002.bin": names[5:]}
        for file, part in files.items():
            torch.save({name: state[name] for name in part}, tmp_path / file)
        where = {name: file for file, part in files.items() for name in part}
        (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    else:
        torch.save(state, tmp_path / "pytorch_model.bin")
    assert torch.equal(logits(Baichuan.from_pretrained(tmp_path)), logits(model))
    for file in tmp_path.glob("*.bin"):
        torch.save({"model.norm.weight": Path("code")}, file)
    with pytest.raises(InputError, match=r"pytorch_model.*bin: is not weights alone, and nothing else is read"):
        Baichuan.from_pretrained(tmp_path)


def test_another_type_is_asked_for(tmp_path: Path) -> None:
    model = lively(BaichuanConfig(**SMALL)).bfloat16()
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["torch_dtype"] == "bfloat16"
    assert {p.dtype for p in Baichuan.from_pretrained(tmp_path).parameters()} == {torch.bfloat16}
    assert {p.dtype for p in Baichuan.from_pretrained(tmp_path, dtype=torch.float32).parameters()} == {torch.float32}


def rewritten(folder: Path, change: Any) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")


def test_all_that_does_not_fit_is_named(tmp_path: Path) -> None:
    lively(BaichuanConfig(**SMALL)).save_pretrained(tmp_path)

    def change(state: dict[str, torch.Tensor]) -> None:
        del state["model.layers.1.mlp.up_proj.weight"]
        state["model.layers.2.mlp.up_proj.weight"] = torch.ones(1)
        state["lm_head.weight"] = torch.ones(101, 48)
        state["model.norm.weight"] = torch.ones(47)
        state["model.layers.0.mlp.up_proj.weight"] = torch.ones(80, 48, dtype=torch.int8)

    rewritten(tmp_path, change)
    with pytest.raises(InputError) as caught:
        Baichuan.from_pretrained(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: these weights do not fit config.json: missing: model.layers.1.mlp.up_proj.weight; "
        "not of this model: model.layers.2.mlp.up_proj.weight; lm_head.weight has a vocabulary of 101, config.json one of 97, "
        "model.layers.0.mlp.up_proj.weight is int8: quantised weights are not read, model.norm.weight has shape (47,), wanted (48,)"
    )


def test_incomplete_and_broken_folders_are_refused(tmp_path: Path) -> None:
    model = lively(BaichuanConfig(**SMALL))
    with pytest.raises(InputError, match=r"config.json: cannot be read: No such file or directory"):
        Baichuan.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path, 20_000)
    (tmp_path / "model-00003-of-00012.safetensors").unlink()
    with pytest.raises(InputError, match=r"model-00003-of-00012.safetensors: missing, but the folder's index names it"):
        Baichuan.from_pretrained(tmp_path)
    save_file({"model.norm.weight": torch.ones(48)}, tmp_path / "model-00003-of-00012.safetensors")
    with pytest.raises(InputError, match=r"model-00003-of-00012.safetensors: lacks what the folder's index says is in it: model.layers.0"):
        Baichuan.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    data = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(data[:1000])
    with pytest.raises(InputError, match=r"model.safetensors: cannot be read: "):
        Baichuan.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match=re.escape("no weights; wanted model.safetensors or pytorch_model.bin, or their shards")):
        Baichuan.from_pretrained(tmp_path)


OFFICIAL: dict[str, Any] = {
    **{"architectures": ["x"], "model_type": "baichuan", "hidden_act": "silu", "hidden_size": 48, "intermediate_size": 80},
    **{"num_attention_heads": 6, "num_hidden_layers": 2, "vocab_size": 97, "tie_word_embeddings": False, "use_cache": True},
    **{
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "rms_norm_eps": 1e-6,
        "initializer_range": 0.02,
        "gradient_checkpointing": False,
    },
}


@pytest.mark.parametrize(
    ("more", "position", "norm_head"),
    [
        ({"max_position_embeddings": 4096}, "rope", False),
        ({"model_max_length": 4096}, "alibi", False),
        ({"max_position_embeddings": 4096, "model_max_length": 4096, "z_loss_weight": 0}, "rope", True),
        ({"model_max_length": 4096, "z_loss_weight": 0}, "alibi", True),
        ({"model_max_length": 4096, "vocab_size": 125696}, "alibi", True),
        ({"model_max_length": 4096, "vocab_size": 125696, "norm_head": False}, "alibi", False),
    ],
)
def test_official_configurations_say_which_model_they_are(more: dict[str, Any], position: str, norm_head: bool) -> None:
    config = BaichuanConfig.from_json(OFFICIAL | more)
    assert (config.position, config.norm_head, config.max_length) == (position, norm_head, 4096)
    assert BaichuanConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "llama"}, "c.json: model_type: got 'llama', and Baichuan has 'baichuan': this model cannot be read"),
        ({"hidden_act": "gelu"}, "c.json: hidden_act: got 'gelu', and Baichuan has 'silu'"),
        ({"rope_scaling": {"factor": 2}}, "c.json: rope_scaling: got {'factor': 2}, and Baichuan has None"),
        ({"num_key_value_heads": 2}, "c.json: num_key_value_heads: got 2, and Baichuan shares no keys: 6"),
        ({"hidden_size": None}, "c.json: missing keys: hidden_size"),
        ({"max_position_embeddings": None}, "c.json: missing keys: max_position_embeddings"),
        ({"num_attention_heads": 5}, "c.json: hidden_size: 48 does not divide into 5 num_attention_heads"),
    ],
)
def test_a_configuration_of_another_model_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        BaichuanConfig.from_json(OFFICIAL | {"max_position_embeddings": 4096} | changes, "c.json")


@pytest.mark.parametrize("norm_head", [False, True])
def test_stock_transformers_reads_the_converted_llama(tmp_path: Path, norm_head: bool) -> None:
    transformers = pytest.importorskip("transformers", reason="the development extra brings transformers")
    model = lively(BaichuanConfig(**SMALL, norm_head=norm_head)).eval()
    folders.save(*converted(model, "llama"), tmp_path, 20_000)
    llama = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(llama).__name__ == "LlamaForCausalLM"
    torch.testing.assert_close(logits(llama), logits(model), atol=1e-5, rtol=0)


@pytest.mark.parametrize("position", ["rope", "alibi"])
def test_a_folded_norm_head_gives_the_same_logits(tmp_path: Path, position: Any) -> None:
    model = lively(BaichuanConfig(**SMALL | {"vocab_size": 125_696}, position=position, norm_head=True, z_loss_weight=2e-4)).eval()
    folders.save(*converted(model, "baichuan1"), tmp_path)
    folded = Baichuan.from_pretrained(tmp_path)
    assert (folded.config.norm_head, folded.config.z_loss_weight, folded.config.vocab_size) == (False, 0.0, 125_696)
    torch.testing.assert_close(logits(folded), logits(model), atol=1e-5, rtol=0)
    with safe_open(tmp_path / "model.safetensors", "pt") as opened:
        torch.testing.assert_close(opened.get_tensor("lm_head.weight").norm(dim=1), torch.ones(125_696))


def test_alibi_cannot_become_a_llama() -> None:
    with pytest.raises(ConfigError, match="this model has ALiBi positions and a Llama has RoPE"):
        converted(lively(BaichuanConfig(**SMALL, position="alibi")), "llama")

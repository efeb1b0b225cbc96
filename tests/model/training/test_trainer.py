"""A step: the same in parts, with recomputed activations and compiled; nothing changes where the loss is no number."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from configs.errors import ConfigError
from model import BaichuanConfig, preset
from model.train import Batch, OptimizerSettings, StepSettings, Trainer, build
from model.training.batches import make_batch
from model.training.distributed import World
from model.training.fp8 import BACKWARD, FORWARD, product, scaled
from model.training.optimizer import rounded_stochastically
from tests.model.training.tiny import VOCABULARY, stream

SHAPE = preset("nano", vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2, z_loss_weight=1e-2)
PLAIN = StepSettings(precision="fp32", compile=False)


def trainer(shape: BaichuanConfig = SHAPE, **changes: Any) -> Trainer:
    return build(shape, dataclasses.replace(PLAIN, **changes), seed=5, world=World())


def batch(sequences: int = 6, segments: bool = True) -> Batch:
    return make_batch(stream(), range(sequences), 24, segments)


def gradients(made: Trainer, of: Batch) -> tuple[Tensor, list[Tensor]]:
    sums = made.forward_backward(of)
    return sums, [p.grad for p in made.model.parameters() if p.grad is not None]


@pytest.mark.parametrize("segments", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        {"micro_batch": 4},
        {"micro_batch": 1},
        {"activations": "recompute"},
        {"activations": "selective"},
        {"activations": "recompute", "recompute_every": 2},
    ],
)
def test_parts_and_recomputed_layers_give_the_loss_and_gradients_of_the_whole(changes: dict[str, Any], segments: bool) -> None:
    expected, found = gradients(trainer(), batch(6, segments)), gradients(trainer(**changes), batch(6, segments))
    torch.testing.assert_close(found[0], expected[0], atol=1e-5, rtol=0)
    for ours, theirs in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_parts_are_weighed_by_their_targets() -> None:
    whole = batch(2)
    whole.labels[0, :-1] = -100  # the first sequence has one target, the second twenty or so
    first, second = trainer().losses(whole)
    sums, _ = gradients(trainer(micro_batch=1), whole)
    targets = [(row[1:] != -100).sum().item() for row in whole.labels]
    assert targets[0] == 1
    assert sums[1].item() == pytest.approx((first * targets[0] + second * targets[1]) / sum(targets), abs=1e-5)


@pytest.mark.parametrize("limit", [math.inf, 1.0])
def test_a_loss_that_is_no_number_or_above_the_limit_changes_nothing(limit: float) -> None:
    made = trainer()
    made.step(batch(), 1e-2)
    before = {name: tensor.clone() for name, tensor in made.state().items()}
    if limit == math.inf:
        made.model.model.norm.weight.data[0] = math.nan
        before["model.model.norm.weight"][0] = math.nan
    result = made.step(batch(), 1e-2, limit)
    assert not result.applied
    assert math.isnan(result.cross_entropy) == (limit == math.inf)
    assert made.num_updates == 1
    for name, tensor in made.state().items():
        torch.testing.assert_close(tensor, before[name], atol=0, rtol=0, equal_nan=True)
    assert all(p.grad is None for p in made.model.parameters())


def test_the_update_is_that_of_adamw_after_clipping() -> None:
    made = trainer(optimizer=OptimizerSettings(clip=0.5, weight_decay=0.2, eps=1e-8))
    _, found = gradients(made, batch())
    norm = math.sqrt(sum(g.square().sum().item() for g in found))
    name, weight = next((n, p) for n, p in made.model.named_parameters() if n.endswith("W_pack.weight"))
    clipped = weight.grad.clone() * (0.5 / norm)  # type: ignore[union-attr]
    expected = weight.detach() * (1 - 1e-2 * 0.2) - 1e-2 * clipped / (clipped.abs() + 1e-8)  # the first step's moments are the gradient's
    made.optimizer.zero_grad()
    result = made.step(batch(), 1e-2)
    assert result.grad_norm == pytest.approx(norm, rel=1e-5)
    assert norm > 0.5
    torch.testing.assert_close(dict(made.model.named_parameters())[name].detach(), expected, atol=1e-6, rtol=0)


def test_fresh_weights_are_those_published_and_depend_on_the_seed_alone() -> None:
    one, other = trainer().model.state_dict(), build(SHAPE, PLAIN, seed=6, world=World()).model.state_dict()
    assert all(torch.equal(tensor, trainer().model.state_dict()[name]) for name, tensor in one.items())
    assert (one["model.embed_tokens.weight"][0] == 0).all()
    assert one["lm_head.weight"].abs().max() <= 32**-0.5
    assert one["model.layers.0.mlp.up_proj.weight"].std().item() == pytest.approx(0.02, rel=4 / math.sqrt(2 * 32 * 64))
    assert not torch.equal(one["model.layers.0.mlp.up_proj.weight"], other["model.layers.0.mlp.up_proj.weight"])
    assert not torch.equal(one["model.layers.0.mlp.up_proj.weight"], one["model.layers.1.mlp.up_proj.weight"])


def learnt(made: Trainer) -> float:
    for _ in range(25):
        made.step(batch(8), 1e-2)
    return made.step(batch(8), 0.0).cross_entropy


@pytest.mark.parametrize("changes", [{"precision": "bf16"}, {"precision": "bf16", "optimizer": OptimizerSettings(kind="adamw_bf16")}])
def test_bf16_learns_what_fp32_learns(changes: dict[str, Any]) -> None:
    torch.manual_seed(0)
    reduced, full = learnt(trainer(**changes)), learnt(trainer())
    assert full < 2.5 < math.log(VOCABULARY)
    assert reduced == pytest.approx(full, abs=0.1)


def test_stochastic_rounding_takes_a_neighbour_and_is_exact_on_average() -> None:
    torch.manual_seed(0)
    x = torch.full((100_000,), 1 + 1 / 512)  # bf16 has 1 and 1 + 1/128
    rounded = rounded_stochastically(x).float()
    assert set(rounded.unique().tolist()) == {1.0, 1 + 1 / 128}
    share = (rounded > 1).float().mean().item()
    assert abs(share - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 100_000)
    exact = torch.tensor([0.0, -2.5, 1.0])
    assert torch.equal(rounded_stochastically(exact).float(), exact)


def test_fp8_products_are_near_the_exact_ones() -> None:
    torch.manual_seed(0)
    x, w = torch.randn(32, 64), torch.randn(48, 64) * 1e-3
    # Random signs: relative errors of 2^-4 (e4m3) and 2^-3 (e5m2) at most for each factor, so a norm well below their sum
    for kind, bound in ((FORWARD, 0.05), (BACKWARD, 0.08)):
        found = product(scaled(x, kind), scaled(w, FORWARD)).float()
        assert (found - x @ w.T).norm() < bound * (x @ w.T).norm()


def test_what_this_machine_cannot_do_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"fp8 needs a GPU of compute capability 8\.9 or more, and this is a CPU; take bf16"):
        trainer(precision="fp8")
    with pytest.raises(ConfigError, match=r"adamw_bf16 keeps weights in bf16, and step\.precision is fp32"):
        trainer(optimizer=OptimizerSettings(kind="adamw_bf16"))
    with pytest.raises(ConfigError, match=r"selective forgets all of a layer that is compiled by itself; take compile_scope: model"):
        trainer(compile=True, activations="selective")


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # by torch itself, of its own class
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")  # Dynamo looks at a layer's input
@pytest.mark.parametrize("scope", ["layer", "model"])
def test_a_compiled_step_learns_the_same(monkeypatch: pytest.MonkeyPatch, scope: Any) -> None:
    compile_as = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, **options: compile_as(function, backend="aot_eager", **options))
    plain, compiled = trainer(micro_batch=3), trainer(micro_batch=3, compile=True, compile_scope=scope)
    for _ in range(3):
        ours, theirs = compiled.step(batch(), 1e-2), plain.step(batch(), 1e-2)
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-5)

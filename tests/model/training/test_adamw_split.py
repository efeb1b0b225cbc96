"""Weights in two halves: nothing is lost, and updates are those of torch's AdamW in fp32."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model import preset
from model.train import Batch, OptimizerSettings, StepSettings, build
from model.training.adamw_split import STATE, AdamWSplit, joined, split

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False, max_value=2.0**126, min_value=-(2.0**126))


@settings(deadline=None, max_examples=200)
@given(st.lists(FLOATS, min_size=1, max_size=20))
def test_halves_join_to_the_same_bits(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float32)
    upper, lower = split(x)
    assert (joined(upper, lower).view(torch.int32) == x.view(torch.int32)).all()
    assert (upper.dtype, lower.dtype) == (torch.bfloat16, torch.int16)
    # The nearest bf16, but for exact halves, where torch takes the even one
    tie = (x.view(torch.int32) & 0xFFFF) == 0x8000
    assert ((upper == x.bfloat16()) | tie).all()


def test_updates_are_those_of_adamw_in_fp32_but_for_a_last_bit() -> None:
    torch.manual_seed(0)
    start = torch.randn(40, 30).bfloat16()
    ours = torch.nn.Parameter(start.clone())
    theirs = torch.nn.Parameter(start.float())
    shared = {"lr": 3e-4, "betas": (0.9, 0.95), "eps": 1e-8}
    optimizer = AdamWSplit([{"params": [ours], "weight_decay": 0.1}], **shared, compiled=False)
    optimizer.state[ours] = {"step": torch.zeros(())} | {name: torch.zeros_like(ours, dtype=dtype) for name, dtype in STATE.items()}
    reference = torch.optim.AdamW([theirs], **shared, weight_decay=0.1, foreach=False)
    for _ in range(50):
        ours.grad = torch.randn(40, 30).bfloat16()
        theirs.grad = ours.grad.float()
        optimizer.step()
        reference.step()
    whole = joined(ours.detach(), optimizer.state[ours]["rest"])
    torch.testing.assert_close(whole, theirs.detach(), atol=5e-7, rtol=0)
    assert (whole - start.float()).abs().max() > 1e-3, "weights have moved by more than the tolerance"
    assert (ours.detach() == split(theirs.detach())[0]).float().mean() > 0.999


def test_a_trainer_keeps_the_halves_and_resumes_to_the_bit() -> None:
    shape = preset("nano", vocab_size=320, num_hidden_layers=1)
    step = StepSettings(precision="bf16", micro_batch=2, optimizer=OptimizerSettings(kind="adamw_split"))
    ids = torch.randint(3, 320, (4, 24), generator=torch.Generator().manual_seed(3))
    first, second = build(shape, step), build(shape, step, seed=1)
    losses = [first.step(Batch(ids, ids), 1e-2).loss for _ in range(4)]
    assert losses[-1] < losses[0] - 0.5
    state = {name: tensor.clone() for name, tensor in first.state().items()}
    assert {tensor.dtype for name, tensor in state.items() if name.startswith("rest.")} == {torch.int16}
    second.load_state(lambda name, _rows: state[name], 4)
    for _ in range(3):
        assert second.step(Batch(ids, ids), 1e-2) == first.step(Batch(ids, ids), 1e-2)

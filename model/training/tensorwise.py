"""AdamW a weight at a time, for the kinds that keep other tensors beside a weight than torch's own do."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from model.training.distributed import local


class TensorwiseAdamW(Optimizer):
    """`update(weight, grad, *kept, step, rate, beta1, beta2, eps, decay)` for each weight, compiled into one kernel on a GPU.

    The state is laid out by `make_optimizer`: `step`, and the tensors whose names are `kept`.
    """

    def __init__(
        self,
        groups: Any,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        compiled: bool,
        kept: Sequence[str],
        update: Callable[..., None],
    ) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0})
        self._kept = tuple(kept)
        self._update: Callable[..., None] = torch.compile(update, fullgraph=True, dynamic=True) if compiled else update

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update all weights."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                state["step"] += 1
                rate = torch.tensor(group["lr"], dtype=torch.float32, device=parameter.device)
                tensors = [local(t) for t in (parameter, parameter.grad, *(state[name] for name in self._kept))]
                self._update(*tensors, state["step"], rate, *group["betas"], group["eps"], group["weight_decay"])

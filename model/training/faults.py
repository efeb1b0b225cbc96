"""Losses that are no numbers, and losses that jump: seen before they touch the weights, and named by their documents.

A spike is a cross-entropy far above the median of the last ones, in units of their own scatter (median absolute deviation), so that a
corpus of mixed domains, whose losses scatter, needs no other setting than an even one. What is done about it: `FaultSettings.policy`.
"""

import math
import statistics
from collections import deque
from typing import Any

from configs.errors import RunError
from model.training.settings import FaultSettings
from model.training.trainer import StepResult

_LEAST_DEVIATION = 0.05
_NORMAL = 1.4826
"""Of a normal distribution, the standard deviation in median absolute deviations."""


class Watch:
    """The last losses, and how many faults came in a row."""

    def __init__(self, settings: FaultSettings, state: dict[str, Any] | None = None) -> None:
        """`state` is what an earlier watch's `state` gave."""
        self._settings = settings
        self._losses: deque[float] = deque((state or {}).get("losses", ()), maxlen=settings.window)
        self.in_a_row: int = (state or {}).get("in_a_row", 0)

    def limit(self) -> float:
        """A cross-entropy above it is a spike."""
        if not self._settings.spike or len(self._losses) < self._settings.window:
            return math.inf
        median = statistics.median(self._losses)
        deviation = _NORMAL * statistics.median(abs(loss - median) for loss in self._losses)
        return median + self._settings.spike * max(deviation, _LEAST_DEVIATION)

    def see(self, result: StepResult) -> None:
        """Take note of a step. Faults do not move the limit."""
        if result.applied:
            self._losses.append(result.cross_entropy)
            self.in_a_row = 0
        else:
            self.in_a_row += 1

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"losses": list(self._losses), "in_a_row": self.in_a_row}


def describe(result: StepResult, limit: float) -> str:
    """What was wrong with a step."""
    if not math.isfinite(result.cross_entropy):
        return f"the loss is {result.cross_entropy}"
    if not math.isfinite(result.grad_norm):
        return f"the gradient's norm is {result.grad_norm}"
    return f"the loss jumped to {result.cross_entropy:.3f} (limit {limit:.3f})"


def worst(losses: list[float]) -> list[int]:
    """Which sequences are to blame: those without a number, else the one with the highest loss."""
    broken = [row for row, loss in enumerate(losses) if not math.isfinite(loss)]
    return broken or [max(range(len(losses)), key=losses.__getitem__)]


def stop(step: int, what: str, documents: list[list[str]], why: str) -> RunError:
    """The error that ends a training."""
    shown = ", ".join(f"{document} ({shard})" for shard, document in documents[:5]) or "none known"
    return RunError(
        f"step {step}: {what}; {why}. Documents of the worst sequences: {shown}. "
        "Look at them, lower step.optimizer.learning_rate, or set faults.policy to skip or rewind"
    )

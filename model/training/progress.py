"""What a training says while it runs: one line that is written over on a terminal, a line every few seconds elsewhere."""

import sys
import time
from typing import TextIO

import torch

from model.config import BaichuanConfig
from model.training.distributed import World

LINE_EVERY_SECONDS = 15.0
PEAK_FLOPS = {
    **{"B200": 2250e12, "H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "H800": 989e12},
    **{"A100": 312e12, "A800": 312e12, "L40S": 362e12, "4090": 165e12},
}
"""Dense bf16 by the makers' data sheets, of GPUs whose name contains the key; the first key that fits."""


def peak_flops(device: torch.device) -> float | None:
    """What the device could do in bf16, for the MFU; `None` where nobody says, as of a CPU."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for key, peak in PEAK_FLOPS.items() if key in name), None)


class Progress:
    """Tokens a second, MFU and time left."""

    def __init__(self, shape: BaichuanConfig, length: int, num_steps: int, world: World, quiet: bool) -> None:
        peak = peak_flops(world.device)
        self._flops = shape.flops_per_token(length)
        self._peak = peak * world.size if peak else None
        self._num_steps, self._stream = num_steps, None if quiet or not world.is_first else sys.stderr
        self._smooth_seconds = self._said = 0.0
        self._num_seen = 0

    def mfu(self, tokens_per_second: float) -> float | None:
        """Share of the peak, by 6N + 12·L·d·T operations a token."""
        return tokens_per_second * self._flops / self._peak if self._peak else None

    def step(self, step: int, loss: float, tokens_per_second: float, seconds: float) -> None:
        """Say where the training is, if it is time to."""
        # The first step compiles, and says nothing about those to come
        self._smooth_seconds = 0.9 * self._smooth_seconds + 0.1 * seconds if self._num_seen > 1 else seconds
        self._num_seen += 1
        if self._stream is None:
            return
        live = self._stream.isatty()
        if not live and time.monotonic() - self._said < LINE_EVERY_SECONDS and step < self._num_steps:
            return
        self._said = time.monotonic()
        mfu = self.mfu(tokens_per_second)
        parts = [f"step {step:,}/{self._num_steps:,}", f"loss {loss:.3f}", f"{tokens_per_second:,.0f} tokens/s"]
        parts += [f"MFU {mfu:.1%}"] if mfu is not None else []
        left = int((self._num_steps - step) * self._smooth_seconds)
        parts += [f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left" if step < self._num_steps else "done"]
        _write(self._stream, "   ".join(parts), live and step < self._num_steps)

    def say(self, message: str) -> None:
        """A line that stays."""
        if self._stream is not None:
            _write(self._stream, message, False)


def _write(stream: TextIO, line: str, over: bool) -> None:
    clear = "\r\033[K" if stream.isatty() else ""
    stream.write(clear + line + ("" if over else "\n"))
    stream.flush()

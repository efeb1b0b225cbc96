"""The proxies of a learned mixture, as a run's YAML describes them; `model.proxy` trains them."""

from dataclasses import dataclass
from typing import Annotated

from configs.loader import Between, Positive, SettingError


@dataclass(frozen=True, kw_only=True)
class ProxyOptions:
    """Shape and training of one proxy: 0.11 M parameters that read bytes, if nothing else is said."""

    tokenizer: str = "bytes"
    """`bytes`, or the folder of a tokenizer; its vocabulary then dwarfs a small proxy, so raise `hidden_size` and `tokens` with it."""
    tokens: Positive = 262_144
    """Of one training: some 8 seconds of one core."""
    held_out_tokens: Positive = 16_384
    """Of each target at most so many are measured."""
    hidden_size: Annotated[int, Between(8, 8192)] = 64
    intermediate_size: Annotated[int, Between(8, 32768)] = 176
    layers: Annotated[int, Between(1, 64)] = 2
    heads: Annotated[int, Between(1, 64)] = 4
    length: Annotated[int, Between(8, 8192)] = 64
    """Tokens of a window."""
    batch: Positive = 4
    """Windows of a step."""
    learning_rate: Annotated[float, Between(1e-6, 1)] = 6e-3
    gpus: Annotated[float, Between(0, 1)] = 0.0
    """Of a GPU for one proxy: 1, or a part that several share; 0 trains on one thread of a CPU."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.tokens < self.length * self.batch:
            batch = f"{self.batch} x {self.length} = {self.batch * self.length:,}"
            raise SettingError("tokens", f"got {self.tokens:,}, less than one batch of {batch}")
        if self.hidden_size % self.heads or self.hidden_size // self.heads % 2:
            raise SettingError("heads", f"got {self.heads}, wanted a number that divides hidden_size, {self.hidden_size}, into even widths")
        if self.held_out_tokens < self.length:
            raise SettingError("held_out_tokens", f"got {self.held_out_tokens:,}, less than one window of {self.length}")

"""What a setting's type says beyond its kind, and the error of settings that do not fit together: no YAML reader is needed for these.

A GPU node that has only torch builds settings in Python; `configs.loader` reads them from YAML and gives these names too.
"""

from dataclasses import dataclass
from typing import Annotated

from configs.errors import ConfigError


@dataclass(frozen=True)
class Between:
    """Bounds of a number, both included; `None` leaves a side open."""

    low: float | None = None
    high: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a number is within."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.low is None:
            return f"at most {self.high:g}"
        if self.high is None:
            return f"at least {self.low:g}"
        return f"between {self.low:g} and {self.high:g}"


Share = Annotated[float, Between(0, 1)]
Count = Annotated[int, Between(0)]
Positive = Annotated[int, Between(1)]
Bytes = Annotated[int, Between(1)]
"""A size in bytes; a YAML value may also be written as '2GB', '512MiB' or '64kB'."""


class SettingError(ConfigError):
    """Raised by a dataclass in `__post_init__` when its settings do not fit together; the loader adds file and line."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key, self.message = key, message

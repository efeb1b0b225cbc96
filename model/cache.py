"""Keys and values of earlier tokens, so that each new token costs one position.

B batch, H heads, N new positions, M all positions, D width of a head.

The buffers of a layer grow by doubling: a token appends in place, where concatenation would copy the whole cache for each token (4 GB a
token for a 7B model at 4,096). A cache is for one continuation: it is extended in place.
"""

from torch import Tensor


class KeyValueCache:
    """The keys and values of all layers; `length` tokens are in it."""

    def __init__(self, num_layers: int) -> None:
        self.length = 0
        self._keys: list[Tensor | None] = [None] * num_layers
        self._values: list[Tensor | None] = [None] * num_layers

    def extend(self, layer: int, keys_BHND: Tensor, values_BHND: Tensor) -> tuple[Tensor, Tensor]:
        """Append to a layer; returns all its keys and values, (B, H, M, D). `length` moves only with `advance`."""
        self._keys[layer], keys_BHMD = _appended(self._keys[layer], keys_BHND, self.length)
        self._values[layer], values_BHMD = _appended(self._values[layer], values_BHND, self.length)
        return keys_BHMD, values_BHMD

    def advance(self, num_tokens: int) -> None:
        """Say that all layers were extended by so many tokens."""
        self.length += num_tokens

    def keep_rows(self, rows: Tensor) -> None:
        """Keep these sequences of the batch, in this order: finished ones leave, beams are chosen."""
        self._keys = [None if buffer is None else buffer[rows] for buffer in self._keys]
        self._values = [None if buffer is None else buffer[rows] for buffer in self._values]

    def get_seq_length(self) -> int:
        """As transformers asks for `length`."""
        return self.length


def _appended(buffer: Tensor | None, new_BHND: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """The buffer with new rows at `length`, and its filled part."""
    end = length + new_BHND.shape[2]
    if buffer is None:
        return new_BHND, new_BHND
    if buffer.shape[2] < end:
        grown = buffer.new_empty(*buffer.shape[:2], max(end, 2 * length), buffer.shape[3])
        grown[:, :, :length] = buffer[:, :, :length]
        buffer = grown
    buffer[:, :, length:end] = new_BHND
    return buffer, buffer[:, :, :end]

"""Perplexity by position, within and beyond the trained length: Baichuan-7B's figure (13.8 at 4,096, 13.4 at 5,120, 15.1 at 5,376).

Texts differ in difficulty from their start to their end, so the same tokens are scored twice: in one window from the start of the document
(`whole`), and in windows of the trained length that move by half of it (`trained`), as one would without extrapolation. Where `whole` is
below `trained`, a longer context helps; where it is above, the model fails beyond its length.

Only documents of at least the longest length take part, and all in each row, so that rows differ by position alone. Perplexity is per
token: it compares positions of one model, not models with different tokenizers.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from configs.errors import ConfigError, InputError
from model.evaluate import DRAWS, Encode, bootstrap, interval
from model.likelihood import LanguageModel, Window, sliding_windows, target_nats


class Position(NamedTuple):
    """Tokens at positions first to behind of all documents."""

    first: int
    behind: int
    whole: float
    """Perplexity in one window from the start of the document."""
    trained: float
    """Perplexity of the same tokens in windows of the trained length."""
    up_to: float
    """Perplexity of all tokens from the first to `behind`, in one window: what is quoted for a context of that length."""
    ratio: float
    """whole / trained."""
    interval: list[float] | None
    """Of the ratio, 95 %, over documents."""


def perplexity_by_position(
    model: LanguageModel,
    encode: Encode,
    texts: Iterable[str],
    bounds: Sequence[int],
    batch: int = 1,
    begin_id: int | None = None,
    most_documents: int = 64,
) -> tuple[list[Position], int]:
    """A row between each two of `bounds` (increasing, from 0), and how many documents they are made of.

    Without a begin id the first token is not scored. Raises `InputError` if no text is as long as the last bound, `ConfigError` for bounds
    that do not increase from 0.
    """
    if len(bounds) < 2 or bounds[0] != 0 or any(b <= a for a, b in pairwise(bounds)):
        raise ConfigError(f"positions: got bounds {list(bounds)}, wanted increasing numbers of tokens from 0")
    begin = [] if begin_id is None else [begin_id]
    wanted = bounds[-1] + 1
    found: list[list[int]] = []
    longest = 0
    for text in texts:
        ids = [*begin, *encode(text)]
        longest = max(longest, len(ids))
        if len(ids) >= wanted:
            found.append(ids[:wanted])
        if len(found) == most_documents:
            break
    if not found:
        raise InputError(f"positions: the longest text has {longest:,} tokens, wanted one of at least {wanted:,}; give longer texts")
    whole = np.stack(target_nats(model, [Window(ids, 1) for ids in found], batch))
    length = model.config.max_length
    parts = [sliding_windows(ids, length, max(1, length // 2)) for ids in found]
    pieces = iter(target_nats(model, [window for part in parts for window in part], batch))
    trained = np.stack([np.concatenate([next(pieces) for _ in part]) for part in parts])
    return [_position(whole, trained, a, b) for a, b in pairwise(bounds)], len(found)


def _position(whole: npt.NDArray[np.float64], trained: npt.NDArray[np.float64], first: int, behind: int) -> Position:
    whole_D, trained_D = whole[:, first:behind].mean(1), trained[:, first:behind].mean(1)
    drawn = bootstrap(whole_D - trained_D, np.ones(len(whole_D)), DRAWS, first)
    ends = interval(np.exp(drawn))
    return Position(
        first=first,
        behind=behind,
        whole=math.exp(whole_D.mean()),
        trained=math.exp(trained_D.mean()),
        up_to=math.exp(whole[:, :behind].mean()),
        ratio=math.exp(whole_D.mean() - trained_D.mean()),
        interval=ends,
    )

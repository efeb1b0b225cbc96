"""What a model pays for each id of given sequences, in nats: under every evaluation here.

B sequences of a batch, N positions, T targets, V vocabulary.

Sequences of a batch are padded on the right. A causal model's positions see nothing to their right, so padding needs no mask, the fastest
attention stays in use, and a sequence gets the same figures in any batch up to the rounding of other matrix shapes (1e-6 in fp32). Logits
are made for the asked targets only, so many at a time that they stay in cache or memory, and turned into fp32 before the softmax.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from configs.errors import InputError
from model.loss import CHUNK_NUMBERS

CUDA_MULTIPLE = 128
"""On a GPU lengths are rounded up to this, so that compiled attention meets few shapes."""


class LanguageModel(Protocol):
    """What is asked of a model: `Baichuan`, or anything with its output and configuration."""

    config: Any

    def __call__(self, input_ids: Tensor, *, use_cache: bool) -> Any:
        """An output with `last_hidden_state` (B, N, D) and `head` from hidden states to logits."""


class Window(NamedTuple):
    """A sequence of which ids are scored."""

    ids: Sequence[int]
    first: int
    """Index of the first id that is scored, at least 1: what stands before is given."""


class Scored(NamedTuple):
    """What a window's scored ids cost, (T,) each."""

    nats: npt.NDArray[np.float64]
    likeliest: npt.NDArray[np.bool_]
    """Whether no id was more probable."""


def sliding_windows(ids: Sequence[int], length: int, stride: int) -> list[Window]:
    """Windows of at most `length` given ids that move by `stride`, in which all ids but the first are scored once."""
    windows: list[Window] = []
    scored, start = 1, 0
    while scored < len(ids):
        end = min(start + length + 1, len(ids))
        windows.append(Window(ids[start:end], scored - start))
        scored, start = end, start + stride
    return windows


def target_nats(model: LanguageModel, windows: Sequence[Window], batch: int) -> list[npt.NDArray[np.float64]]:
    """-log p of each scored id given all ids before it in its window, (T,) a window. Raises `InputError` for ids beyond the vocabulary."""
    return [scored.nats for scored in score_targets(model, windows, batch)]


@torch.inference_mode()
def score_targets(model: LanguageModel, windows: Sequence[Window], batch: int) -> list[Scored]:
    """As `target_nats`, with whether each id was the likeliest."""
    _check([window.ids for window in windows], model.config.vocab_size)
    results = [Scored(np.zeros(0), np.zeros(0, np.bool_))] * len(windows)
    for rows, output in _forward(model, [window.ids[:-1] for window in windows], batch):
        parts = [output.last_hidden_state[place, windows[row].first - 1 : len(windows[row].ids) - 1] for place, row in enumerate(rows)]
        targets = torch.tensor([i for row in rows for i in windows[row].ids[windows[row].first :]], device=parts[0].device)
        nats, likeliest = _scores(torch.cat(parts), targets, output.head, model.config.vocab_size)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        for row, values, first in zip(rows, np.split(nats, ends), np.split(likeliest, ends), strict=True):
            results[row] = Scored(values, first)
    return results


@torch.inference_mode()
def last_log_probabilities(
    model: LanguageModel, prompts: Sequence[Sequence[int]], candidates: Sequence[Sequence[int]], batch: int
) -> list[npt.NDArray[np.float64]]:
    """Log probabilities of each prompt's candidates as its next id. Raises `InputError` for ids beyond the vocabulary."""
    _check([*prompts, *candidates], model.config.vocab_size)
    results: list[npt.NDArray[np.float64]] = [np.zeros(0)] * len(prompts)
    for rows, output in _forward(model, prompts, batch):
        last = torch.stack([output.last_hidden_state[place, len(prompts[row]) - 1] for place, row in enumerate(rows)])
        log_shares = output.head(last).float().log_softmax(-1).cpu().double().numpy()
        for place, row in enumerate(rows):
            results[row] = log_shares[place, list(candidates[row])]
    return results


def _check(sequences: Sequence[Sequence[int]], vocabulary: int) -> None:
    for sequence in sequences:
        assert len(sequence), "a sequence without ids has no next id"
        if not 0 <= min(sequence) <= max(sequence) < vocabulary:
            wrong = next(i for i in sequence if not 0 <= i < vocabulary)
            raise InputError(f"id {wrong} is not of the model's vocabulary, 0 to {vocabulary - 1}: is this its tokenizer?")


def _forward(model: LanguageModel, sequences: Sequence[Sequence[int]], batch: int) -> Iterator[tuple[list[int], Any]]:
    """Row numbers and the output of each batch; longest sequences first, so that too little memory shows at once."""
    device = _device(model)
    order = sorted(range(len(sequences)), key=lambda row: -len(sequences[row]))
    for begin in range(0, len(order), batch):
        rows = order[begin : begin + batch]
        longest = len(sequences[rows[0]])
        if device.type == "cuda":
            longest = -(-longest // CUDA_MULTIPLE) * CUDA_MULTIPLE
        ids_BN = torch.tensor([[*sequences[row], *[0] * (longest - len(sequences[row]))] for row in rows], device=device)
        yield rows, model(ids_BN, use_cache=False)


def _scores(hidden_TD: Tensor, targets_T: Tensor, head: Any, vocabulary: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    size = max(1, CHUNK_NUMBERS.get(hidden_TD.device.type, 1 << 26) // vocabulary)
    nats, likeliest = [np.zeros(0)], [np.zeros(0, np.bool_)]
    for begin in range(0, len(hidden_TD), size):
        logits_TV = head(hidden_TD[begin : begin + size]).float()
        target_T = logits_TV.gather(-1, targets_T[begin : begin + size, None]).squeeze(-1)
        nats.append((logits_TV.logsumexp(-1) - target_T).cpu().double().numpy())
        likeliest.append((logits_TV.amax(-1) == target_T).cpu().numpy())
    return np.concatenate(nats), np.concatenate(likeliest)


def _device(model: Any) -> torch.device:
    parameter = next(iter(model.parameters()), None) if hasattr(model, "parameters") else None
    return torch.device("cpu") if parameter is None else parameter.device

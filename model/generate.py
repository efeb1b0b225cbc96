"""Text from a model: greedy or sampled, a batch of prompts of different lengths at a time, each token against the cache.

B batch, N positions, V vocabulary.

Prompts are padded on the left, where padding is seen by nobody, so the most probable continuation of a prompt is the same in any batch.
Finished sequences leave the batch. The repetition penalty is CTRL's (arXiv 1909.05858): the logit of each id that has occurred, in the
prompt too, is divided by it if positive and multiplied if negative. Temperature divides the logits after that; `top_p` then keeps the most
probable ids that together reach it, at least one: the order of transformers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from configs.errors import ConfigError, InputError
from model.baichuan import Baichuan


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next id is chosen."""

    temperature: float = 0.0
    """0: always the most probable id. Else logits are divided by it and an id is drawn."""
    top_p: float = 1.0
    """Draw only among the most probable ids that together have this probability."""
    repetition_penalty: float = 1.0
    """Above 1, ids that have occurred become less probable."""
    max_new_tokens: int = 128
    seed: int = 0
    """Of the draws; the same seed, batch and settings give the same text."""

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ConfigError(f"generate: temperature: got {self.temperature}, wanted 0 or more")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"generate: top_p: got {self.top_p}, wanted more than 0 and at most 1")
        if self.repetition_penalty <= 0:
            raise ConfigError(f"generate: repetition_penalty: got {self.repetition_penalty}, wanted more than 0; 1 is none")
        if self.max_new_tokens < 1:
            raise ConfigError(f"generate: max_new_tokens: got {self.max_new_tokens}, wanted at least 1")


@torch.inference_mode()
def generate(
    model: Baichuan, prompts: Sequence[Sequence[int]], sampling: Sampling, stop_ids: Iterable[int] | None = None
) -> list[list[int]]:
    """The new ids of each prompt, up to and without a stop id (the model's `eos_token_id` if not given).

    Raises `InputError` for an empty prompt or an id beyond the vocabulary.
    """
    device, config = model.lm_head.weight.device, model.config
    _check(prompts, config.vocab_size)
    if not prompts:
        return []
    stops = torch.tensor(sorted({config.eos_token_id} if stop_ids is None else set(stop_ids)), device=device, dtype=torch.long)
    longest = max(map(len, prompts))
    rows = [[config.pad_token_id] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    ids_BN = torch.tensor(rows, device=device)
    mask_BN = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    occurred_BV = torch.zeros(len(prompts), config.vocab_size, dtype=torch.bool, device=device)
    for row, prompt in enumerate(prompts):
        occurred_BV[row, torch.tensor(prompt, device=device)] = True
    generator = torch.Generator(device).manual_seed(sampling.seed)
    alive = torch.arange(len(prompts), device=device)
    results: list[list[int]] = [[] for _ in prompts]
    was_training = model.training
    model.eval()
    cache, head_VD = None, model.head_weight()  # a NormHead is normalised once, not for each token
    for _ in range(sampling.max_new_tokens):
        output = model(ids_BN, attention_mask=mask_BN, past_key_values=cache)
        cache = output.past_key_values
        next_B = choose(linear(output.last_hidden_state[:, -1], head_VD).float(), occurred_BV, sampling, generator)
        goes_on = ~torch.isin(next_B, stops)
        if not goes_on.all():
            kept = goes_on.nonzero().squeeze(1)
            next_B, alive, mask_BN, occurred_BV = next_B[kept], alive[kept], mask_BN[kept], occurred_BV[kept]
            if not len(kept):
                break
            cache.keep_rows(kept)
        for row, number in zip(alive.tolist(), next_B.tolist(), strict=True):
            results[row].append(number)
        occurred_BV.scatter_(1, next_B[:, None], True)
        ids_BN = next_B[:, None]
        mask_BN = torch.cat((mask_BN, torch.ones_like(ids_BN)), dim=1)
    model.train(was_training)
    return results


def choose(logits_BV: Tensor, occurred_BV: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """The next id of each sequence, (B,)."""
    if sampling.repetition_penalty != 1:
        penalty = sampling.repetition_penalty
        logits_BV = torch.where(occurred_BV, torch.where(logits_BV > 0, logits_BV / penalty, logits_BV * penalty), logits_BV)
    if sampling.temperature == 0:
        return logits_BV.argmax(-1)
    shares_BV, order_BV = (logits_BV / sampling.temperature).softmax(-1).sort(-1, descending=True)
    before_BV = shares_BV.cumsum(-1) - shares_BV
    before_BV[:, 0] = 0  # The most probable id stays, whatever rounding says
    shares_BV = shares_BV.masked_fill(before_BV >= sampling.top_p, 0)
    drawn_B1 = torch.multinomial(shares_BV, 1, generator=generator)
    return order_BV.gather(1, drawn_B1).squeeze(1)


def _check(prompts: Sequence[Sequence[int]], vocab_size: int) -> None:
    for number, prompt in enumerate(prompts):
        if not prompt:
            raise InputError(f"prompt {number}: is empty; wanted at least one id, as the begin of text")
        wrong = [i for i in prompt if not 0 <= i < vocab_size]
        if wrong:
            raise InputError(
                f"prompt {number}: id {wrong[0]} is not of the model's vocabulary, 0 to {vocab_size - 1}: is this its tokenizer?"
            )

"""Generation: against transformers, against the model without a cache, and rule by rule."""

import re
from typing import Any

import pytest
import torch

from configs.errors import ConfigError, InputError
from model import Baichuan, BaichuanConfig
from model.generate import Sampling, choose, generate
from tests.model.reference import SMALL, lively
from tests.model.test_parity import llama_of

PROMPTS = [[5, 6, 7, 8, 9], [11], [20, 21, 22]]


def slowly(model: Baichuan, prompt: list[int], steps: int) -> list[int]:
    """The most probable ids, each from the whole text."""
    ids = list(prompt)
    for _ in range(steps):
        ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


@pytest.mark.parametrize("position", ["rope", "alibi"])
def test_a_batch_continues_each_prompt_as_if_alone(position: Any) -> None:
    model = lively(BaichuanConfig(**SMALL, position=position, norm_head=True)).eval()
    alone = [slowly(model, prompt, 20) for prompt in PROMPTS]
    assert generate(model, PROMPTS, Sampling(max_new_tokens=20), stop_ids=()) == alone
    assert len({tuple(ids) for ids in alone}) == 3


def test_a_sequence_ends_before_its_stop_id_and_the_others_go_on() -> None:
    model = lively(BaichuanConfig(**SMALL)).eval()
    alone = [slowly(model, prompt, 20) for prompt in PROMPTS]
    stop = alone[1][3]
    expected = [ids[: ids.index(stop)] if stop in ids else ids for ids in alone]
    assert len(expected[1]) <= 3
    assert max(map(len, expected)) > len(expected[1])
    assert generate(model, PROMPTS, Sampling(max_new_tokens=20), stop_ids=[stop]) == expected


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_greedy_text_is_that_of_transformers(penalty: float) -> None:
    model = lively(BaichuanConfig(**SMALL)).eval()
    llama = llama_of(model).eval()
    prompt = [5, 6, 7, 8, 9]
    settings = llama.generation_config
    settings.max_new_tokens, settings.do_sample, settings.repetition_penalty, settings.eos_token_id = 20, False, penalty, None
    theirs = llama.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, 5, dtype=torch.long), generation_config=settings)
    assert generate(model, [prompt], Sampling(max_new_tokens=20, repetition_penalty=penalty), stop_ids=()) == [theirs[0, 5:].tolist()]


def drawn(shares: list[float], sampling: Sampling, occurred: tuple[int, ...] = (), draws: int = 4000) -> list[float]:
    logits = torch.tensor(shares).log().expand(draws, -1)
    seen = torch.zeros_like(logits, dtype=torch.bool)
    seen[:, list(occurred)] = True
    ids = choose(logits, seen, sampling, torch.Generator().manual_seed(1))
    return (ids.bincount(minlength=len(shares)) / draws).tolist()


def assert_shares(found: list[float], expected: list[float], draws: int = 4000) -> None:
    for share, wanted in zip(found, expected, strict=True):
        assert abs(share - wanted) <= 4 * (wanted * (1 - wanted) / draws) ** 0.5


def test_draws_follow_the_probabilities() -> None:
    assert_shares(drawn([0.5, 0.3, 0.2], Sampling(temperature=1.0)), [0.5, 0.3, 0.2])


def test_temperature_sharpens_them() -> None:
    squares = [0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38]
    assert_shares(drawn([0.5, 0.3, 0.2], Sampling(temperature=0.5)), squares)


@pytest.mark.parametrize(
    ("top_p", "expected"), [(0.01, [1.0, 0, 0]), (0.49, [1.0, 0, 0]), (0.51, [0.625, 0.375, 0]), (0.81, [0.5, 0.3, 0.2])]
)
def test_top_p_keeps_the_most_probable_that_reach_it(top_p: float, expected: list[float]) -> None:
    assert_shares(drawn([0.5, 0.3, 0.2], Sampling(temperature=1.0, top_p=top_p)), expected)


def test_the_repetition_penalty_lowers_positive_and_negative_logits() -> None:
    logits, seen = torch.tensor([[2.0, 1.5, -1.0], [-1.0, -1.5, -9.0]]), torch.tensor([[True, False, False], [True, False, False]])
    greedy = Sampling(repetition_penalty=2.0)
    assert choose(logits, seen, greedy, torch.Generator()).tolist() == [1, 1]
    assert choose(logits, ~seen, greedy, torch.Generator()).tolist() == [0, 0]


def test_a_seed_gives_the_same_text_again_and_another_another() -> None:
    model = lively(BaichuanConfig(**SMALL)).train()
    first, again, other = (generate(model, PROMPTS, Sampling(temperature=1.0, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert model.training


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": -1.0}, "temperature: got -1.0, wanted 0 or more"),
        ({"top_p": 0.0}, "top_p: got 0.0, wanted more than 0 and at most 1"),
        ({"repetition_penalty": 0.0}, "repetition_penalty: got 0.0, wanted more than 0"),
        ({"max_new_tokens": 0}, "max_new_tokens: got 0, wanted at least 1"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Sampling(**changes)


def test_prompts_of_another_vocabulary_are_refused() -> None:
    model = lively(BaichuanConfig(**SMALL))
    assert generate(model, [], Sampling()) == []
    with pytest.raises(InputError, match="prompt 1: is empty"):
        generate(model, [[5], []], Sampling())
    with pytest.raises(InputError, match="prompt 0: id 97 is not of the model's vocabulary, 0 to 96"):
        generate(model, [[97]], Sampling())

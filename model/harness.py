"""A Baichuan under lm-evaluation-harness: the three questions that its tasks ask of a model.

The harness is an extra, `pip install 'baichuan-corpus[harness]'`, and fetches the data of its tasks itself; nothing else here needs it.
"""

from collections.abc import Iterable, Sequence
from importlib import import_module
from itertools import groupby
from typing import Any

from configs.errors import ConfigError
from model.baichuan import Baichuan
from model.generate import Sampling, generate
from model.likelihood import Window, score_targets, sliding_windows, target_nats

MAX_NEW_TOKENS = 256
"""Of a continuation, where a task does not say."""


class Requests:
    """The harness' requests, answered. `tokenizer` has `encode` and `decode`."""

    def __init__(self, model: Baichuan, tokenizer: Any, length: int, batch: int, begin_id: int | None, end_id: int) -> None:
        super().__init__()
        self.model, self.tokenizer, self.length, self.batch = model, tokenizer, length, batch
        self.begin = [] if begin_id is None else [begin_id]
        self.end_id = end_id

    def loglikelihood(self, requests: Iterable[Any], **_: Any) -> list[tuple[float, bool]]:
        """Of each (context, continuation): log p of the continuation, and whether it is the greedy one."""
        windows = [self._window(*request.args) for request in requests]
        return [(-float(found.nats.sum()), bool(found.likeliest.all())) for found in score_targets(self.model, windows, self.batch)]

    def loglikelihood_rolling(self, requests: Iterable[Any], **_: Any) -> list[float]:
        """Log p of each whole text; without a begin id its first token, which has nothing before it, is left out."""
        sums = []
        for request in requests:
            ids = self.begin + list(self.tokenizer.encode(request.args[0]))
            sums.append(
                -sum(float(cost.sum()) for cost in target_nats(self.model, sliding_windows(ids, self.length, self.length), self.batch))
            )
        return sums

    def generate_until(self, requests: Iterable[Any], **_: Any) -> list[str]:
        """A continuation of each (context, settings), up to the first of its stops."""
        numbered = sorted(enumerate(requests), key=lambda item: repr(item[1].args[1]))
        texts = [""] * len(numbered)
        for _settings, same in groupby(numbered, key=lambda item: repr(item[1].args[1])):
            group = list(same)
            settings = group[0][1].args[1]
            sampling = _sampling(settings)
            stops = settings.get("until") or []
            stops = [stops] if isinstance(stops, str) else stops
            for begin in range(0, len(group), self.batch):
                part = group[begin : begin + self.batch]
                room = max(1, self.length - sampling.max_new_tokens)
                prompts = [(self.begin + list(self.tokenizer.encode(request.args[0])))[-room:] or [self.end_id] for _, request in part]
                for (place, _), ids in zip(part, generate(self.model, prompts, sampling, {self.end_id}), strict=True):
                    texts[place] = _before(self.tokenizer.decode([i for i in ids if i < len(self.tokenizer)]), stops)
        return texts

    def _window(self, context: str, continuation: str) -> Window:
        """The continuation behind its context: a space at the context's end belongs to the continuation, and both are encoded together."""
        trimmed = context.rstrip()
        whole = self.begin + list(self.tokenizer.encode(context + continuation))
        alone = self.begin + list(self.tokenizer.encode(trimmed))
        first = next((n for n, (a, b) in enumerate(zip(whole, alone, strict=False)) if a != b), min(len(whole), len(alone)))
        if not context:
            whole, first = [*(self.begin or [self.end_id]), *whole[len(self.begin) :]], 1
        left_out = max(0, len(whole) - self.length - 1)
        return Window(whole[left_out:], max(1, first - left_out))


def run_harness(
    model: Baichuan, tokenizer: Any, tasks: Sequence[str], length: int | None, batch: int, begin_id: int | None, end_id: int
) -> dict[str, Any]:
    """Results by task, as the harness gives them. Raises `ConfigError` without the extra."""
    requests = harness_model(model, tokenizer, length or model.config.max_length, batch, begin_id, end_id)
    found: dict[str, Any] = import_module("lm_eval").simple_evaluate(model=requests, tasks=list(tasks))
    return dict(found["results"])


def harness_model(model: Baichuan, tokenizer: Any, length: int, batch: int, begin_id: int | None, end_id: int) -> Any:
    """What `lm_eval.simple_evaluate(model=...)` takes. Raises `ConfigError` without the extra."""
    try:
        base = import_module("lm_eval.api.model").LM
    except ImportError as error:
        raise ConfigError(f"harness: lm-evaluation-harness is not installed ({error}); pip install 'baichuan-corpus[harness]'") from None
    return type("BaichuanLM", (Requests, base), {})(model, tokenizer, length, batch, begin_id, end_id)


def _sampling(settings: Any) -> Sampling:
    most = int(settings.get("max_gen_toks", MAX_NEW_TOKENS))
    draws = bool(settings.get("do_sample", False))
    return Sampling(
        max_new_tokens=most, temperature=float(settings.get("temperature", 1.0)) if draws else 0.0, top_p=float(settings.get("top_p", 1.0))
    )


def _before(text: str, stops: Sequence[str]) -> str:
    places = [text.find(stop) for stop in stops if stop and stop in text]
    return text[: min(places)] if places else text

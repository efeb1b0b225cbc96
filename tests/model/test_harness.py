"""lm-evaluation-harness' three questions, with a stand-in for its classes; and what is said without it."""

import math
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from configs.errors import ConfigError
from model import Baichuan, preset
from model.generate import Sampling, generate
from model.harness import Requests, harness_model, run_harness
from tests.model.bigram import Bigram


class Bytes:
    def __len__(self) -> int:
        return 259

    def encode(self, text: str) -> list[int]:
        return [3 + byte for byte in text.encode()]

    def decode(self, ids: list[int]) -> str:
        return bytes(i - 3 for i in ids if i >= 3).decode(errors="replace")


def asked(*arguments: Any) -> SimpleNamespace:
    return SimpleNamespace(args=arguments)


def requests(begin_id: int | None = None) -> Requests:
    table = torch.ones(259, 259)
    table[3 + ord("a"), 3 + ord("b")] = 242  # of 500
    table[2, 3 + ord("a")] = 42  # of 300
    return Requests(Bigram(table, 64), Bytes(), 16, 2, begin_id, 2)  # type: ignore[arg-type]


def test_a_continuation_is_scored_behind_its_context_and_known_as_greedy() -> None:
    found = requests().loglikelihood([asked("a", "b"), asked("a", "c"), asked("a ", "b"), asked("", "a")])
    assert [round(value, 4) for value, _ in found] == [
        round(math.log(242 / 500), 4),
        round(math.log(1 / 500), 4),
        round(math.log(1 / 500) + math.log(1 / 259), 4),  # the space at the end of a context belongs to what follows
        round(math.log(42 / 300), 4),
    ]
    assert [greedy for _, greedy in found] == [True, False, False, True]


def test_a_rolling_text_without_begin_leaves_its_first_token_out() -> None:
    assert requests().loglikelihood_rolling([asked("ab")]) == pytest.approx([math.log(242 / 500)])
    assert requests(2).loglikelihood_rolling([asked("ab")]) == pytest.approx([math.log(42 / 300) + math.log(242 / 500)])


def test_generation_ends_before_the_first_stop_in_the_order_that_was_asked() -> None:
    torch.manual_seed(0)
    model = Baichuan(preset("nano", vocab_size=320, num_hidden_layers=1, max_length=64)).eval()
    ours = Requests(model, Bytes(), 64, 2, None, 2)
    prompts = ["one", "another", "x"]
    whole = [
        Bytes().decode([i for i in ids if i < 259])
        for ids in generate(model, [Bytes().encode(p) for p in prompts], Sampling(max_new_tokens=8), {2})
    ]
    assert ours.generate_until([asked(p, {"max_gen_toks": 8}) for p in prompts]) == whole
    stop = whole[0][1]
    stopped = ours.generate_until([asked(p, {"until": [stop], "max_gen_toks": 8}) for p in prompts])
    assert stopped == [text.partition(stop)[0] for text in whole]


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(ConfigError, match=r"pip install 'baichuan-corpus\[harness\]'"):
        harness_model(None, Bytes(), 16, 1, None, 2)  # type: ignore[arg-type]


def test_the_harness_gets_a_model_of_its_own_class_and_its_results_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class LM:
        def __init__(self) -> None:
            self.rank = 0

    names = ("lm_eval", "lm_eval.api", "lm_eval.api.model")
    modules = {name: ModuleType(name) for name in names}
    modules["lm_eval.api.model"].LM = LM  # type: ignore[attr-defined]

    def simple_evaluate(model: Any, tasks: list[str]) -> dict[str, Any]:
        assert isinstance(model, LM)
        assert model.rank == 0
        return {"results": {task: {"acc": model.loglikelihood([asked("a", "b")])[0][1] * 1.0} for task in tasks}, "more": 1}

    modules["lm_eval"].simple_evaluate = simple_evaluate  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    table = torch.ones(259, 259)
    table[3 + ord("a"), 3 + ord("b")] = 9
    assert run_harness(Bigram(table, 64), Bytes(), ("t",), None, 1, None, 2) == {"t": {"acc": 1.0}}  # type: ignore[arg-type]

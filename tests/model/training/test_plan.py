"""What cannot work is refused before the first step, in words that say what to change."""

import dataclasses
import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from configs.errors import ConfigError, CorpusError, InputError, RunError
from configs.loader import CONFIGS, SettingError
from model import Baichuan, preset
from model.train import ModelSettings, OptimizerSettings, StepSettings, TrainConfig, load_config, train
from model.training import loop
from model.training.distributed import World
from model.training.plan import make_plan
from model.training.settings import ScheduleSettings
from tests.model.training.tiny import settings, stream

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tokens": 20_480}, r"^tokens: the budget is 20,480 tokens and in memory holds 20,000; lower it, or pack 2 times as many epochs"),
    ({"tokens": None, "batch": 1000}, r"holds 20,000 tokens, less than one step of batch 1000 x length 32 = 32,000; lower batch or length"),
    (
        {"model": ModelSettings(vocab_size=60)},
        r"^model\.vocab_size: the model has 60 rows, and in memory was packed with a tokenizer of 61 ids",
    ),
    ({"model": ModelSettings(vocab_size=61 + 256)}, r"^model\.vocab_size: the model has 317 rows"),
    ({"model": ModelSettings(preset="smal")}, r"unknown preset 'smal'; did you mean 'small'\?"),
    ({"schedule": ScheduleSettings(warmup_steps=40)}, r"^schedule\.warmup_steps: got 40 of 40 steps in all; warm up shorter"),
    ({"data": "nowhere", "tokenizer": "nowhere/tokenizer.model"}, r"^tokenizer: nowhere/tokenizer\.model: cannot be read: No such file"),
    ({"device": "cuda"}, r"^device: got cuda, and there is none here; take cpu or auto"),
    ({"heldout_tokens": 31}, r"^heldout: 20,000 tokens, of which 31 are measured, are less than one sequence of 32"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_it_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    if changes.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(CorpusError, match=message):
        train(settings(tmp_path / "run", **changes), stream(), stream(), quiet=True)
    assert not (tmp_path / "run").exists()


def test_settings_that_contradict_each_other_are_refused_by_line(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    for text, message in (
        (
            "data: a\noutput: b\nbatch: 4\nlength: 8\ntokens: 31",
            r"train\.yaml:5: tokens: got 31, which is less than one step: batch 4 x length 8 = 32",
        ),
        ("data: a\noutput: b\nheldout_every: 5", r"train\.yaml:3: heldout_every: has no held-out data to measure on"),
        (
            "data: a\noutput: b\nmodel: {weights: c, hidden_size: 8}",
            r"train\.yaml:3: model\.weights: come with their own shape; take out hidden_size",
        ),
        ("data: a\noutput: b\nstep: {presicion: bf16}", r"unknown key 'presicion'; did you mean 'precision'\?"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_config(file)
    assert load_config(file, ("step={precision: fp32}", "seed=3")) == TrainConfig(
        data="a", output="b", seed=3, step=StepSettings(precision="fp32")
    )


def test_a_batch_that_processes_cannot_share_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="batch: got 8 sequences, which 3 processes cannot share evenly"):
        make_plan(settings(tmp_path), stream(), None, World(0, 3))


def test_a_missing_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no_pack"):
        train(settings(tmp_path / "run", data=str(tmp_path / "no_pack")), quiet=True)


def test_the_vocabulary_is_the_packs_rounded_up(tmp_path: Path) -> None:
    plan = make_plan(settings(tmp_path), stream(), None, World())
    assert (plan.shape.vocab_size, plan.shape.eos_token_id, plan.shape.max_length, plan.num_steps) == (64, 2, 32, 40)


def test_another_trainings_folder_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    config = settings(tmp_path / "run", tokens=512)
    first = train(config, stream(), quiet=True)
    assert train(config, stream(), quiet=True) == first
    other = dataclasses.replace(config, seed=9, batch=4)
    with pytest.raises(RunError, match=r"holds another training \(other num_steps, seed, batch\); choose another output"):
        train(other, stream(), quiet=True)
    assert train(other, stream(), quiet=True, overwrite=True).num_steps == 4
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="is not empty and holds no training"):
        train(settings(tmp_path / "mine"), stream(), quiet=True, overwrite=True)


def test_training_goes_on_from_weights(tmp_path: Path) -> None:
    first = train(settings(tmp_path / "first"), stream(), quiet=True)
    weights = ModelSettings(weights=str(tmp_path / "first" / "model"))
    still = dataclasses.replace(
        settings(tmp_path).step, optimizer=dataclasses.replace(settings(tmp_path).step.optimizer, learning_rate=0.0)
    )
    second = train(settings(tmp_path / "second", model=weights, step=still, tokens=512), stream(), stream(), quiet=True)
    assert second.loss < first.loss
    one, two = (Baichuan.from_pretrained(tmp_path / name / "model").state_dict() for name in ("first", "second"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_training_is_decided_by_its_seed_and_leaves_torch_as_it_was(tmp_path: Path) -> None:
    """Also where weights are rounded by chance."""
    step = StepSettings(compile=False, optimizer=OptimizerSettings(kind="adamw_bf16", learning_rate=1e-2))
    config = settings(tmp_path, tokens=1024, step=step)
    torch.manual_seed(1)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    for name, seed in (("one", 4), ("two", 4), ("other", 5)):
        train(dataclasses.replace(config, output=str(tmp_path / name), seed=seed), stream(), quiet=True)
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.get_num_threads() == threads
        torch.manual_seed(1 if name == "two" else 2)
        before = torch.get_rng_state()
    assert torch.tensor([1e-40]).mul(1.0).item() > 0
    one, two, other = ((tmp_path / name / "metrics.jsonl").read_bytes() for name in ("one", "two", "other"))
    assert one == two != other


@pytest.mark.parametrize("message", ["[enforce fail at alloc_cpu.cpp:116] DefaultCPUAllocator: can't allocate memory: you tried", "CUDA"])
def test_full_memory_says_what_to_change(message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory") if message == "CUDA" else RuntimeError(message)

    monkeypatch.setattr(loop._Run, "steps", fails)
    wanted = (
        r"out of memory: .* Change, in this order: step\.micro_batch below the whole share of batch; step\.activations: selective or "
        r"recompute; more processes: torchrun --nproc-per-node; length below 32; then run again"
    )
    with pytest.raises(RunError, match=wanted):
        train(settings(tmp_path / "run"), stream(), quiet=True)


def test_tensorboard_gets_the_metrics_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings(tmp_path / "run", tokens=512, tensorboard=True)
    written: list[Any] = []
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorboard" else found(name))
    with pytest.raises(ConfigError, match="tensorboard: the package is not installed; pip install tensorboard"):
        train(config, stream(), quiet=True)
    assert not (tmp_path / "run").exists()
    writer = SimpleNamespace(add_scalar=lambda *row: written.append(row), close=lambda: written.append("closed"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True if name == "tensorboard" else found(name))
    monkeypatch.setattr(loop, "_board", lambda folder: writer)
    train(config, stream(), quiet=True)
    assert [row[0] for row in written[:3]] == ["cross_entropy", "lr", "grad_norm"]
    assert [row[2] for row in written[:-1]] == [1, 1, 1, 2, 2, 2]
    assert written[-1] == "closed"


def test_a_training_killed_after_its_last_step_measures_once(tmp_path: Path) -> None:
    config = settings(tmp_path / "run", heldout="in memory")
    whole = train(config, stream(), stream(700), quiet=True)
    training = tmp_path / "run" / "training.json"
    training.write_text(json.dumps(json.loads(training.read_text()) | {"result": None}))
    again = train(config, stream(), stream(700), quiet=True)
    assert (again.heldout_loss, again.loss) == (whole.heldout_loss, whole.loss)
    assert len((tmp_path / "run" / "heldout.jsonl").read_text().splitlines()) == 1


def test_other_failures_keep_their_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(loop._Run, "steps", fails)
    with pytest.raises(RuntimeError, match=r"^shapes do not fit$"):
        train(settings(tmp_path / "run"), stream(), quiet=True)


@pytest.mark.parametrize("file", sorted((CONFIGS / "train").glob("*.yaml")), ids=lambda file: file.name)
def test_shipped_trainings_load(file: Path) -> None:
    config = load_config(file)
    assert config.output == f"out/train/{file.stem}"
    if config.model.weights is None:
        assert config.model.shape(64_000, config.length).max_length == config.length


def test_presets_keep_their_shape_but_for_what_is_changed() -> None:
    shape = ModelSettings(preset="micro", num_hidden_layers=2, position="alibi").shape(1000, 512)
    assert shape == dataclasses.replace(preset("micro"), vocab_size=1024, num_hidden_layers=2, position="alibi", max_length=512)

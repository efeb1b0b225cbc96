"""`make smoke`: from a corpus to a trained model, its loss curve and its text in minutes, and proof that it learnt language.

A tenth of the documents, by hash of their ids, is set apart; the tokenizer and the model learn from the others. The loss on what was set
apart must be at least half a nat a token below the entropy of its tokens, which is what a model pays that knows nothing but their
frequencies. A control learns from the same tokens in shuffled order: it must not get there, or the measure is broken. This shows that
corpus, tokenizer, shards, training and generation work together; a corpus is judged by larger models.
"""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import RunError
from configs.loader import Between, Positive, SettingError
from model.generate import Sampling
from model.train import TrainConfig, TrainResult, train
from pipeline.config import Engine
from pipeline.models import continuations
from pipeline.packing.pack_config import PackConfig
from pipeline.packing.packer import pack
from pipeline.texts import texts
from pipeline.tokenizer import train_tokenizer
from tokenizer.heldout import part
from tokenizer.recipe import TrainConfig as TokenizerConfig

MARGIN = 0.5
"""Nats a token that the model must be below the entropy of the tokens."""
CONTROL_MARGIN = 0.1
"""Nats a token that the control may be: ends of documents stay where they are, and it may learn how long documents are."""
_MOST_EPOCHS = 1000.0


@dataclass(frozen=True, kw_only=True)
class SmokeConfig:
    """A smoke run."""

    input: tuple[str, ...]
    """Output folders of corpus runs, or files of documents."""
    output: str
    """Folder for all that is made; what an earlier smoke run left there is replaced."""
    held_out: Annotated[float, Between(0.01, 0.5)] = 0.1
    """Share of the documents, by hash of the id, that nothing learns from."""
    held_out_seed: int = 1
    tokenizer: str = "small_2k"
    """A preset, as `corpus tokenizer train --preset`."""
    epochs: Annotated[float, Between(0.1, 100)] = 5.0
    """How often the documents are repeated. A small sample needs more than the four that are nearly free."""
    control_share: Annotated[float, Between(0.05, 1)] = 0.5
    """The control's budget, as a share of the model's: it has less to learn."""
    prompts: tuple[str, ...] = ()
    new_tokens: Positive = 48
    train: TrainConfig = field(default_factory=lambda: TrainConfig(data="", output=""))
    """The training; `data`, `heldout` and `output` are the smoke run's own and must be empty here."""

    def __post_init__(self) -> None:
        if self.train.data or self.train.output or self.train.heldout:
            raise SettingError("train", "data, output and heldout are made by the smoke run; leave them empty")


def smoke(config: SmokeConfig, quiet: bool = False) -> dict[str, Any]:
    """Make everything, print it, and return the figures. Raises `RunError` if the model learnt too little or the control too much."""
    started = time.perf_counter()
    folder = Path(config.output)
    if folder.exists():
        if any(folder.iterdir()) and not (folder / "documents").is_dir():
            raise RunError(f"{folder}: is not empty and holds no smoke run; choose another output")
        shutil.rmtree(folder)
    learnt, apart = _set_apart(config, folder)
    _say(quiet, f"documents  {learnt:,} to learn from, {apart:,} set apart by hash of their ids")
    made = TokenizerConfig(input=(str(folder / "documents/learnt.parquet"),), output=str(folder / "tokenizer"), preset=config.tokenizer)
    train_tokenizer(made, quiet=True)
    packs = {name: _packed(folder, name, config.epochs if name == "learnt" else 1.0) for name in ("learnt", "apart")}
    unique = packs["learnt"]["num_tokens"] / config.epochs
    _say(quiet, f"tokens     {unique:,.0f} to learn from, {config.epochs:g} times; {packs['apart']['num_tokens']:,} set apart")
    own = replace(config.train, data=str(folder / "packed/learnt"), heldout=str(folder / "packed/apart"))
    model = train(replace(own, output=str(folder / "nano")), quiet=quiet)
    budget = int(model.tokens * config.control_share)
    control = train(replace(own, output=str(folder / "control"), tokens=budget, shuffle_tokens=True), quiet=quiet)
    figures = {"model": _figures(model), "control": _figures(control), "seconds": round(time.perf_counter() - started, 1)}
    if not quiet:
        _print(config, folder, model, control)
        print(f"seconds    {figures['seconds']}")
    _judge(figures)
    return figures


def _set_apart(config: SmokeConfig, folder: Path) -> tuple[int, int]:
    """Write both parts of the documents; how many they are."""
    (folder / "documents").mkdir(parents=True)
    counts = []
    for name, held_out in (("learnt", False), ("apart", True)):
        batches: Iterable[pa.RecordBatch] = texts(config.input)()
        rows = pa.Table.from_batches(list(part(batches, config.held_out, config.held_out_seed, held_out=held_out)))
        if not rows.num_rows:
            raise RunError(f"{', '.join(config.input)}: no document is left in the part '{name}'; take more documents")
        pq.write_table(rows, folder / "documents" / f"{name}.parquet")
        counts.append(rows.num_rows)
    return counts[0], counts[1]


def _packed(folder: Path, name: str, epochs: float) -> dict[str, Any]:
    config = PackConfig(
        input=(str(folder / "documents" / f"{name}.parquet"),),
        tokenizer=str(folder / "tokenizer"),
        output=str(folder / "packed" / name),
        epochs=epochs,
        max_epochs=_MOST_EPOCHS,
        engine=Engine(executor="inprocess"),
    )
    return pack(config, quiet=True)


def _figures(result: TrainResult) -> dict[str, Any]:
    assert result.heldout_loss is not None
    assert result.unigram_entropy is not None
    return {
        **{"tokens": result.tokens, "steps": result.num_steps, "seconds": result.seconds, "tokens_per_second": result.tokens_per_second},
        **{"loss": result.loss, "heldout_loss": result.heldout_loss, "unigram_entropy": result.unigram_entropy},
        "below_entropy": result.unigram_entropy - result.heldout_loss,
    }


def _print(config: SmokeConfig, folder: Path, model: TrainResult, control: TrainResult) -> None:
    print(f"\n{'':10} {'tokens':>10} {'tokens/s':>9} {'training loss':>14} {'held out':>9} {'entropy':>8} {'below':>7}   nats a token")
    for name, result in (("model", model), ("control", control)):
        row = _figures(result)
        print(
            f"{name:10} {row['tokens']:10,} {row['tokens_per_second']:9,.0f} {row['loss']:14.3f} {row['heldout_loss']:9.3f}"
            f" {row['unigram_entropy']:8.3f} {row['below_entropy']:7.3f}"
        )
    print(f"curve      {folder}/nano/loss.png, {folder}/control/loss.png")
    print(f"model      {folder}/nano/model\n")
    sampling = Sampling(temperature=0.8, top_p=0.9, repetition_penalty=1.2, max_new_tokens=config.new_tokens)
    weights = f"{folder}/nano/model"
    for prompt, text in zip(config.prompts, continuations(weights, config.prompts, sampling, None, False, "stored", "cpu"), strict=True):
        print(f"{prompt}|{' '.join(text.split())}")


def _judge(figures: dict[str, Any]) -> None:
    model, control = figures["model"]["below_entropy"], figures["control"]["below_entropy"]
    if model < MARGIN:
        raise RunError(f"the model's held-out loss is {model:.3f} nats below the entropy of the tokens, wanted {MARGIN}: it has not learnt")
    if control > CONTROL_MARGIN:
        raise RunError(
            f"the control, which saw tokens in shuffled order, is {control:.3f} nats below their entropy, wanted at most {CONTROL_MARGIN}: "
            "held-out tokens leak into training, or the loss is wrong"
        )


def _say(quiet: bool, line: str) -> None:
    if not quiet:
        print(line, flush=True)

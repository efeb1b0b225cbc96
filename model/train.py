"""Train a Baichuan: `torchrun -m model.train CONFIG` on GPU nodes, `corpus train CONFIG` elsewhere, or in a program:

    from model.train import build, train

    result = train(config)                                             # a whole training: model/training/loop.py
    trainer = build(shape, settings); trainer.step(batch, 3e-4)   # one step: model/training/trainer.py

Needs torch, numpy and safetensors; a configuration file also PyYAML.
"""

import argparse
import sys
from pathlib import Path

from configs.errors import CorpusError
from model.training.batches import Batch
from model.training.distributed import leave, world_rank
from model.training.loop import TrainResult, train
from model.training.settings import ModelSettings, OptimizerSettings, StepSettings, TrainConfig
from model.training.trainer import StepResult, Trainer, build

__all__ = [
    "Batch",
    "ModelSettings",
    "OptimizerSettings",
    "StepResult",
    "StepSettings",
    "TrainConfig",
    "TrainResult",
    "Trainer",
    "build",
    "load_config",
    "main",
    "train",
]


def load_config(path: str | Path, overrides: tuple[str, ...] = ()) -> TrainConfig:
    """A training's YAML file, with `KEY=VALUE` settings over it. Raises `ConfigError`."""
    from configs.loader import load, override, read_yaml

    root = read_yaml(path)
    for assignment in overrides:
        override(root, assignment)
    return load(TrainConfig, root)


def main(arguments: list[str] | None = None) -> int:
    """The command; its exit status: 2 for an error that the user can mend."""
    parser = argparse.ArgumentParser(prog="torchrun -m model.train", description="Train a Baichuan, or go on with a stopped training.")
    parser.add_argument("config", help="the training's YAML file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting; may be repeated")
    parser.add_argument("--overwrite", action="store_true", help="replace another training in the output folder")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    given = parser.parse_args(arguments)
    try:
        result = train(load_config(given.config, tuple(given.set)), quiet=given.quiet, overwrite=given.overwrite)
    except CorpusError as error:
        if world_rank() == 0:
            print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        leave()
    if not given.quiet and world_rank() == 0:
        print(f"{result.folder}/model: loss {result.loss:.3f} after {result.tokens:,} tokens, {result.tokens_per_second:,.0f} a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())

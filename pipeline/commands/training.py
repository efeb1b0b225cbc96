"""`corpus train` and `corpus smoke`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import Quiet, Set

app = typer.Typer(add_completion=False)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="The training's YAML file.", show_default=False)],
    overrides: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another training in the output folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a Baichuan on packed shards, or go on with a training that was stopped (docs/training.md)."""
    from pipeline.training import train_model, wait_passively

    wait_passively()
    train_model(config, tuple(overrides or ()), overwrite, quiet)


@app.command()
def smoke(
    config: Annotated[Path, typer.Argument(help="The smoke run's YAML file.", show_default=False)],
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Train a tiny model on a corpus, and a control on its shuffled tokens: does the text teach anything, does all of it work?"""
    from pipeline.training import wait_passively

    wait_passively()
    from configs.loader import load_with_options
    from pipeline.smoke import SmokeConfig
    from pipeline.smoke import smoke as smoke_corpus

    smoke_corpus(load_with_options(SmokeConfig, config, {}, (), tuple(overrides or ())), quiet)

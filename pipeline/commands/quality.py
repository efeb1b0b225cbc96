"""`corpus quality`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import Set

app = typer.Typer(help="Train models of what good text is.", no_args_is_help=True)


@app.command("train")
def train_quality(
    config: Annotated[Path, typer.Argument(help="The training's YAML file.", show_default=False)],
    overrides: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace whatever the output folder holds.")] = False,
) -> None:
    """Train a quality model on good and bad sources; nothing is done again if it is up to date."""
    from pipeline.quality.card import print_report
    from pipeline.quality.config import load_training
    from pipeline.quality.train import train

    settings = load_training(config, tuple(overrides or ()))
    print_report(settings.output, train(settings, overwrite))

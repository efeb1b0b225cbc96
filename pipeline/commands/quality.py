"""`corpus quality`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import Set

app = typer.Typer(help="Train and calibrate models of what good text is.", no_args_is_help=True)


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


@app.command("calibrate")
def calibrate_quality(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model's folder.", show_default=False)],
    labels: Annotated[str, typer.Argument(metavar="LABELS", help="Folder with keep.jsonl and drop.jsonl.", show_default=False)],
    output: Annotated[str, typer.Option("--output", metavar="FOLDER", help="Where the calibrated model goes.", show_default=False)],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace whatever the output folder holds.")] = False,
) -> None:
    """Make a model's probabilities hold for your texts, from some that you labelled (corpus inspect)."""
    from pipeline.quality.card import print_calibration
    from pipeline.quality.recalibrate import calibrate_model

    print_calibration(output, calibrate_model(model, labels, output, overwrite))

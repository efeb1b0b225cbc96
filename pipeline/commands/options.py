"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Argument(help="The run's YAML file.", show_default=False)]
Run = Annotated[str, typer.Argument(metavar="RUN", help="The output folder of a run.", show_default=False)]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting: stages.document_dedup.bands=32.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no tables.")]


def escaped(text: str) -> str:
    """Text as it stands, where `rich` would read `[…]` as markup."""
    return text.replace("[", "\\[")

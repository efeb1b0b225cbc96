"""`corpus variants`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import Quiet, Set

app = typer.Typer(add_completion=False)


@app.command()
def variants(
    config: Annotated[Path, typer.Argument(help="The comparison's YAML file.", show_default=False)],
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Compare corpora by small models that are trained on each: better, worse or inconclusive (docs/variants.md)."""
    from pipeline.variants.compare import compare_variants
    from pipeline.variants.config import load_variants
    from pipeline.variants.table import print_verdict

    result = compare_variants(load_variants(config, tuple(overrides or ())), quiet)
    if not quiet:
        print_verdict(result)

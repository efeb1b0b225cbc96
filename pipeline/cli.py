"""The `corpus` command: its groups of commands, and errors that a user can mend as one message and exit status 2."""

import sys
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from configs.errors import CorpusError
from pipeline.commands import evaluation, models, packing, quality, runs, tokenizers, training, variants
from pipeline.commands.options import escaped
from pipeline.kernels import drop_stale_kernels


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Answer Ctrl-C here: typer would make it `Aborted.` or nothing, by its version."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("stopped; what is done is kept: run the same command again to continue", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Commands,
    help="Raw Chinese and English text in; a clean, accounted-for pre-training corpus out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(runs.app)
app.add_typer(quality.app, name="quality")
app.add_typer(tokenizers.app, name="tokenizer")
app.add_typer(packing.app)
app.add_typer(models.app, name="model")
app.add_typer(evaluation.app)
app.add_typer(training.app)
app.add_typer(variants.app)


def main() -> None:
    """Entry point of `corpus`."""
    drop_stale_kernels()
    try:
        app()
    except CorpusError as error:
        Console(stderr=True).print(f"[bold red]error:[/] {escaped(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(2)


if __name__ == "__main__":
    main()

"""`corpus evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.models import Model
from pipeline.commands.options import Quiet, Set

app = typer.Typer()


@app.command("evaluate")
def evaluate_model(
    model: Model,
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file with settings.", show_default=False)] = None,
    texts: Annotated[list[str] | None, typer.Option("--texts", metavar="PATH", help="Held-out texts; may be repeated.")] = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", metavar="FILE", help="Else tokenizer.model in the model's folder; or: bytes.")
    ] = None,
    harness: Annotated[
        list[str] | None, typer.Option("--harness", metavar="TASK", help="Of lm-evaluation-harness; may be repeated.")
    ] = None,
    output: Annotated[str | None, typer.Option("--output", help="Folder for figures and rows.")] = None,
    overrides: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an evaluation in that folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure a model: bits per byte of held-out texts, perplexity by position, few-shot questions."""
    from pipeline.evaluation.run import evaluate
    from pipeline.evaluation.settings import load_evaluation
    from pipeline.evaluation.tables import print_figures

    named = {"model": model, "texts": texts, "tokenizer": tokenizer, "harness": harness, "output": output}
    settings = load_evaluation(config, named, tuple(overrides or ()))
    figures = evaluate(settings, overwrite, quiet)
    if not quiet:
        print_figures(figures)
        print(f"figures  {settings.output}/evaluation.json       rows: documents.parquet, questions.parquet")

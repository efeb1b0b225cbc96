"""`corpus tokenizer`."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import Quiet, Set

app = typer.Typer(help="Train a tokenizer.", no_args_is_help=True, add_completion=False)


@app.command("train")
def train(
    config: Annotated[Path | None, typer.Argument(help="The training's YAML file.", show_default=False)] = None,
    inputs: Annotated[list[str] | None, typer.Option("--input", metavar="PATH", help="A run's folder, or files; may be repeated.")] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="baichuan1, baichuan2, small_2k, small_8k, small_32k, or a file.")] = None,
    vocab_size: Annotated[int | None, typer.Option("--vocab-size", help="Instead of the preset's.")] = None,
    output: Annotated[str | None, typer.Option("--output", help="Folder for the tokenizer.")] = None,
    overrides: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a tokenizer in that folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a SentencePiece tokenizer on corpora or files: tokenizer.model, a card, and what Hugging Face loads."""
    from pipeline.tokenizer import load_or_make, train_tokenizer

    named = {"input": inputs, "preset": preset, "vocab_size": vocab_size, "output": output}
    settings = load_or_make(config, {key: value for key, value in named.items() if value}, tuple(overrides or ()))
    facts = train_tokenizer(settings, overwrite, quiet)
    if not quiet:
        texts, ids = facts["texts"], facts["recipe"]["vocab_size"]
        print(f"{ids:,} ids from {texts['taken']:,} of {texts['read']:,} texts, {texts['bytes_taken'] / 1e6:,.1f} MB, {facts['seconds']} s")
        print(f"model    {settings.output}/tokenizer.model       SentencePiece; tokenizer.json for Hugging Face")
        print(f"card     {settings.output}/README.md             options and data: training.json")

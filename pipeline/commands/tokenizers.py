"""`corpus tokenizer`."""

from pathlib import Path
from typing import Annotated

import typer

from configs.errors import ConfigError
from pipeline.commands.options import Quiet, Set

app = typer.Typer(help="Train tokenizers, compare them, and look at their pieces.", no_args_is_help=True, add_completion=False)


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


@app.command("compare")
def compare(
    config: Annotated[Path | None, typer.Argument(help="The comparison's YAML file.", show_default=False)] = None,
    texts: Annotated[list[str] | None, typer.Option("--texts", metavar="PATH", help="A run's folder, or files; may be repeated.")] = None,
    tokenizers: Annotated[
        list[str] | None,
        typer.Option("--tokenizer", metavar="[NAME=]PATH", help="A .model, tokenizer.json or .tiktoken file or a folder; may be repeated."),
    ] = None,
    output: Annotated[str | None, typer.Option("--output", help="Folder for the report.")] = None,
    held_out: Annotated[float | None, typer.Option("--held-out", help="Measure this share, which a training with it leaves out.")] = None,
    overrides: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a report in that folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Compare tokenizers on the same texts: compression by language and domain, round trips, use, speed; tables, JSON and a page."""
    from configs.loader import load_with_options
    from pipeline.compression.compare import PAGE_NAME, REPORT_NAME, compare
    from pipeline.compression.config import CompareConfig, candidate
    from pipeline.compression.tables import print_comparison

    if config is None and not (texts and tokenizers and output):
        raise ConfigError("wanted a YAML file, or --texts, --tokenizer and --output")
    named = {"texts": texts, "output": output, "held_out": held_out, "tokenizers": [candidate(text) for text in tokenizers or ()] or None}
    settings = load_with_options(CompareConfig, config, named, (), tuple(overrides or ()))
    report = compare(settings, overwrite, quiet)
    if not quiet:
        print_comparison(report)
        print(f"page     {settings.output}/{PAGE_NAME}\nnumbers  {settings.output}/{REPORT_NAME}")


@app.command("inspect")
def inspect(
    tokenizer: Annotated[str, typer.Argument(metavar="TOKENIZER", help="A folder or file, as for compare.", show_default=False)],
    texts: Annotated[list[str] | None, typer.Option("--texts", metavar="PATH", help="Count how often pieces are used here.")] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="So many of the longest, rarest and dirtiest pieces.")] = 20,
    split: Annotated[str | None, typer.Option("--split", help="Of a .tiktoken file of no known size.")] = None,
    json_file: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write what is shown here too.")] = None,
    page_file: Annotated[str | None, typer.Option("--page", metavar="FILE", help="Write it as an HTML page too.")] = None,
) -> None:
    """Show the longest, rarest and dirtiest pieces of a tokenizer, and counts by script and length."""
    from pipeline.compression.inspect import inspect
    from pipeline.compression.tables import print_pieces

    print_pieces(tokenizer, inspect(tokenizer, texts or [], top, split, json_file, page_file))
    for kind, file in (("figures", json_file), ("page", page_file)):
        if file:
            print(f"{kind:<8} {file}")


@app.command("sweep")
def sweep(
    config: Annotated[Path | None, typer.Argument(help="The sweep's YAML file.", show_default=False)] = None,
    texts: Annotated[list[str] | None, typer.Option("--texts", metavar="PATH", help="A run's folder, or files; may be repeated.")] = None,
    output: Annotated[str | None, typer.Option("--output", help="Folder for the report and the models.")] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="As for train; its size and coverage do not count.")] = None,
    overrides: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a report in that folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure vocabularies of many sizes, and from which model on a larger one pays for its embeddings."""
    from configs.loader import load_with_options
    from pipeline.compression.config import SweepConfig
    from pipeline.compression.sweep import PAGE_NAME, REPORT_NAME, sweep
    from pipeline.compression.tables import print_sweep

    named = {"texts": texts, "output": output, "preset": preset}
    settings = load_with_options(SweepConfig, config, named, ("texts", "output"), tuple(overrides or ()))
    report = sweep(settings, overwrite, quiet)
    if not quiet:
        print_sweep(report)
        print(f"page     {settings.output}/{PAGE_NAME}\nnumbers  {settings.output}/{REPORT_NAME}")

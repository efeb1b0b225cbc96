"""`corpus pack`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.commands.options import Quiet, Set

app = typer.Typer(add_completion=False)


@app.command()
def pack(
    config: Annotated[Path | None, typer.Argument(help="The pack's YAML file.", show_default=False)] = None,
    inputs: Annotated[list[str] | None, typer.Option("--input", metavar="PATH", help="A run's folder, or files; may be repeated.")] = None,
    tokenizer: Annotated[str | None, typer.Option("--tokenizer", metavar="DIR", help="A folder with tokenizer.model, or bytes.")] = None,
    output: Annotated[str | None, typer.Option("--output", help="Folder for the shards.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Decides the order of the documents.")] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="How often the whole is repeated.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="Where the stream ends.")] = None,
    window: Annotated[int | None, typer.Option("--window", help="Training's length: few documents that fit it are cut by it.")] = None,
    overrides: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another pack in that folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write a corpus as token shards for training: shuffled, weighted, in Megatron's format with a header (docs/packing.md)."""
    from configs.loader import load_with_options
    from pipeline.packing.pack_config import PackConfig
    from pipeline.packing.pack_summary import print_summary
    from pipeline.packing.packer import pack as pack_corpus

    named: dict[str, Any] = {"input": inputs, "tokenizer": tokenizer, "output": output}
    named |= {"seed": seed, "epochs": epochs, "max_tokens": max_tokens, "window": window}
    settings = load_with_options(PackConfig, config, named, ("input", "tokenizer", "output"), tuple(overrides or ()))
    header = pack_corpus(settings, overwrite, quiet)
    if not quiet:
        print_summary(header)
        if header.get("already_complete"):
            print(f"{settings.output}: this pack was already complete; nothing was done again")
        print(f"shards   {settings.output}/train-*.bin, .idx       Megatron's format; documents: train-*.documents.parquet")
        print(f"header   {settings.output}/pack.json")

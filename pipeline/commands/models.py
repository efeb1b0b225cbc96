"""`corpus model`."""

from typing import Annotated

import typer
from rich.console import Console

from pipeline.commands.options import escaped

app = typer.Typer(help="Convert a Baichuan checkpoint, or write text with it.", no_args_is_help=True)
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A folder with config.json and weights.", show_default=False)]


@app.command("convert")
def convert_model(
    model: Model,
    output: Annotated[str, typer.Option("--output", help="A new folder.")],
    to: Annotated[str, typer.Option("--to", help="llama (models with RoPE), or baichuan1: a NormHead folded into the head.")] = "llama",
) -> None:
    """Write a model for programs that know Llama or Baichuan 1 only."""
    from pipeline.models import convert

    print(f"{output}: {', '.join(convert(model, output, to))}")


@app.command("generate")
def generate(
    model: Model,
    prompts: Annotated[list[str], typer.Argument(metavar="PROMPT...", show_default=False)],
    tokenizer: Annotated[str | None, typer.Option("--tokenizer", metavar="FILE", help="Else tokenizer.model in the folder.")] = None,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens")] = 128,
    temperature: Annotated[float, typer.Option("--temperature", help="0: always the most probable token.")] = 0.0,
    top_p: Annotated[float, typer.Option("--top-p", help="Draw among the most probable tokens that reach it together.")] = 1.0,
    repetition_penalty: Annotated[float, typer.Option("--repetition-penalty", help="Above 1: what occurred is less probable.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    begin: Annotated[bool, typer.Option("--begin", help="Put the begin token before each prompt.")] = False,
    dtype: Annotated[str, typer.Option("--dtype", help="stored, float32 or bfloat16.")] = "stored",
    device: Annotated[str | None, typer.Option("--device", help="cpu or cuda; cuda if there is one.", show_default=False)] = None,
) -> None:
    """Continue each prompt."""
    from model.generate import Sampling
    from pipeline.models import continuations

    sampling = Sampling(
        temperature=temperature, top_p=top_p, repetition_penalty=repetition_penalty, max_new_tokens=max_new_tokens, seed=seed
    )
    for prompt, text in zip(prompts, continuations(model, prompts, sampling, tokenizer, begin, dtype, device), strict=True):
        Console().print(f"[dim]{escaped(prompt)}[/]{escaped(text)}", soft_wrap=True, highlight=False)

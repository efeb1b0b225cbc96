"""The `corpus` command. Each command is a thin face of a function; errors that a user can mend are one message and exit status 2."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from configs.errors import ConfigError, CorpusError


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

Config = Annotated[Path, typer.Argument(help="The run's YAML file.", show_default=False)]
Run = Annotated[str, typer.Argument(metavar="RUN", help="The output folder of a run.", show_default=False)]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting: stages.document_dedup.bands=32.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no tables.")]


@app.command()
def run(
    config: Config,
    overrides: Set = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, print the plan, start nothing.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another configuration's outputs in the same folder.")] = False,
    quiet: Quiet = False,
) -> None:
    """Make a corpus, or continue making it."""
    from pipeline.config import load_run
    from pipeline.plan import describe, make_plan

    settings = load_run(config, tuple(overrides or ()))
    if dry_run:
        for line in describe(make_plan(settings)):
            print(line)
        return
    from pipeline.run import run as run_corpus

    summary = run_corpus(settings, overwrite, quiet)
    _report(summary, quiet)


@app.command()
def select(
    run_folder: Run,
    output: Annotated[str, typer.Option("--output", help="A new folder for the corpus that this selection makes.")],
    overrides: Set = None,
    quiet: Quiet = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another run's outputs in that folder.")] = False,
) -> None:
    """Decide again with other thresholds, takedown lists or duplicate policy, from saved scores, in seconds."""
    from pipeline.reselect import select as select_again

    summary = select_again(run_folder, output, tuple(overrides or ()), quiet, overwrite)
    _report(summary, quiet)


@app.command()
def explain(run_folder: Run, document_id: Annotated[str, typer.Argument(metavar="ID", show_default=False)]) -> None:
    """Tell one document's story: where it came from, its signals, its reasons, and a diff against what it duplicates."""
    from pipeline.explain import print_story

    print_story(run_folder, document_id)


@app.command()
def duplicates(
    run_folder: Run,
    show: Annotated[str | None, typer.Option("--show", metavar="ID", help="Only the cluster of this document, with its texts.")] = None,
    members: Annotated[int, typer.Option("--members", min=1, help="With --show: so many members, the least similar first.")] = 10,
    top: Annotated[int, typer.Option("--top", min=1, help="So many clusters, the largest first.")] = 20,
    source: Annotated[str | None, typer.Option("--source", help="Only clusters with a document of this source.")] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="Only clusters with a document of this domain.")] = None,
    min_size: Annotated[int, typer.Option("--min-size", min=2, help="Only clusters of at least so many documents.")] = 2,
    json_file: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write what is shown here too.")] = None,
) -> None:
    """List the largest clusters of duplicates, or show how the members of one differ."""
    import orjson

    from pipeline.clusters import cluster, clusters, print_cluster, print_clusters
    from pipeline.storage import write_bytes

    found: Any
    if show is not None:
        found = cluster(run_folder, show, members)
        print_cluster(found)
    else:
        found = clusters(run_folder, top, source, domain, min_size)
        print_clusters(run_folder, found)
    if json_file:
        write_bytes(json_file, orjson.dumps(found, option=orjson.OPT_INDENT_2))
        print(f"figures  {json_file}")


@app.command()
def calibrate(
    run_folder: Run,
    signals: Annotated[list[str] | None, typer.Option("--signal", metavar="NAME", help="Only this signal; may be repeated.")] = None,
    by: Annotated[str, typer.Option("--by", metavar="lang|domain|source", help="Groups, joined by commas.")] = "lang,domain",
    quantiles: Annotated[str, typer.Option("--quantiles", help="Shares of documents; also taken from the other end.")] = ".5,.9,.99,.999",
    drop_share: Annotated[float, typer.Option("--drop-share", help="What a proposed threshold may remove of a group.")] = 0.01,
    where: Annotated[list[str] | None, typer.Option("--where", metavar="KEY=VALUE", help="Only a lang, domain or source.")] = None,
    around: Annotated[list[str] | None, typer.Option("--examples", metavar="NAME=THRESHOLD", help="Show documents beside it.")] = None,
    json_file: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write all figures and examples here too.")] = None,
) -> None:
    """Show how signals are distributed, what the rules remove, and thresholds that would remove a given share."""
    import orjson

    from pipeline.calibrate import calibrate as calibrate_run
    from pipeline.calibrate import print_report
    from pipeline.examples import examples, print_examples
    from pipeline.storage import write_bytes

    thresholds = {name: _number("--examples", text) for name, text in _pairs("--examples", around)}
    conditions = dict(_pairs("--where", where))
    shares = [_number("--quantiles", text) for text in quantiles.split(",")]
    report = calibrate_run(run_folder, signals or list(thresholds), by.split(","), shares, drop_share, conditions)
    print_report(report)
    report["examples"] = {}
    for name, threshold in thresholds.items():
        found = examples(run_folder, name, threshold, conditions)
        print_examples(name, threshold, found)
        report["examples"][name] = {"threshold": threshold} | found
    if json_file:
        write_bytes(json_file, orjson.dumps(report, option=orjson.OPT_INDENT_2))
        print(f"figures  {json_file}")


def _pairs(option: str, assignments: list[str] | None) -> list[tuple[str, str]]:
    """`KEY=VALUE` texts as pairs."""
    pairs = [assignment.partition("=") for assignment in assignments or ()]
    for assignment, (key, _, value) in zip(assignments or (), pairs, strict=True):
        if not key or not value:
            raise ConfigError(f"{option} {assignment}: wanted KEY=VALUE")
    return [(key, value) for key, _, value in pairs]


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{option}: got '{text}', wanted a number") from None


@app.command()
def export(
    run_folder: Run,
    output: Annotated[str, typer.Option("--output", help="A new folder for the files.")],
    layout: Annotated[str, typer.Option("--format", help="jsonl (zstd JSON lines) or baichuan-7b (one document per line).")] = "jsonl",
    files: Annotated[int, typer.Option("--files", help="Number of files; for baichuan-7b a multiple of the number of ranks.")] = 8,
) -> None:
    """Write a corpus in another layout."""
    from pipeline.writers import export_corpus

    written = export_corpus(run_folder, output, layout, files)
    print(f"{written:,} documents in {files} files in {output}/")


quality = typer.Typer(help="Train models of what good text is.", no_args_is_help=True)
app.add_typer(quality, name="quality")


@quality.command("train")
def quality_train(
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


models = typer.Typer(help="Convert a Baichuan checkpoint, or write text with it.", no_args_is_help=True)
app.add_typer(models, name="model")
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A folder with config.json and weights.", show_default=False)]


@models.command("convert")
def model_convert(
    model: Model,
    output: Annotated[str, typer.Option("--output", help="A new folder.")],
    to: Annotated[str, typer.Option("--to", help="llama (models with RoPE), or baichuan1: a NormHead folded into the head.")] = "llama",
) -> None:
    """Write a model for programs that know Llama or Baichuan 1 only."""
    from pipeline.models import convert

    print(f"{output}: {', '.join(convert(model, output, to))}")


@models.command("generate")
def model_generate(
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
        Console().print(f"[dim]{_escaped(prompt)}[/]{_escaped(text)}", soft_wrap=True, highlight=False)


tokenizer = typer.Typer(help="Train a tokenizer.", no_args_is_help=True, add_completion=False)
app.add_typer(tokenizer, name="tokenizer")


@tokenizer.command("train")
def tokenizer_train(
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


def _report(summary: dict[str, Any], quiet: bool) -> None:
    """Tables, places, and last the alarms; of a quiet run the alarms alone."""
    from pipeline.alarms import print_alarms
    from pipeline.summary import print_summary

    if not quiet:
        print_summary(summary)
        _say_where(summary["output"], complete=bool(summary.get("already_complete")))
    sys.stdout.flush()
    print_alarms(summary["alarms"], Console(stderr=True))


def _say_where(folder: str, complete: bool) -> None:
    if complete:
        print(f"{folder}: this run was already complete; nothing was done again")
    print(f"corpus   {folder}/corpus/*.parquet")
    print(f"rejected {folder}/rejected/*.parquet   text and reasons of what was dropped")
    print(f"ledger   {folder}/ledger/*.parquet     every input document: signals, reasons, fate")
    print(f"numbers  {folder}/summary.json")
    print(f"one document's story: corpus explain {folder} ID      duplicates: corpus duplicates {folder}")


def main() -> None:
    """Entry point of `corpus`."""
    try:
        app()
    except CorpusError as error:
        Console(stderr=True).print(f"[bold red]error:[/] {_escaped(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(2)


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")


if __name__ == "__main__":
    main()

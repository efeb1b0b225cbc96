"""Make a corpus, decide again, and look at what a run did: the commands that stand at the top level."""

import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from configs.errors import ConfigError
from pipeline.commands.options import Config, Quiet, Run, Set

app = typer.Typer()


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
def report(
    run_folder: Run,
    tokenizer: Annotated[str | None, typer.Option("--tokenizer", metavar="DIR", help="Show a comparison of tokenizers.")] = None,
    trainings: Annotated[
        list[str] | None, typer.Option("--training", metavar="DIR", help="Show a training, or all of a smoke run; may be repeated.")
    ] = None,
    variants: Annotated[str | None, typer.Option("--variants", metavar="DIR", help="Show the verdicts of `corpus variants`.")] = None,
) -> None:
    """Write the report of a finished run again: one page without network, in English and Chinese; also on what was made of the corpus."""
    from pipeline.report.page import Beside, write_report

    beside = Beside(tokenizer=tokenizer, trainings=tuple(trainings or ()), variants=variants)
    print(f"report   {write_report(run_folder, beside)}")


@app.command()
def inspect(
    run_folder: Run,
    host: Annotated[str, typer.Option("--host", help="Any other than loopback needs the token that is printed.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8765,
    labels: Annotated[str | None, typer.Option("--labels", metavar="FOLDER", help="Where labels go; RUN-labels if not given.")] = None,
) -> None:
    """Search the documents of a run in a browser, see what was cut and why, try thresholds, label documents."""
    try:
        from pipeline.inspector.server import inspect as serve
    except ModuleNotFoundError as error:
        raise ConfigError(f"the inspector needs {error.name}: pip install 'baichuan-corpus[inspect]'") from None
    serve(run_folder, labels or f"{run_folder.rstrip('/')}-labels", host, port)


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
    from pipeline.storage import exists, join

    if complete:
        print(f"{folder}: this run was already complete; nothing was done again")
    print(f"corpus   {folder}/corpus/*.parquet")
    print(f"rejected {folder}/rejected/*.parquet   text and reasons of what was dropped")
    print(f"ledger   {folder}/ledger/*.parquet     every input document: signals, reasons, fate")
    if exists(join(folder, "report", "index.html")):
        print(f"report   {folder}/report/index.html     open it in a browser")
    print(f"numbers  {folder}/summary.json")
    print(f"one document's story: corpus explain {folder} ID      duplicates: corpus duplicates {folder}")

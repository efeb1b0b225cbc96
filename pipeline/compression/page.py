"""A report as one HTML page that needs no network: tables, plots, and the pieces of each vocabulary."""

from collections.abc import Mapping
from typing import Any

from pipeline.compression import charts, rows
from pipeline.compression.charts import Point
from pipeline.compression.markup import heading, listed, note, page, table, visible
from pipeline.compression.rows import Grid, Report


def comparison_page(report: Report) -> str:
    """The page of `corpus tokenizer compare`."""
    texts, settings = report["texts"], report["settings"]
    names = list(report["tokenizers"])
    parts = [
        heading("Compression of tokenizers", 1),
        note(
            f"{texts['documents']:,} documents of {texts['documents_read']:,} read, from {', '.join(texts['inputs'])}; share held out "
            f"{texts['held_out']:g}, split {texts['held_out_seed']}. All figures of a group are over the same documents. Intervals: "
            f"{settings['level']:.0%} of {settings['replicates']:,} draws of documents. Context: {settings['context']:,} tokens. "
            f"Embeddings: input and output at hidden size {settings['hidden_size']:,}. MB/s: of processor time."
        ),
        listed(report["warnings"], "warnings"),
        _grid(rows.summary(report)),
        heading("Tokens per character"),
        note("Lower is better. The figure that fits the published rates in order and size on Chinese text. Lines are intervals."),
        charts.dots([(rows.group_name(row), _points(row)) for row in report["groups"]], names, "tokens per character"),
    ]
    for metric, (says, _) in rows.METRICS.items():
        parts += [heading(metric.capitalize()), note(says.capitalize() + "."), _grid(rows.by_group(report, metric))]
    parts += [heading("Beside the published rates"), note("Neither the texts nor the definition of the published rates are known.")]
    parts += [_grid(rows.published(report)), _grid(rows.order(report))]
    parts += [heading("Tokenizers"), _grid(_files(report), words=True)]
    for name, known in report["tokenizers"].items():
        if known["named"]:
            documents = [[str(found["row"]), found["id"], found["why"]] for found in known["named"]]
            parts += [heading(f"{name}: documents refused or changed", 3), _grid(Grid(["row", "id", "why"], documents), words=True)]
    for name, found in report["pieces"].items():
        parts += piece_parts(name, found)
    return page("Compression of tokenizers", parts)


def sweep_page(report: Report) -> str:
    """The page of `corpus tokenizer sweep`."""
    texts, settings = report["texts"], report["settings"]
    by_size = {rows.group_name(row): _by_size(report, row) for row in rows.main_groups(report)}
    parts = [
        heading("Vocabulary sizes", 1),
        note(
            f"Preset {settings['preset']}, learnt from {', '.join(texts['inputs'])} without a share of {texts['held_out']:g}, and measured "
            f"on that. Intervals: {settings['level']:.0%} of {settings['replicates']:,} draws of documents. Nested sizes are a trained "
            "vocabulary without its last merges, which is what a training of that size gives. The coverage of characters falls with the "
            "size, so that half of the ids are left to merges."
        ),
        _grid(rows.sizes(report, intervals=True)),
        _grid(rows.refusals(report), words=True),
        charts.lines(by_size, "ids", "tokens per character"),
        heading("What a vocabulary costs"),
        note(
            "Training FLOPs for a character of text: tokens per character times the FLOPs of a token, the output head among them. The "
            "cheapest size of each model is 1. It says where compute breaks even, not which model reads better."
        ),
    ]
    for row in rows.main_groups(report):
        parts += [heading(rows.group_name(row), 3), _grid(rows.costs(report, row)), charts.lines(_costs(row), "ids", "FLOPs per character")]
        parts += [note("Parameters without embeddings from which on a step pays, at each model's hidden size, layers and context:")]
        parts += [_grid(rows.break_even(report, row))]
    parts += [heading("Embedding parameters"), _grid(rows.embeddings(report))]
    parts += [heading("By domain"), _grid(_domains(report))]
    return page("Vocabulary sizes", parts)


def inspection_page(name: str, found: Mapping[str, Any]) -> str:
    """The page of `corpus tokenizer inspect`."""
    return page(f"Pieces of {name}", [heading(f"Pieces of {name}", 1), *piece_parts(name, found)])


def piece_parts(name: str, found: Mapping[str, Any]) -> list[str]:
    """The pieces of a vocabulary."""
    parts = [heading(f"Pieces of {name}"), note("␣ is a space. Signs are hints that a corpus was dirty, and no proof.")]
    parts += [_grid(rows.piece_counts(found)), _grid(rows.lengths(found)), _grid(rows.signs(found, visible), words=True)]
    for kind in ("longest", "rarest", "dirtiest"):
        if found[kind]:
            parts += [heading(f"{kind.capitalize()} pieces of {name}", 3), _grid(rows.pieces(found[kind], visible), words=True)]
    return parts


def _points(row: Mapping[str, Any]) -> dict[str, Point]:
    return {
        name: Point(found["tokens_per_char"], tuple(found["interval"]) if found["interval"] else None)
        for name, found in row["tokenizers"].items()
        if found["tokens_per_char"] is not None
    }


def _files(report: Report) -> Grid:
    """Where each tokenizer came from, and whether it has learnt from what is measured."""
    files = []
    for name, known in report["tokenizers"].items():
        learnt = known["learnt"]
        checked = f"{learnt['learnt']:,} of {learnt['checked']:,} checked" if learnt else "not known"
        files.append([name, known["format"], known["path"], rows.whole(known["ids"]), checked])
    return Grid(["tokenizer", "format", "file", "ids", "texts learnt from"], files)


def _grid(grid: Grid, words: bool = False) -> str:
    return table(grid.header, grid.rows, words) if grid.rows else ""


def _by_size(report: Report, row: Mapping[str, Any]) -> list[tuple[float, Point]]:
    points = _points(row)
    return [(float(size["ids"]), points[str(size["ids"])]) for size in report["sizes"] if str(size["ids"]) in points]


def _costs(row: Mapping[str, Any]) -> dict[str, list[tuple[float, Point]]]:
    return {name: [(float(size), Point(share)) for size, share in cost["of_cheapest"].items()] for name, cost in row["cost"].items()}


def _domains(report: Report) -> Grid:
    ids = [str(size["ids"]) for size in report["sizes"]]
    domains = [row for row in report["groups"] if row["domain"] is not None]
    cells = [[rows.group_name(row), *(rows.number(row["tokenizers"][size]["tokens_per_char"]) for size in ids)] for row in domains]
    return Grid(["tokens per character", *(rows.whole(int(size)) for size in ids)], cells)

"""Reports in the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.compression import rows
from pipeline.compression.markup import visible
from pipeline.compression.rows import Grid, Report

_WITH_INTERVALS = 3
"""So many columns with intervals can be read in a terminal."""
_GAP = 2
"""What rich puts between columns."""


def print_comparison(report: Report) -> None:
    """Summary, tokens per character by group, the published rates, warnings."""
    console = Console()
    print_grid(console, rows.summary(report), f"{report['texts']['documents']:,} documents")
    metric = "tokens per character"
    if len(report["tokenizers"]) <= _WITH_INTERVALS:
        print_grid(console, rows.by_group(report, metric), metric)
    else:
        plain = rows.by_group(report, metric, lambda found: rows.number(found["tokens_per_char"]))
        print_grid(console, plain, f"{metric}; the page has intervals")
    if any(known["published"] for known in report["tokenizers"].values()):
        print_grid(console, rows.published(report), "published rates: their texts and definition are not known")
        print_grid(console, rows.order(report), "order of the published rates")
    print_warnings(report["warnings"])


def print_sweep(report: Report) -> None:
    """Tokens per character by size, and what a character costs a model, by language."""
    console = Console()
    print_grid(console, rows.sizes(report, intervals=False), "tokens per character by vocabulary size")
    for row in rows.main_groups(report):
        print_grid(console, rows.costs(report, row), f"{rows.group_name(row)}: training FLOPs per character, of the cheapest size")
    print_grid(console, rows.embeddings(report), "embedding parameters, and their share")
    for cells in rows.refusals(report).rows:
        console.print(Text.assemble(("refused ", "bold"), ": ".join(cells)), soft_wrap=True)


def print_pieces(name: str, found: Mapping[str, Any]) -> None:
    """Counts, and the longest, rarest and dirtiest pieces."""
    console = Console()
    print_grid(console, rows.piece_counts(found), f"{name}: {found['ids']:,} ids")
    print_grid(console, rows.lengths(found), "pieces by characters")
    print_grid(console, rows.signs(found, visible), "signs of a dirty corpus")
    for listed in ("longest", "rarest", "dirtiest"):
        print_grid(console, rows.pieces(found[listed], visible), f"{listed} pieces")


def print_warnings(warnings: Sequence[str]) -> None:
    """What makes figures worth less, last and apart."""
    console = Console(stderr=True)
    for warning in warnings:
        console.print(Text.assemble(("warning: ", "bold yellow"), warning), soft_wrap=True)


def print_grid(console: Console, grid: Grid, title: str) -> None:
    """A table, or several with the same first column where it is too wide for the terminal, or nothing if it has no rows."""
    if not grid.rows:
        return
    widths = [max(cell_len(cells[place]) for cells in (grid.header, *grid.rows)) + _GAP for place in range(len(grid.header))]
    groups: list[list[int]] = [[0]]
    for place, width in enumerate(widths[1:], 1):
        if len(groups[-1]) > 1 and sum(widths[other] for other in groups[-1]) + width > console.width:
            groups.append([0])
        groups[-1].append(place)
    for number, places in enumerate(groups):
        table = Table(title=Text("" if number else title, "bold"), title_justify="left", box=None, header_style="dim")
        for place in places:
            table.add_column(Text(grid.header[place]), justify="right" if place else "left", overflow="fold")
        for row in grid.rows:
            table.add_row(*(Text(row[place]) for place in places))
        console.print(table)
        console.print()

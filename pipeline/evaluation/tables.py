"""The figures of an evaluation on a terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.commands.options import escaped

_FILE_WIDTH = 140
"""Columns where the output is no terminal, so that no figure is cut."""


def print_figures(figures: dict[str, Any]) -> None:
    """All tables that there are figures for."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_FILE_WIDTH)
    for lang, found in figures.get("languages", {}).items():
        _say(console, f"bits per byte, {lang}: {_with_interval(found['bits_per_byte'], found['interval'])}, mean over domains")
        table = _table()
        for name in ("domain", "bits per byte", "95 %", "documents", "bytes"):
            table.add_column(name, justify="left" if name == "domain" else "right")
        for domain, row in found["domains"].items():
            table.add_row(
                *(escaped(domain or "-"), f"{row['bits_per_byte']:.4f}", _interval(row["interval"])),
                *(f"{row['documents']:,}", f"{row['bytes']:,}"),
            )
        console.print(table)
    if positions := figures.get("positions"):
        _say(console, f"perplexity by position, {positions['documents']} documents, trained on {positions['trained_length']:,}")
        table = _table()
        for name in ("tokens", "one window", "trained windows", "ratio", "95 %", "all up to here"):
            table.add_column(name, justify="right")
        for row in positions["rows"]:
            table.add_row(
                *(f"{row['first']:,}-{row['behind']:,}", f"{row['whole']:.2f}", f"{row['trained']:.2f}"),
                *(f"{row['ratio']:.3f}", _interval(row["interval"], 3), f"{row['up_to']:.2f}"),
            )
        console.print(table)
    if found := figures.get("questions"):
        _say(console, "few-shot multiple choice, mean over subjects; chance is .25")
        table = _table()
        for name in ("set", "questions", "accuracy", "95 %", "gold bits per byte", "95 %", "fewer shots", "cut"):
            table.add_column(name, justify="left" if name == "set" else "right")
        for name, row in found.items():
            gold = row["gold_bits_per_byte"]
            table.add_row(
                *(escaped(name), f"{row['questions']:,}", f"{row['accuracy']['mean']:.3f}", _interval(row["accuracy"]["interval"], 3)),
                *(f"{gold['mean']:.4f}", _interval(gold["interval"]), f"{row['with_fewer_shots']:,}", f"{row['cut']:,}"),
            )
        console.print(table)
    for task, results in figures.get("harness", {}).items():
        numbers = ", ".join(f"{name} {value:.4f}" for name, value in results.items() if isinstance(value, float))
        console.print(f"{escaped(task)}: {escaped(numbers)}")


def _say(console: Console, title: str) -> None:
    """Above a table; its own title would be wrapped to the table's width."""
    console.print(f"[bold]{escaped(title)}[/]", soft_wrap=True)


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="dim")


def _interval(ends: list[float] | None, digits: int = 4) -> str:
    return "-" if ends is None else f"{ends[0]:.{digits}f}-{ends[1]:.{digits}f}"


def _with_interval(value: float, ends: list[float] | None) -> str:
    return f"{value:.4f}" + (f" ({_interval(ends)})" if ends else "")

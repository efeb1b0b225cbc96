"""The mixture as a run's last tables show it."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stages.mixture.stage import COPIES_STAY


def print_mixture(summary: Mapping[str, Any], console: Console) -> None:
    """Domains and languages with their shares and epochs; nothing for a run without a mixture."""
    mixture = summary.get("mixture")
    if not mixture:
        return
    held_out, method = mixture["held_out"], method_as_it_went(mixture["method"], mixture.get("learned", {}).get("abstained", False))
    for title, key in (("domain", "by_domain"), ("language", "by_language")):
        table = Table(title=f"mixture by {title}: {method}, {mixture['bytes'] / 1e6:,.1f} MB", title_justify="left")
        table.add_column(title)
        columns = ["documents", "MB", "natural %", "share %", "epochs", "MB with repeats", *(["held out"] if key == "by_domain" else [])]
        for name in columns:
            table.add_column(name, justify="right")
        for name, face in mixture[key].items():
            sizes = (f"{face['documents']:,}", f"{face['bytes'] / 1e6:,.2f}")
            shares = (f"{100 * face['natural_share']:.1f}", f"{100 * face['share']:.1f}")
            epochs = (f"{face['epochs']:.2f}{' (cap)' if face['capped'] else ''}", f"{face['bytes_with_repeats'] / 1e6:,.2f}")
            apart = [f"{held_out.get(name, {}).get('documents', 0):,}"] if key == "by_domain" else []
            table.add_row(Text(name), *sizes, *shares, *epochs, *apart)
        console.print(table)
    if learned := mixture.get("learned"):
        told = f"{learned['proxies']} proxies, law {learned['law']}, ranks unseen proxies at {learned['rank_correlation']:.2f}"
        if learned["abstained"]:
            console.print(Text(f"mixture: ABSTAINED: {told}: nothing to rely on, so the shares are UniMax's", style="yellow"))
        else:
            console.print(f"mixture: learned from {told}; pictures and intervals: {summary['output']}/mixture/", highlight=False)
    if held_out and not mixture.get("finds_copies", True):
        console.print(Text(f"mixture: {COPIES_STAY}", style="yellow"))
    if mixture["without_text"]:
        names = ", ".join(mixture["without_text"])
        console.print(Text(f"mixture: no text is left of {names}; what they were to give comes from the others", style="yellow"))


def method_as_it_went(method: str, abstained: bool) -> str:
    """What a reader is told: a learned mixture may have given way to UniMax's."""
    return f"{method}, abstained to UniMax" if abstained else method

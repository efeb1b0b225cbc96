"""The verdicts in the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_COLOURS = {"better": "green", "worse": "red", "inconclusive": "yellow"}
_TIERS = {
    "smoke": "Smoke tier: these verdicts show that the plumbing works. They decide nothing.",
    "decision": "Decision tier: good for choosing between variants; a ranking at 150 M parameters gets about 80 % of pairs right at 1 B.",
    "confirm": "Confirm tier.",
}


def print_verdict(result: Mapping[str, Any]) -> None:
    """Verdicts, controls, what stands beside them, and where the files are."""
    console = Console() if Console().is_terminal else Console(width=140)
    settings, corpora = result["settings"], result["corpora"]
    against = settings["against"]
    table = Table(title=f"bits per byte against '{against}': mean relative change over domains", title_justify="left")
    table.add_column("variant")
    for name in ("change", "95 %", "p (Holm)", "zh", "en", "worst domain", "text kept", "unique tokens", "epochs"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    table.add_row(against, *["-"] * 6, *_beside(corpora[against]), "reference")
    for name, found in result["verdicts"].items():
        low, high = found["interval"]
        worst = max(found["by_cell"], key=lambda cell: found["by_cell"][cell])
        languages = [f"{found['by_language'][lang]:+.2%}" if lang in found["by_language"] else "-" for lang in ("zh", "en")]
        figures = [f"{found['change']:+.2%}", f"{low:+.2%} {high:+.2%}", f"{found['p_holm']:.3f}", *languages]
        figures.append(f"{worst.partition(': ')[2]} {found['by_cell'][worst]:+.1%}")
        table.add_row(name, *figures, *_beside(corpora[name]), Text(found["word"], _COLOURS[found["word"]]))
    console.print(table)
    for name, found in result["verdicts"].items():
        for missing in found["missing"]:
            console.print(Text(f"{name}: {missing}", "dim"))
    for line, holds in _controls(result):
        console.print(Text(line, "" if holds else "bold red"))
    if buckets := result.get("score_buckets"):
        steps = " ".join(f"{change:+.2%}" for change in buckets["changes"])
        word = "monotone" if buckets["monotone"] else "NOT monotone"
        told = f"score buckets of '{settings['score_buckets']['signal']}', lowest first: {steps}: {word}, slope p {buckets['p']:.3f}"
        console.print(Text(told))
        for why in buckets["void"]:
            console.print(Text(f"score buckets do not stand: {why}", "bold red"))
    console.print(Text(_TIERS[settings["tier"]], "bold"))
    print(f"figures  {settings['output']}/verdict.json\npicture  {settings['output']}/verdict.svg")


def _beside(corpus: Mapping[str, Any]) -> list[str]:
    selection = corpus["selection"]
    unique, epochs = corpus["unique_tokens"], corpus["epochs"]
    kept = selection["kept_bytes"] / max(1, selection["bytes"])
    return [f"{kept:.0%}", f"{sum(unique) / len(unique):,.0f}", f"{max(epochs):.2f}"]


def _controls(result: Mapping[str, Any]) -> list[tuple[str, bool]]:
    found = result["controls"]
    lines = [
        (f"A/A, two halves of one corpus: {found['halves']['change']:+.2%}, {found['halves']['word']}", found["halves"]["holds"]),
        (f"tokens shuffled: {found['shuffled']['change']:+.1%}, {found['shuffled']['word']}", found["shuffled"]["holds"]),
        (f"leak of {found['leak']['leaked']} held-out documents: {found['leak']['found']} found by the alarm", found["leak"]["holds"]),
    ]
    return [(f"control {'holds' if holds else 'FAILS'}: {line}", holds) for line, holds in lines]

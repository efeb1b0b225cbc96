"""The verdicts as SVG, without a plotting library, readable on light and dark pages."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT, ROW, TOP = 760, 170, 130, 34, 64
_COLOURS = {"better": "#1b9e77", "worse": "#d95f02", "inconclusive": "#888888"}


def pictures(result: Mapping[str, Any]) -> dict[str, str]:
    """File name -> SVG: `verdict.svg`, and `score_buckets.svg` where scores were tested."""
    settings = result["settings"]
    what = f"{settings['tier']} tier, {settings['parameters'] / 1e6:.2g} M parameters, {settings['training']['tokens'] / 1e6:.3g} M tokens"
    rows = [(name, found["change"], found["interval"], found["by_seed"], found["word"]) for name, found in result["verdicts"].items()]
    halves = result["controls"]["halves"]
    rows.append(("A/A: two halves", halves["change"], halves["interval"], halves["by_seed"], halves["word"]))
    made = {"verdict.svg": _forest(f"Change of bits per byte against '{settings['against']}'", what, rows)}
    if "score_buckets" in result:
        found, by = result["score_buckets"], settings["score_buckets"]
        seeds = list(zip(*found["by_seed"], strict=True))
        buckets = [
            (f"bucket {i}{' (lowest)' if not i else ''}", change, found["intervals"][i], seeds[i], "inconclusive")
            for i, change in enumerate(found["changes"])
        ]
        stands = f"; void: {', '.join(found['void'])}" if found["void"] else ""
        made["score_buckets.svg"] = _forest(f"Change of bits per byte by buckets of '{by['signal']}'", what + stands, buckets)
    return made


def _forest(title: str, subtitle: str, rows: Sequence[tuple[str, float, Sequence[float], Sequence[float], str]]) -> str:
    """A line each row: the interval of the bootstrap, a dot for each seed, the mean as a bar."""
    reach = 1.1 * max([0.005, *(abs(value) for _, _, interval, by_seed, _ in rows for value in (*interval, *by_seed))])
    height = TOP + ROW * len(rows) + 40

    def x(value: float) -> float:
        return LEFT + (value + reach) / (2 * reach) * (WIDTH - LEFT - RIGHT)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" font-size="12" '
        'fill="#777">',
        f"<title>{escape(title)}</title>",
        f'<text x="12" y="20" font-size="15">{escape(title)}</text><text x="12" y="38">{escape(subtitle)}</text>',
    ]
    for value in (-reach / 1.1, 0.0, reach / 1.1):
        parts.append(f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP - 8}" y2="{height - 32}" stroke="#8886"/>')
        parts.append(f'<text x="{x(value):.1f}" y="{height - 16}" text-anchor="middle">{value:+.1%}</text>')
    for number, (name, change, (low, high), by_seed, word) in enumerate(rows):
        y, colour = TOP + ROW * number + ROW / 2, _COLOURS[word]
        parts.append(f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(value):.1f}" cy="{y}" r="3.5" fill="none" stroke="{colour}"/>' for value in by_seed]
        parts.append(f'<rect x="{x(change) - 1.5:.1f}" y="{y - 8}" width="3" height="16" fill="{colour}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4}" fill="{colour}">{change:+.2%} {escape(word)}</text>')
    return "\n".join([*parts, "</svg>\n"])

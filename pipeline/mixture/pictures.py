"""Two pictures of a learned mixture, as SVG: what the law predicted against what proxies measured, and the shares with their intervals."""

from collections.abc import Sequence
from html import escape

from stages.mixture.learn import Learned

_INK, _PALE, _MARK = "#222222", "#b0b7c3", "#2f5d9b"


def predicted_and_measured(learned: Learned) -> str:
    """A point for each proxy, predicted by a fit that had not seen it; on the diagonal the prediction is right."""
    law = learned.laws[learned.law]
    pairs = list(zip(law.predicted.tolist(), learned.measured.tolist(), strict=True))
    values = [value for pair in pairs for value in pair]
    low, high = min(values), max(values)
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low) or 1.0

    def at(value: float) -> float:
        return float(60 + 340 * (value - low) / max(high - low, 1e-12))

    parts = [_line(at(low), 460 - at(low), at(high), 460 - at(high), _PALE)]
    parts += [f'<circle cx="{at(p):.1f}" cy="{460 - at(m):.1f}" r="4" fill="{_MARK}" fill-opacity="0.7"/>' for p, m in pairs]
    for value in (low, (low + high) / 2, high):
        parts += [_text(at(value), 420, f"{value:.3f}", "middle"), _text(54, 464 - at(value), f"{value:.3f}", "end")]
    title = f"{len(pairs)} proxies, law {learned.law}, rank correlation {law.rank_correlation:.2f}"
    title += ": abstained" if learned.abstained else ""
    parts += [_text(60, 30, title), _text(230, 445, "predicted loss, relative to the prior", "middle")]
    parts.append(f'<text x="14" y="230" transform="rotate(-90 14 230)" text-anchor="middle" fill="{_INK}">measured</text>')
    return _svg(430, 460, parts)


def weights_with_intervals(learned: Learned) -> str:
    """A row for each domain: the share, and where 90 % of the bootstrap's solutions lie."""
    high = max(*learned.high.tolist(), *learned.shares.tolist(), 0.01)

    def at(share: float) -> float:
        return float(150 + 300 * share / high)

    parts = [_text(10, 24, "shares, and 90 % of bootstrap solutions" + ("; abstained: UniMax's" if learned.abstained else ""))]
    rows: Sequence[tuple[str, float, float, float]] = list(
        zip(learned.names, *(values.tolist() for values in (learned.shares, learned.low, learned.high)), strict=True)
    )
    for place, (name, share, low, top) in enumerate(rows):
        y = 50 + 24 * place
        parts += [_text(140, y + 4, name, "end"), _line(at(low), y, at(top), y, _PALE, 6)]
        parts += [f'<circle cx="{at(share):.1f}" cy="{y}" r="5" fill="{_MARK}"/>', _text(at(high) + 12, y + 4, f"{share:.3f}")]
    return _svg(530, 50 + 24 * len(rows), parts)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: int = 2) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    inside = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'{head} font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n{inside}\n</svg>\n'

"""A line chart as SVG: a few curves over numbers, without a plotting library, readable on light and dark pages."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 40, 48
_COLOURS = ("#1f77b4", "#d95f02", "#1b9e77", "#7570b3")


def line_chart(
    title: str, x_label: str, xs: Sequence[float], lines: Mapping[str, Sequence[float]], mark: tuple[float, str] | None = None
) -> str:
    """Curves by name over the same numbers; `mark` is a vertical line with its name."""
    low_x, high_x = 0.0, max(*xs, *([mark[0]] if mark else []))
    ticks_y = _ticks(min(map(min, lines.values())), max(map(max, lines.values())))
    low_y, high_y = ticks_y[0], ticks_y[-1]

    def x(value: float) -> str:
        return f"{_LEFT + (value - low_x) / (high_x - low_x) * (WIDTH - _LEFT - _RIGHT):.1f}"

    def y(value: float) -> str:
        return f"{HEIGHT - _BOTTOM - (value - low_y) / (high_y - low_y) * (HEIGHT - _TOP - _BOTTOM):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#777">',
        f'<text x="{_LEFT}" y="20" font-size="15">{escape(title)}</text>',
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 10}" text-anchor="end">{escape(x_label)}</text>',
    ]
    for tick in ticks_y:
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(tick)}" y2="{y(tick)}" stroke="#8884"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y(tick)}" dy="4" text-anchor="end">{tick:,.10g}</text>')
    parts += [
        f'<text x="{x(tick)}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{tick:,.10g}</text>'
        for tick in _ticks(low_x, high_x)
        if tick <= high_x
    ]
    if mark:
        parts.append(f'<line x1="{x(mark[0])}" x2="{x(mark[0])}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" stroke="#888" stroke-dasharray="4"/>')
        parts.append(f'<text x="{x(mark[0])}" y="{_TOP + 12}" dx="4">{escape(mark[1])}</text>')
    for number, (name, values) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(f"{x(a)},{y(b)}" for a, b in zip(xs, values, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{WIDTH - _RIGHT}" y="{20 + 16 * number}" text-anchor="end" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from at most `low` to at least `high`, about five.

    >>> _ticks(12.9, 15.4), _ticks(3.0, 3.0)
    ([12.5, 13.0, 13.5, 14.0, 14.5, 15.0, 15.5], [2.8, 3.0])
    """
    span = high - low or 1.0
    power = 10.0 ** _floor_log10(span / 5)
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)
    first = low // step
    count = max(1, -int(-(high - first * step) // step))
    return [round((first + n) * step, 10) for n in range(count + 1)]


def _floor_log10(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])

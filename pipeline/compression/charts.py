"""Plots as inline SVG, drawn here: a page without scripts and network, that follows a reader's light or dark colours.

Colours are classes `s0` to `s9` of the page's style sheet. All text is escaped.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

COLOURS = 10
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 860, 170, 16, 14, 24


class Point(NamedTuple):
    """A value with its interval, if there is one."""

    value: float
    interval: tuple[float, float] | None = None


def dots(rows: Sequence[tuple[str, Mapping[str, Point]]], series: Sequence[str], unit: str) -> str:
    """A row of dots for each group, a colour for each series, intervals as lines. Empty for no rows."""
    if not rows:
        return ""
    ends = [end for _, points in rows for point in points.values() for end in (point.interval or (point.value,))]
    ticks = _ticks(0.0, max(ends))
    height = _TOP + _ROW * len(rows) + 40
    bottom = height - 40

    def x_of(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / ticks[-1]

    out = [_opening(height, f"{unit} by group")]
    out += [_line(x_of(tick), _TOP, x_of(tick), bottom, "grid") for tick in ticks]
    out += [_text(x_of(tick), bottom + 16, _number(tick), "middle") for tick in ticks]
    out.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, height - 4, unit, "middle"))
    for place, (label, points) in enumerate(rows):
        y = _TOP + _ROW * (place + 0.5)
        out.append(_text(_LEFT - 8, y + 4, label, "end"))
        for name, point in points.items():
            number = series.index(name)
            spread = y + (number - (len(series) - 1) / 2) * min(2.0, (_ROW - 8) / max(1, len(series)))
            if point.interval:
                out.append(_line(x_of(point.interval[0]), spread, x_of(point.interval[1]), spread, _colour(number)))
            out.append(_dot(x_of(point.value), spread, number, f"{label}, {name}: {point.value:.4g}"))
    return "".join(out) + "</svg>" + legend(series)


def lines(series: Mapping[str, Sequence[tuple[float, Point]]], x_label: str, y_label: str) -> str:
    """A line for each series over a logarithmic axis of positive numbers. Empty for no points."""
    points = [point for values in series.values() for point in values]
    if not points:
        return ""
    height = 330
    bottom = height - 44
    left = 70
    xs = sorted({x for x, _ in points})
    ends = [end for _, point in points for end in (point.interval or (point.value,))]
    ticks = _ticks(min(ends), max(ends))

    def x_of(value: float) -> float:
        span = math.log(xs[-1] / xs[0])
        return left + 20 + (_WIDTH - left - _RIGHT - 60) * (math.log(value / xs[0]) / span if span else 0.5)

    def y_of(value: float) -> float:
        return bottom - (bottom - _TOP) * (value - ticks[0]) / ((ticks[-1] - ticks[0]) or 1.0)

    out = [_opening(height, f"{y_label} by {x_label}")]
    out += [_line(left, y_of(tick), _WIDTH - _RIGHT, y_of(tick), "grid") for tick in ticks]
    out += [_text(left - 6, y_of(tick) + 4, _number(tick), "end") for tick in ticks]
    out += [_text(x_of(x), bottom + 18, f"{x:,.0f}", "middle") for x in xs]
    out.append(_text((left + _WIDTH) / 2, height - 6, x_label, "middle") + _text(4, 10, y_label, "start"))
    for number, (name, values) in enumerate(series.items()):
        path = " ".join(f"{x_of(x):.1f},{y_of(point.value):.1f}" for x, point in values)
        out.append(f'<polyline class="{_colour(number)}" points="{path}"/>')
        for x, point in values:
            if point.interval:
                out.append(_line(x_of(x), y_of(point.interval[0]), x_of(x), y_of(point.interval[1]), _colour(number)))
            out.append(_dot(x_of(x), y_of(point.value), number, f"{name}, {x:,.0f}: {point.value:.4g}"))
    return "".join(out) + "</svg>" + legend(list(series))


def legend(series: Sequence[str]) -> str:
    """The colours of series."""
    items = "".join(f'<li><span class="{_colour(number)}"></span>{escape(name)}</li>' for number, name in enumerate(series))
    return f'<ul class="legend">{items}</ul>'


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from at most `low` to at least `high`, four to nine of them."""
    span = (high - low) or abs(high) or 1.0
    step = 10.0 ** math.floor(math.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [place * step for place in range(first, max(last, first + 1) + 1)]


def _number(value: float) -> str:
    return f"{value:.4g}"


def _colour(number: int) -> str:
    return f"s{number % COLOURS}"


def _opening(height: int, label: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label, quote=True)}">'


def _line(x1: float, y1: float, x2: float, y2: float, name: str) -> str:
    return f'<line class="{name}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _dot(x: float, y: float, number: int, title: str) -> str:
    return f'<circle class="{_colour(number)}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{escape(title)}</title></circle>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'

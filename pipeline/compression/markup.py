"""The parts of a page: its frame with style sheet, tables, and texts as they stand. Whatever comes from data is escaped here."""

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #5c6670; --rule: #d9dee3; --shade: #f4f6f8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --paper: #14171a; --soft: #9aa4ae; --rule: #333a41; --shade: #1d2226; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
body { max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } p.note { color: var(--soft); max-width: 80ch; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th { font-weight: 600; } tbody tr:hover { background: var(--shade); }
th:first-child, td:first-child, .words th, .words td { text-align: left; }
code { background: var(--shade); padding: 0 .25rem; border-radius: 3px; white-space: pre; } ul.warnings li { margin: .3rem 0; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: var(--ink); } line.grid { stroke: var(--rule); }
ul.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
ul.legend span { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .35em; }
polyline { fill: none; stroke-width: 2; } line { stroke-width: 1.5; }
"""
_COLOURS = ("#2f7ed8", "#d9822b", "#2a9d62", "#c2405b", "#8059c7", "#8c6d46", "#d563b0", "#6f7b87", "#9a9a1f", "#16a3b0")


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page."""
    colours = "".join(
        f"circle.s{n} {{ fill: {c}; }} line.s{n}, polyline.s{n} {{ stroke: {c}; }} span.s{n} {{ background: {c}; }}\n"
        for n, c in enumerate(_COLOURS)
    )
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    body = "\n".join(parts)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{_STYLE}{colours}</style></head>\n<body>\n{body}\n</body></html>\n'


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def note(text: str) -> str:
    """A paragraph that explains."""
    return f'<p class="note">{escape(text)}</p>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]], words: bool = False) -> str:
    """A table of texts; `words` for one that holds more words than numbers."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    name = ' class="words"' if words else ""
    return f'<div class="wide"><table{name}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def listed(items: Iterable[str], name: str) -> str:
    """A list."""
    return f'<ul class="{name}">' + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def visible(text: str) -> str:
    """A piece so that its spaces and control characters can be seen."""
    return "".join("␣" if character == " " else character if character.isprintable() else repr(character)[1:-1] for character in text)

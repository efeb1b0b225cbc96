"""The commands that README and docs show, and what they print there."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data/*.md"), *ROOT.glob("benchmarks/*.md")])
_SHOWN = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
_PROMPT = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?")
_STOPS = re.compile(r"\s+(?:#|&&|\||>|;|→)(?:\s.*)?$|\s{2,}\S.*$")


class Shown(NamedTuple):
    """A command on a page, comments and prompt taken off."""

    page: str
    command: str
    in_block: bool
    """Whether it stands in a code block, not between backquotes in prose."""
    printed: tuple[str, ...]
    """The lines below it in its block, up to the next command with a prompt; none for a command without one."""


def commands() -> list[Shown]:
    """All that start with a program of ours or of Python, sorted, each once a page."""
    found = {}
    for page in PAGES:
        for block, inline in _SHOWN.findall(page.read_text(encoding="utf-8")):
            lines = re.sub(r"\\\n\s*", " ", block).splitlines() if block else [inline]
            for number, line in enumerate(lines):
                command = _STOPS.sub("", _PROMPT.sub("", line.strip()))
                if re.match(r"(corpus|make|python3?|torchrun) [a-z./-]", command) and "…" not in command:
                    name, printed = page.relative_to(ROOT).as_posix(), _printed(lines[number:])
                    found[name, command, bool(block)] = Shown(name, command, bool(block), printed)
    return [found[key] for key in sorted(found)]


def _printed(lines: list[str]) -> tuple[str, ...]:
    if not lines[0].startswith("$ "):
        return ()
    until = next((n for n, line in enumerate(lines[1:], 1) if line.startswith("$ ")), len(lines))
    return tuple(lines[1:until])

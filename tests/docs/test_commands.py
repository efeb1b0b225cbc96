"""Every command that README and docs show exists and takes the options that it is shown with."""

import re
import shlex

import pytest
import typer

from pipeline.cli import app
from tests.docs.shown import ROOT, commands


def parse(command: str, whole: bool) -> None:
    """Parse a `corpus` command as the program does, without running it. In prose one may be named without what it needs."""
    group = typer.main.get_command(app)
    words = shlex.split(command)
    context = group.make_context(words[0], words[1:], resilient_parsing=True)
    rest = words[1:]
    while isinstance(group, typer.core.TyperGroup):
        assert rest, f"'{command}' names no command"
        name, found, rest = group.resolve_command(context, rest)
        assert found is not None
        if not rest and isinstance(found, typer.core.TyperGroup):
            return  # a group that is named in prose
        try:
            context = found.make_context(name, list(rest), parent=context, resilient_parsing=isinstance(found, typer.core.TyperGroup))
        except Exception as error:
            if whole or type(error).__name__ != "MissingParameter":
                raise
            return
        group = found


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 40


@pytest.mark.parametrize(("page", "command", "whole"), [c[:3] for c in commands() if c.command.startswith("corpus ")])
def test_a_corpus_command_of_the_docs_parses(page: str, command: str, whole: bool) -> None:
    parse(re.sub(r"\[(--.*?)(?: \.\.\.)?\]", r"\1", command), whole)


@pytest.mark.parametrize(("page", "command", "whole"), [c[:3] for c in commands() if c.command.startswith("make ")])
def test_a_make_target_of_the_docs_exists(page: str, command: str, whole: bool) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for word in shlex.split(command)[1:]:
        assert "=" in word or word in targets, f"{page}: no target '{word}'"


@pytest.mark.parametrize(("page", "command", "whole"), [c[:3] for c in commands() if c.command.startswith(("python", "torchrun"))])
def test_a_script_of_the_docs_exists_and_knows_its_options(page: str, command: str, whole: bool) -> None:
    words = shlex.split(command)
    named = next((word for word in words[1:] if word.endswith(".py")), None)
    if named is None:
        assert "-m" in words or "-c" in words, command
        return
    source = (ROOT / named).read_text(encoding="utf-8")
    for option in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert f'"{option}"' in source, f"{page}: {named} has no option {option}"

"""Commands of the docs do what the docs say: they end well, and print what the pages show of their output, but for figures.

The words that stand for a reader's own folders are replaced, and what takes minutes is asked for less of the same.
"""

import re
import shlex
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tests.docs.conftest import POSTS, TINY_TOKENIZER, TINY_TRAINING
from tests.docs.shown import ROOT, commands
from tests.docs.test_commands import parse
from tests.pipeline.conftest import ledger, run_command

WORDS = {
    **dict.fromkeys(("OUT", "out/my_corpus", "out/real_data"), "out/my-corpus"),
    **{
        "RUN": "out/sample",
        "OUT/heldout": "out/sample/heldout",
        "more/*.jsonl.zst": "data/*.jsonl.zst",
        "domain=literature": "domain=web",
        "FILE": "configs/quality/sample.yaml",
    },
    **dict.fromkeys(("MODEL", "out/smoke/nano/model"), "out/train/sample/model"),
    **{"data/*.jsonl": "data/sample/zh_encyclopedia.jsonl", "qwen=qwen/qwen.tiktoken": "again=out/tokenizer", "out/pack": "out/pack_new"},
    **{"out/smoke": "out/train", "out/variants_sample": "out/variants"},
}
"""What stands for something that a reader has, and what it is here. `ID` and the survivor of a cluster are found in the ledger."""

SURVIVOR = "idna-3.20/idna-3.20.dist-info/licenses/LICENSE.md"
NOT_RUN = {
    r"\[--": "a synopsis",
    r"^corpus evaluate .*(chinese_english|hellaswag)": "needs evaluation sets that are not ours to ship",
    r"^corpus quality calibrate": "needs a reader's labels; tests/pipeline/test_quality_recalibrate.py makes some for its function",
    r"real_data": "the same command is run on the sample; the real data is not a part of the project",
}
"""Patterns of commands that are parsed only, with the reason."""

LESS = {
    "corpus run": ("--set", "engine.executor=inprocess"),
    "corpus run CONFIG": ("--set", "engine.executor=inprocess"),
    "corpus run my.yaml --set": ("--set", "output=out/other_bands"),
    "corpus select": ("--overwrite",),
    "corpus tokenizer train": (*TINY_TOKENIZER, "--overwrite"),
    "corpus tokenizer compare": ("--overwrite",),
    "corpus tokenizer sweep": ("--preset", "small_2k", *POSTS, "--set", "sizes=[400, 500]", "--set", "models=[nano]"),
    "corpus pack": ("--set", "engine.executor=inprocess", "--overwrite"),
    "corpus pack configs": ("--tokenizer", "out/tokenizer", "--output", "out/pack_sample"),
    "corpus train": TINY_TRAINING,
    "corpus evaluate": ("--overwrite",),
    "corpus evaluate out/smoke": ("--texts", "data/sample/zh_law.txt"),
    "corpus model generate": ("--max-new-tokens", "4"),
}
"""What is added to commands that begin so, for them to take seconds and to find their folder free."""


def complete(command: str) -> bool:
    """Whether a command in prose is meant to be run: it names a file, a folder or what stands for one, and lacks nothing."""
    try:
        parse(command, whole=True)
    except Exception:  # whatever the parser says of a part of a command
        return False
    return bool(re.search(r" [A-Z]{2,}\b|/", command))


def runnable() -> list[tuple[str, tuple[str, ...]]]:
    """(command, what the page that has most of it shows of its output)"""
    found: dict[str, tuple[str, ...]] = {}
    for shown in commands():
        known = any(re.search(pattern, shown.command) for pattern in NOT_RUN)
        if shown.command.startswith("corpus ") and not known and (shown.in_block or complete(shown.command)):
            found[shown.command] = max(found.get(shown.command, ()), shown.printed, key=len)
    return sorted(found.items())


def adapted(command: str, place: Path) -> list[str]:
    """The words of a command as it is run here."""
    words = [WORDS.get(word, word) for word in shlex.split(command)[1:]]
    if words[:2] == ["run", "CONFIG"]:
        words[1] = "my.yaml"
    if words[:2] == ["calibrate", "out/tuned"]:
        words[1] = "out/my-corpus"
    if "ID" in words:
        words[words.index("ID")] = next(name for name, row in ledger(place / "out/my-corpus").items() if row["duplicate_of"])
    if SURVIVOR in words:
        words[words.index(SURVIVOR)] = next(row["duplicate_of"] for row in ledger(place / "out/sample").values() if row["duplicate_of"])
    return words + [word for begin, more in LESS.items() if command.startswith(begin) for word in more]


def squeezed(line: str) -> str:
    """A line with single spaces, as tables have other widths for other figures; the column `exact` is there if a cluster has a copy."""
    return " ".join(word for word in line.split() if word != "exact")


@pytest.mark.parametrize(("command", "printed"), [pytest.param(*found, id=found[0]) for found in runnable()])
def test_a_command_of_the_docs_ends_well_and_prints_what_is_shown(
    command: str,
    printed: tuple[str, ...],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place: Path = request.getfixturevalue("place_with_variants" if "variants" in command else "place")
    served: list[Any] = []
    monkeypatch.setattr("uvicorn.run", lambda app, **_: served.append(app))  # else the inspector would never end
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.chdir(place)
    status = run_command(monkeypatch, *adapted(command, place))
    said = capsys.readouterr()
    assert status == 0, said.err
    assert bool(served) == command.startswith("corpus inspect")
    lines = {squeezed(line) for line in said.out.splitlines()}
    expected = {squeezed(line) for line in printed if line.strip() and not re.search(r"\d|…|removed", line)}
    assert expected <= lines


def test_the_summary_that_the_readme_shows_is_that_of_the_sample(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = re.findall(r"```\n(by language\n.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(place)
    assert run_command(monkeypatch, "run", "sample.yaml") == 0  # complete already: it says again what came of it
    printed = capsys.readouterr().out
    missing = {name for name in names(shown) - names(printed) if not name.startswith("mixture")}  # by proxies of another size
    told_of_it = {name for name in missing if name.startswith(("ALARM domain 'documentation'", "look:"))}  # the source is not there
    assert missing - told_of_it <= {"documentation"}


def names(text: str) -> set[str]:
    """The lines of a text without figures and frames: of a table's row its name, and the heads of its columns."""
    found = set()
    for line in text.splitlines():
        cells = [cell for cell in re.split(r"[│┃]", line) if cell.strip()]
        plain = cells[0] if line.startswith("│") else " ".join(cells)
        kept = [
            word
            for word in plain.split()
            if not re.search(r"\d|…", word) and any(unicodedata.category(c)[0] in "LN" or c in "%/=+" for c in word)
        ]
        found.add(" ".join(kept))
    return found

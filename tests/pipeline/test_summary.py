"""Languages of the summary: named, counted, shown."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from pipeline.config import load_run
from pipeline.output import MOST_LANGUAGES
from pipeline.run import run
from pipeline.summary import print_summary
from tests.pipeline.conftest import prose


def test_a_language_that_looks_like_markup_is_shown_as_it_is(make_config: Callable[..., Path]) -> None:
    config = make_config({"a": [{"id": "1", "text": prose(1), "language": "[/x]"}]})
    summary = run(load_run(config, ("sources[0].lang_key=language",)), quiet=True)
    console = Console(record=True, width=120)
    print_summary(summary, console)
    assert "[/x]" in console.export_text()


def test_many_codes_are_summed_over_all_shards(make_config: Callable[..., Path]) -> None:
    rows = [{"id": str(i), "text": prose(i, 3), "language": "en" if i % 2 else f"code{i}"} for i in range(600)]
    config = make_config({"a": rows})
    summary = run(load_run(config, ("sources[0].lang_key=language",)), quiet=True)
    assert summary["phases"]["write"]["units"] > 1
    found = summary["by_language"]
    assert len(found) == MOST_LANGUAGES + 1
    assert found["en"]["input"][0] == 300
    assert found["other codes"]["input"][0] == 300 - (MOST_LANGUAGES - 1)
    assert sum(face["kept"][0] for face in found.values()) == summary["documents"]["kept"]

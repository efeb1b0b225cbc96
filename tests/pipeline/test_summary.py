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


def test_entries_of_lists_that_matched_nothing_in_any_shard_are_counted_and_some_are_named(
    make_config: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [{"id": str(i), "text": prose(i, 3), "url": f"https://h{i}.example.com/"} for i in range(600)]
    config = make_config({"a": rows})
    (tmp_path / "ids.txt").write_text("\n".join(["0", "599", "[/red]", *(f"no{i}" for i in range(20))]), encoding="utf-8")
    (tmp_path / "hosts.txt").write_text("h7.example.com\nh8.EXAMPLE.com\n", encoding="utf-8")
    (tmp_path / "urls.txt").write_text("# none\n", encoding="utf-8")
    settings = {"takedown_ids": "ids", "block_hosts": "hosts", "block_urls": "urls"}
    overrides = [f"stages.select.{name}={tmp_path / file}.txt" for name, file in settings.items()]
    summary = run(load_run(config, tuple(overrides)), quiet=True)
    assert summary["phases"]["write"]["units"] > 1
    assert summary["lists"] == {
        "takedown_ids": {
            "file": f"{tmp_path}/ids.txt",
            "entries": 23,
            "unmatched": 21,
            "examples": ["[/red]", *(f"no{i}" for i in range(9))],
        },
        "block_urls": {"file": f"{tmp_path}/urls.txt", "entries": 0, "unmatched": 0, "examples": []},
        "block_hosts": {"file": f"{tmp_path}/hosts.txt", "entries": 2, "unmatched": 0, "examples": []},
    }
    console = Console(record=True)
    print_summary(summary, console)
    shown = " ".join(console.export_text().split())
    assert "ids.txt): 21 of 23 entries matched no document: [/red], no0, no1, no2, no3, no4, no5, no6, no7, no8, …" in shown
    assert "hosts.txt)" not in shown


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

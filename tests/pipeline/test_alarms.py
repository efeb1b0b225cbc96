"""Alarms about duplicates: when they are raised, where they are told."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.config import load_run
from pipeline.reselect import select
from pipeline.run import run
from tests.pipeline.conftest import prose, zh_prose

Maker = Callable[..., Path]


def rows(num_copies: int, num_others: int, seed: int = 0) -> list[dict[str, Any]]:
    """A text with so many copies, and other texts."""
    copies = [{"id": f"copy-{seed}-{n}", "text": prose(seed)} for n in range(1 + num_copies)]
    return copies + [{"id": f"other-{seed}-{n}", "text": zh_prose(seed + n + 1)} for n in range(num_others)]


def alarms_of(config: Path, *overrides: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run(load_run(config, overrides), quiet=True)["alarms"]
    return found


def test_a_source_is_named_when_it_loses_more_than_the_share_and_not_at_the_share(make_config: Maker) -> None:
    assert alarms_of(make_config({"half": rows(5, 4)}, "at")) == []  # 5 of 10
    config = make_config({"more": rows(6, 4)}, "above")  # 6 of 11
    (alarm,) = alarms_of(config)
    folder = load_run(config).output
    assert alarm == {"kind": "source", "name": "more", "share": 6 / 11, "limit": 0.5, "look": f"corpus duplicates {folder} --source more"}


def test_a_domain_of_several_sources_is_named(make_config: Maker) -> None:
    config = make_config({"a": rows(6, 1, 100), "b": rows(3, 3, 200)})
    found = alarms_of(config)
    assert [(alarm["kind"], alarm["name"], alarm["share"]) for alarm in found] == [("source", "a", 6 / 8), ("domain", "web", 9 / 15)]
    assert found[1]["look"].endswith(" --domain web")


def test_a_document_with_several_reasons_of_duplication_counts_once(make_config: Maker) -> None:
    url = {"url": "https://example.org/a"}
    texts = [{"id": str(n), "text": prose(1)} | url for n in range(3)] + [{"id": f"o{n}", "text": zh_prose(n)} for n in range(2)]
    stages = [{"normalize": {}}, {"exact_dedup": {"urls": True}}, {"document_dedup": {}}, {"select": {}}]
    summary = run(load_run(make_config({"a": texts}, stages=stages)), quiet=True)
    assert summary["reasons"]["exact_duplicate"][0] == summary["reasons"]["duplicate_url"][0] == 2
    assert summary["by_source"]["a"]["duplicates"] == [2, 2 * len(prose(1)), 2 * len(prose(1))]
    assert summary["alarms"] == []


def test_a_cluster_above_the_limit_is_named_by_its_survivor(make_config: Maker) -> None:
    config = make_config({"a": rows(4, 9, 10), "b": rows(3, 9, 30)}, stages=[{"exact_dedup": {}}, {"document_dedup": {"alarm_cluster": 4}}])
    summary = run(load_run(config), quiet=True)
    assert summary["duplicates"]["largest_clusters"] == [{"size": 5, "survivor": "copy-10-0"}, {"size": 4, "survivor": "copy-30-0"}]
    (alarm,) = summary["alarms"]
    look = f"corpus duplicates {load_run(config).output} --show copy-10-0"
    assert alarm == {"kind": "cluster", "name": "copy-10-0", "size": 5, "limit": 4, "look": look}


def test_ten_clusters_are_named_however_many_there_are(make_config: Maker) -> None:
    texts = [{"id": f"{n}-{m}", "text": prose(n)} for n in range(14) for m in range(2 + n)]
    summary = run(load_run(make_config({"a": texts})), quiet=True)
    assert [cluster["size"] for cluster in summary["duplicates"]["largest_clusters"]] == list(range(15, 5, -1))
    folder = str(Path(summary["output"]).parent / "again")
    again = select(summary["output"], folder, ["stages.document_dedup.alarm_cluster=3", "stages.document_dedup.alarm_share=1"], quiet=True)
    assert [alarm["name"] for alarm in again["alarms"]] == [f"{n}-0" for n in range(13, 3, -1)]


def test_what_is_lost_as_mostly_repeated_is_looked_at_by_reason(make_config: Maker) -> None:
    shared = [prose(n, 20) for n in (50, 60, 70)]
    texts = [{"id": f"own-{n}", "text": f"{text}\n\n{prose(n, 60)}"} for n, text in enumerate(shared)]
    texts += [{"id": f"lost-{n}", "text": f"{text}\n\n{prose(10 + n, 4)}"} for n, text in enumerate(shared)]
    texts += [{"id": f"half-{n}", "text": f"{text}\n\n{prose(20 + n, 4)}"} for n, text in enumerate(shared)]
    stages = [{"exact_dedup": {}}, {"document_dedup": {"similarity": 0.99}}, {"sentence_dedup": {}}]
    summary = run(load_run(make_config({"a": texts}, stages=stages)), quiet=True)
    assert summary["reasons"]["mostly_repeated"][0] == summary["by_source"]["a"]["duplicates"][0] == 6
    (alarm,) = summary["alarms"]
    assert (alarm["kind"], alarm["share"], alarm["look"]) == ("source", 6 / 9, f"corpus inspect {summary['output']}")


def test_a_run_that_keeps_duplicates_loses_none_to_them(make_config: Maker) -> None:
    stages = [{"exact_dedup": {}}, {"document_dedup": {"alarm_cluster": 5}}, {"select": {"duplicates": "keep_with_count"}}]
    (alarm,) = alarms_of(make_config({"a": rows(8, 1)}, stages=stages))
    assert (alarm["kind"], alarm["size"]) == ("cluster", 9)


def test_a_run_with_exact_dedup_alone_has_alarms_too(make_config: Maker) -> None:
    (alarm,) = alarms_of(make_config({"a": rows(8, 1)}, stages=[{"exact_dedup": {}}]))
    assert (alarm["kind"], alarm["share"]) == ("source", 0.8)


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_alarms_are_told_last_and_on_the_card(
    quiet: tuple[str, ...], make_config: Maker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_config({"the web": rows(8, 1)})
    folder = load_run(config).output
    sentence = "source 'the web' lost 80.0 % of its documents as duplicates (alarm_share: 0.5)"
    look = f"corpus duplicates {folder} --source 'the web'"
    for _ in range(2):  # also when the run was complete already
        monkeypatch.setattr(sys, "argv", ["corpus", "run", str(config), *quiet])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert stopped.value.code in (0, None)
        assert capsys.readouterr().err.endswith(f" ALARM  {sentence}\n        look: {look}\n")
    assert f"## Alarms\n\nWhat this run took away that somebody should look at:\n\n- {sentence}: `{look}`" in (
        Path(folder) / "README.md"
    ).read_text(encoding="utf-8")


def test_a_run_without_alarms_has_none_on_its_card(make_config: Maker) -> None:
    config = make_config({"a": rows(0, 3)})
    assert alarms_of(config) == []
    assert "Alarms" not in (Path(load_run(config).output) / "README.md").read_text(encoding="utf-8")

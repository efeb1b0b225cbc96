"""The largest clusters of a run and one cluster from within, beside a plain reading of the ledger."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from configs.errors import InputError
from pipeline import lookup
from pipeline.cli import app
from pipeline.clusters import cluster, clusters
from pipeline.config import load_run
from pipeline.reselect import select
from pipeline.run import run
from tests.pipeline.conftest import ledger, prose, zh_prose

Maker = Callable[..., Path]


def rows() -> dict[str, list[dict[str, Any]]]:
    """In `a` a text with two copies, one shorter version and another page of its URL; in both sources versions of a Chinese text."""
    text, chinese = prose(1, 20), zh_prose(2, 20)
    a = [
        {"id": "first", "text": text, "url": "https://example.org/x"},
        {"id": "copy-1", "text": text},
        {"id": "copy-2", "text": text},
        {"id": "shorter", "text": text[:-61]},
        {"id": "same-url", "text": prose(9, 5), "url": "https://example.org/x"},
        {"id": "zh", "text": chinese},
        {"id": "alone", "text": prose(3)},
    ]
    b = [{"id": f"zh-{n}", "text": chinese[:-n]} for n in (10, 20)] + [{"id": f"pair-{n}", "text": prose(5)} for n in (1, 2)]
    return {"a": a, "b": b}


STAGES = [{"normalize": {}}, {"exact_dedup": {"urls": True}}, {"document_dedup": {}}, {"select": {}}]


@pytest.fixture
def finished(make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished run in many parts, whose ledger is read three rows at a time."""
    config = load_run(make_config(rows(), stages=STAGES))
    run(config, quiet=True)
    monkeypatch.setattr(lookup, "BATCH_ROWS", 3)
    return config.output


def by_plain_reading(folder: str, min_size: int = 2) -> list[tuple[str, int, Counter[str]]]:
    """Survivor, size and sources of every cluster."""
    book = ledger(folder)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in book.values():
        found.setdefault(row["duplicate_of"] or row["id"], []).append(row)
    every = [(name, len(members), Counter(row["source"] for row in members)) for name, members in found.items()]
    return sorted((one for one in every if one[1] >= min_size), key=lambda one: (-one[1], one[0]))


def test_the_largest_clusters_are_what_a_plain_reading_finds(finished: str) -> None:
    found = clusters(finished)
    assert [(one["survivor"], one["size"], Counter(one["sources"])) for one in found] == by_plain_reading(finished)
    assert [one["size"] for one in found] == [5, 3, 2]
    assert clusters(finished, top=2) == found[:2]
    assert clusters(finished, min_size=3) == found[:2]
    assert clusters(finished, source="b") == found[1:]
    assert clusters(finished, source="a") == found[:2]
    assert clusters(finished, source="a", domain="web", min_size=5) == found[:1]


def test_members_are_counted_by_how_they_belong(finished: str) -> None:
    first, chinese, pair = clusters(finished)
    assert (first["survivor"], first["exact"], first["near"], first["contained"], first["url"]) == ("copy-1", 2, 1, 0, 1)
    assert first["similarity"] == [ledger(finished)["shorter"]["similarity"], 1.0]
    assert first["languages"] == {"en": 5}
    assert first["text"] == prose(1, 20)[:60].rstrip()
    assert (chinese["survivor"], chinese["exact"], chinese["near"]) == ("zh", 0, 2)
    assert chinese["similarity"] == sorted(ledger(finished)[name]["similarity"] for name in ("zh-10", "zh-20"))
    assert (pair["exact"], pair["similarity"]) == (1, [1.0, 1.0])


def test_an_unknown_source_is_refused_with_the_known_ones(finished: str) -> None:
    with pytest.raises(InputError, match=r"no document of source 'c'; known are: a, b"):
        clusters(finished, source="c")
    assert clusters(finished, source="a", min_size=100) == []


def test_a_cluster_is_found_by_any_of_its_documents(finished: str) -> None:
    whole = cluster(finished, "copy-1")
    assert whole["text"] == prose(1, 20)
    assert [member["id"] for member in whole["members"]] == ["same-url", "shorter", "copy-2", "first"]
    texts = {row["id"]: row["text"] for row in rows()["a"]}
    assert {member["id"]: member["text"] for member in whole["members"]} == {m["id"]: texts[m["id"]] for m in whole["members"]}
    by_member = cluster(finished, "first", num_members=2)
    assert [member["id"] for member in by_member["members"]] == ["first", "same-url"]
    assert {key: by_member[key] for key in ("survivor", "size", "exact", "near", "url")} == {
        key: whole[key] for key in ("survivor", "size", "exact", "near", "url")
    }


@pytest.mark.parametrize(("name", "message"), [("alone", "is in no cluster"), ("nobody", "no document 'nobody' in the ledger")])
def test_a_document_without_a_cluster_is_refused(name: str, message: str, finished: str) -> None:
    with pytest.raises(InputError, match=message):
        cluster(finished, name)


def test_a_document_that_others_keep_most_of_is_not_shown_in_the_cluster_of_one_of_them(make_config: Maker) -> None:
    shared, rest = prose(30, 40), prose(32, 90)
    source = {"id": "source", "text": f"{shared}\n\n{rest}"}
    texts = [source, source | {"id": "source-copy"}, {"id": "mostly", "text": f"{shared}\n\n{prose(31, 8)}"}]
    stages = [*STAGES[:3], {"sentence_dedup": {}}, {"select": {}}]
    config = load_run(make_config({"a": texts}, stages=stages))
    run(config, quiet=True)
    row = ledger(config.output)["mostly"]
    assert (row["reasons"], row["duplicate_of"]) == (["mostly_repeated"], "source")
    assert [member["id"] for member in cluster(config.output, "source")["members"]] == ["source-copy"]
    with pytest.raises(InputError, match="'mostly' is in no cluster"):
        cluster(config.output, "mostly")


def test_clusters_of_kept_duplicates_are_counted_alike(finished: str) -> None:
    folder = str(Path(finished).parent / "all")
    select(finished, folder, ["stages.select.duplicates=keep_with_count"], quiet=True)
    assert {row["fate"] for row in ledger(folder).values()} == {"kept"}
    assert clusters(folder) == clusters(finished)


def test_texts_that_were_not_kept_are_said_to_be_missing(finished: str) -> None:
    folder = str(Path(finished).parent / "thin")
    select(finished, folder, ["rejected.text=none"], quiet=True)
    assert [member["text"] for member in cluster(folder, "zh")["members"]] == [None, None]
    result = CliRunner().invoke(app, ["duplicates", folder, "--show", "zh"])
    assert result.output.count("its text was not kept (rejected.text)") == 2


def test_a_survivor_of_an_earlier_run_is_looked_up_there(make_config: Maker) -> None:
    text = prose(1, 20)
    one = load_run(make_config({"a": [{"id": "old", "text": text}, {"id": "other", "text": prose(2)}]}, "one"))
    run(one, quiet=True)
    two = load_run(make_config({"b": [{"id": "copy", "text": text}, {"id": "near", "text": text[:-60]}]}, "two", earlier=[one.output]))
    run(two, quiet=True)
    (found,) = clusters(two.output)
    assert (found["survivor"], found["size"], found["exact"], found["near"]) == ("old", 3, 1, 1)
    assert found["sources"] == {"b": 2}
    assert found["text"] == text[:60].rstrip()
    assert cluster(two.output, "old") == cluster(two.output, "near") | {"members": cluster(two.output, "old")["members"]}
    (Path(one.output) / "ledger").rename(Path(one.output) / "gone")
    (found,) = clusters(two.output)
    assert (found["survivor"], found["exact"], found["near"], found["text"]) == ("old", 1, 1, "")
    assert [member["id"] for member in cluster(two.output, "copy")["members"]] == ["copy", "near"]


def test_members_are_compared_with_what_was_cut_put_back(make_config: Maker) -> None:
    text = f"首页 | 国内 | 财经\n{zh_prose(3)}\n\n责任编辑：沈小舟"
    stages = [{"normalize": {}}, {"sentences": {}}, {"exact_dedup": {}}, {"document_dedup": {}}, {"select": {}}]
    config = load_run(make_config({"a": [{"id": "1", "text": text}, {"id": "2", "text": text}]}, stages=stages))
    run(config, quiet=True)
    found = cluster(config.output, "1")
    assert found["text"] == found["members"][0]["text"] == text
    result = CliRunner().invoke(app, ["duplicates", config.output, "--show", "2"])
    assert "the same text" in result.output


def test_the_command_lists_shows_and_writes_figures(finished: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["duplicates", finished, "--top", "2", "--json", str(tmp_path / "found.json")])
    assert result.exit_code == 0
    head, *lines = [line.split() for line in result.output.splitlines() if line.split()]
    assert head[:5] == ["size", "exact", "near", "url", "similarity"]
    assert lines[0] == ["5", "2", "1", "1", *lines[0][4:8], "copy-1"]
    assert " ".join(lines[1]) == prose(1, 20)[:60].rstrip()
    assert f"corpus duplicates {finished} --show ID" in result.output
    assert json.loads((tmp_path / "found.json").read_text()) == clusters(finished, top=2)
    shown = CliRunner().invoke(app, ["duplicates", finished, "--show", "zh-20", "--members", "1"])
    assert "cluster of 3 documents: 2 near; similarity" in shown.output
    assert "a 1" in shown.output
    assert "b 2" in shown.output
    assert f"[-{zh_prose(2, 20)[-20:]}-]" in shown.output
    assert "near_duplicate   b: b.jsonl:2" in shown.output
    assert "1 of 2 members" in shown.output


def test_a_run_without_duplicates_says_so(make_config: Maker) -> None:
    config = load_run(make_config({"a": [{"id": "1", "text": prose(1)}]}))
    run(config, quiet=True)
    assert CliRunner().invoke(app, ["duplicates", config.output]).output.strip() == "no duplicates"


def test_a_folder_without_a_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no finished run; ledger/ is empty or missing"):
        clusters(str(tmp_path))


def test_what_was_cut_is_put_back_and_what_was_masked_stays_masked() -> None:
    cuts = [
        {"start": 0, "end": 6, "removed": "首页", "replacement": ""},
        {"start": 9, "end": 14, "removed": None, "replacement": "[邮]"},
        {"start": 15, "end": 16, "removed": "!", "replacement": ""},
    ]
    assert lookup.put_back("文[邮]a", cuts) == "首页文[邮]a!"
    assert lookup.put_back("文", []) == "文"

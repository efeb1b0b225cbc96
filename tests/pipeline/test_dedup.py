"""What a run makes of duplicates beyond the plain case: containment, URLs, weights, host caps, earlier runs, huge components."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.errors import ConfigError, RunError
from pipeline.config import load_run
from pipeline.dedup import pairs
from pipeline.reselect import select
from pipeline.run import run
from tests.pipeline.conftest import chain, ledger, output_bytes, prose, read_parts, zh_prose

Maker = Callable[..., Path]
Book = dict[str, dict[str, Any]]


def book_of(config: Path, *overrides: str) -> Book:
    settings = load_run(config, overrides)
    run(settings, quiet=True)
    return ledger(settings.output)


def stages(**settings: dict[str, Any]) -> list[dict[str, Any]]:
    keys = ("normalize", "exact_dedup", "document_dedup", "select")
    return [{key: settings.get(key, {})} for key in keys]


def whole_and_parts() -> list[dict[str, Any]]:
    """20 texts and of each its first 90 %: of the part's shingles all are in the whole, and .9 of the whole's are in the part."""
    rows = []
    for seed in range(20):
        text = (prose if seed % 2 else zh_prose)(seed, 20)
        rows += [{"id": f"whole-{seed}", "text": text}, {"id": f"part-{seed}", "text": text[: int(len(text) * 0.9)]}]
    return rows


def test_what_is_contained_in_a_longer_document_goes_only_if_asked(make_config: Maker) -> None:
    config = make_config({"a": whole_and_parts()}, stages=stages(document_dedup={"similarity": 0.98}))
    assert {row["fate"] for row in book_of(config).values()} == {"kept"}
    folder = str(Path(load_run(config).output).parent / "contained")
    select(load_run(config).output, folder, ["stages.document_dedup.containment=0.95"], quiet=True)
    book = ledger(folder)
    gone = {name: row for name, row in book.items() if row["fate"] == "rejected"}
    assert len(gone) >= 19  # a pair of similarity .9 shares a band with probability .9999
    for name, row in gone.items():
        assert row["reasons"] == ["contained"]
        assert row["duplicate_of"] == name.replace("part", "whole")
        assert 0.88 < row["similarity"] < 0.92


def test_of_one_url_the_preferred_document_stands_if_asked(make_config: Maker) -> None:
    rows = [
        {"id": "short", "text": prose(1, 5), "url": "http://example.org/a"},
        {"id": "long", "text": prose(2, 9), "url": "https://www.example.org/a/#top"},
        {"id": "other", "text": prose(3, 7), "url": "https://example.org/b"},
        {"id": "copy-of-other", "text": prose(3, 7), "url": "https://example.org/a"},
        {"id": "none", "text": prose(4, 3)},
    ]
    assert sum(row["fate"] == "kept" for row in book_of(make_config({"a": rows}, "plain")).values()) == 4
    book = book_of(make_config({"a": rows}, "urls", stages=stages(exact_dedup={"urls": True})))
    assert {name for name, row in book.items() if row["fate"] == "kept"} == {"long", "other", "none"}
    assert (book["short"]["reasons"], book["short"]["duplicate_of"], book["short"]["similarity"]) == (["duplicate_url"], "long", None)
    assert book["copy-of-other"]["reasons"] == ["duplicate_url", "exact_duplicate"]
    assert (book["copy-of-other"]["duplicate_of"], book["copy-of-other"]["similarity"]) == ("other", 1.0)


def test_a_document_behind_a_url_keeps_nobody_out(make_config: Maker) -> None:
    rows = [
        {"id": "newest", "text": prose(1, 20), "url": "https://example.org/a"},
        {"id": "older", "text": prose(2, 12), "url": "https://example.org/a"},
        {"id": "near-older", "text": prose(2, 12)[:-30]},
    ]
    book = book_of(make_config({"a": rows}, stages=stages(exact_dedup={"urls": True})))
    assert {name for name, row in book.items() if row["fate"] == "kept"} == {"newest", "near-older"}
    assert book["older"]["reasons"] == ["duplicate_url", "near_duplicate"]
    assert book["older"]["duplicate_of"] == "near-older"


def test_weights_by_cluster_size(make_config: Maker) -> None:
    rows = [{"id": f"{size}-{n}", "text": prose(size)} for size in (1, 2, 7) for n in range(size)]
    config = make_config({"a": rows})
    book_of(config)
    output = load_run(config).output
    found = {}
    for policy in ("soft", "rehydrate"):
        folder = str(Path(output).parent / policy)
        select(output, folder, [f"stages.select.duplicates={policy}"], quiet=True)
        found[policy] = {r["id"]: r["sampling_weight"] for r in read_parts(folder, "corpus").to_pylist()}
    assert found["rehydrate"] == {"1-0": 1.0, "2-0": 2.0, "7-0": 4.0}
    assert len(found["soft"]) == 10
    assert all(weight == pytest.approx(1 / int(name[0])) for name, weight in found["soft"].items())
    assert set(read_parts(output, "corpus")["sampling_weight"].to_pylist()) == {1.0}


def test_soft_weights_of_a_cluster_sum_to_one_over_what_is_kept(make_config: Maker) -> None:
    pages = [{"id": f"page-{n}", "text": f"{prose(1, 20)} Page {n}.", "url": f"https://big.example/{n}"} for n in range(12)]
    other = [{"id": "other", "text": f"{prose(1, 20)} Page 99.", "url": "https://small.example/"}]
    config = make_config({"a": pages + other}, stages=stages(select={"duplicates": "soft", "max_per_host": 3}))
    book = book_of(config)
    assert {row["cluster_size"] for row in book.values()} == {13}
    kept = read_parts(load_run(config).output, "corpus")["sampling_weight"].to_pylist()
    assert kept == [0.25] * 4
    one = make_config({"a": other}, "one")
    book_of(one)
    two = load_run(make_config({"b": pages[:5]}, "two", stages=stages(select={"duplicates": "soft"}), earlier=[load_run(one).output]))
    run(two, quiet=True)
    found = read_parts(two.output, "corpus")
    assert found["sampling_weight"].to_pylist() == pytest.approx([0.2] * 5)
    assert found["cluster_size"].to_pylist() == [6] * 5


def test_bad_rehydration_weights_are_refused(make_config: Maker) -> None:
    for weights, got in (
        ({"2": 1.5}, "got the sizes 2; wanted whole numbers from 1 on, 1 among them"),
        ({"1": 1, "03": 2}, "got the sizes 03, 1; wanted whole numbers"),
        ({"1": 1, "２": 2}, "got the sizes 1, ２; wanted whole numbers"),
        ({"1": float("inf")}, "got inf, wanted between 0 and 1e+06"),
    ):
        config = make_config({"a": [{"text": prose(1)}]}, stages=stages(select={"rehydrate_weights": weights}))
        with pytest.raises(ConfigError, match="rehydrate_weights") as error:
            load_run(config)
        assert got in str(error.value)


def test_a_host_keeps_so_many_texts_and_its_copies_count_once(make_config: Maker) -> None:
    rows = [{"id": f"big-{n}", "text": prose(n), "url": f"https://www.big.example/{n}"} for n in range(12)]
    rows += [{"id": f"copy-{n}", "text": prose(0), "url": f"https://big.example/copy/{n}"} for n in range(5)]
    rows += [{"id": f"small-{n}", "text": prose(100 + n), "url": f"https://small.example/{n}"} for n in range(3)]
    rows += [{"id": "nowhere", "text": prose(200)}]
    config = make_config({"a": rows, "b": [{"id": "elsewhere", "text": prose(n), "url": "https://b.example/"} for n in (3,)]})
    book_of(config)
    output = load_run(config).output
    folder = str(Path(output).parent / "capped")
    summary = select(output, folder, ["stages.select.max_per_host=4"], quiet=True)
    book = ledger(folder)
    kept = [name for name, row in book.items() if row["fate"] == "kept"]
    assert sum(name.startswith(("big", "copy")) for name in kept) in (3, 4)  # one of the four may be a copy of the text elsewhere
    assert {"small-0", "small-1", "small-2", "nowhere"} <= set(kept)
    texts = {row["id"]: row["text"] for row in rows}
    within = {texts[n] for n, row in book.items() if n in texts and n.startswith(("big", "copy")) and "host_cap" not in row["reasons"]}
    assert len(within) == 4
    assert {row["fate"] for row in book.values() if "host_cap" in row["reasons"]} == {"rejected"}
    assert "elsewhere" in kept or book["elsewhere"]["duplicate_of"] == "big-3"
    assert summary["reasons"]["host_cap"][0] == sum("host_cap" in row["reasons"] for row in book.values())


def snapshots() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Two crawls: the second has a copy and a shorter near-duplicate of texts in the first, new texts with copies, and an id again."""
    first = [{"id": f"first-{n}", "text": (prose if n % 2 else zh_prose)(n, 14)} for n in range(8)]
    first += [{"id": "first-copy", "text": first[0]["text"]}]
    second = [{"id": "one-more", "text": first[1]["text"]}, {"id": "near", "text": first[2]["text"][:-9]}]
    second += [{"id": f"new-{n}", "text": (prose if n % 2 else zh_prose)(50 + n, 14)} for n in range(4)]
    second += [{"id": "new-copy", "text": second[-1]["text"]}, {"id": "first-3", "text": prose(99)}]
    return first, second


def test_a_new_crawl_is_deduplicated_against_an_earlier_one(make_config: Maker) -> None:
    first, second = snapshots()
    one = make_config({"a": first}, "one")
    kept_first = {name for name, row in book_of(one).items() if row["fate"] == "kept"}
    two = make_config({"b": second}, "two", earlier=[load_run(one).output])
    book = book_of(two)
    assert len(book) == len(second)
    assert (book["one-more"]["reasons"], book["one-more"]["duplicate_of"]) == (["exact_duplicate"], "first-1")
    assert (book["near"]["reasons"], book["near"]["duplicate_of"]) == (["near_duplicate"], "first-2")
    assert book["first-3~2"]["fate"] == "kept"
    assert book["first-3~2"]["repeated_id"]
    both = book_of(make_config({"a": first, "b": second}, "both"))
    together = {name for name, row in both.items() if row["fate"] == "kept"}
    assert kept_first | {name for name, row in book.items() if row["fate"] == "kept"} == together


def test_an_earlier_run_stays_even_where_a_new_document_would_be_preferred(make_config: Maker) -> None:
    text = zh_prose(1, 14)
    one = make_config({"a": [{"id": "short", "text": text[:-9]}]}, "one")
    book_of(one)
    two = make_config({"b": [{"id": "long", "text": text}]}, "two", earlier=[load_run(one).output])
    assert book_of(two)["long"]["duplicate_of"] == "short"
    folder = str(Path(load_run(two).output).parent / "again")
    summary = select(load_run(two).output, folder, ["stages.document_dedup.similarity=0.99"], quiet=True)
    assert ledger(folder)["long"]["fate"] == "kept"
    assert summary["duplicates"]["verified_pairs"] == 1


def test_ids_that_two_earlier_runs_have_are_told_and_stay(make_config: Maker) -> None:
    folders = []
    for name in ("one", "two"):
        config = make_config({name: [{"id": f"same-{n}", "text": prose(n + 10 * (name == "two"))} for n in range(3)]}, name)
        book_of(config)
        folders.append(load_run(config).output)
    rows = [{"id": "copy", "text": prose(11)}, {"id": "same-1", "text": prose(30)}, {"id": "same-1", "text": prose(31)}]
    summary = run(load_run(make_config({"new": rows}, "new", earlier=folders)), quiet=True)
    book = ledger(summary["output"])
    assert set(book) == {"copy", "same-1~2", "same-1~3"}
    assert book["copy"]["duplicate_of"] == "same-1"
    assert summary["duplicates"]["repeated_ids"] == 2
    assert summary["duplicates"]["shared_ids"] == {"ids": 3, "example": "same-0", "runs": folders}
    look = f"corpus explain {folders[1]} same-0"
    assert summary["alarms"] == [{"kind": "shared_ids", "name": "same-0", "size": 3, "runs": folders, "look": look}]
    told = f"3 ids stand in several earlier runs, 'same-0' in {folders[0]} and {folders[1]}: duplicate_of and partner may mean either"
    assert told in (Path(summary["output"]) / "README.md").read_text(encoding="utf-8")


def test_two_earlier_runs_that_kept_documents_alike_protect_both(make_config: Maker) -> None:
    like_first, first, like_both, second = chain(4)  # of these only neighbours are similar enough
    folders = []
    for name, row in (("one", first), ("two", like_both)):
        config = make_config({name: [row]}, name)
        book_of(config)
        folders.append(load_run(config).output)
    rows = [{"id": "copy", "text": first["text"]}, like_first, second]
    book = book_of(make_config({"new": rows}, "new", earlier=folders))
    assert (book["copy"]["reasons"], book["copy"]["duplicate_of"], book["copy"]["similarity"]) == (["exact_duplicate"], "01", 1.0)
    assert [(book[name]["reasons"], book[name]["duplicate_of"]) for name in ("00", "03")] == [
        (["near_duplicate"], "01"),
        (["near_duplicate"], "02"),
    ]


def test_a_document_that_the_earlier_run_rejected_keeps_nobody_out(make_config: Maker, tmp_path: Path) -> None:
    takedown = tmp_path / "takedown.txt"
    takedown.write_text("gone\n")
    one = make_config({"a": [{"id": "gone", "text": prose(1)}, {"id": "there", "text": prose(2)}]}, "one",
                      stages=stages(select={"takedown_ids": str(takedown)}))  # fmt: skip
    book_of(one)
    two = make_config({"b": [{"id": "again", "text": prose(1)}]}, "two", earlier=[load_run(one).output])
    assert book_of(two)["again"]["fate"] == "kept"


def test_an_earlier_run_that_was_selected_again_is_asked_again(make_config: Maker, tmp_path: Path) -> None:
    takedown = tmp_path / "takedown.txt"
    takedown.write_text("page\n")
    first, second = {"a": [{"id": "page", "text": prose(1)}]}, {"b": [{"id": "again", "text": prose(1)}]}
    one = load_run(make_config(first, "one"))
    run(one, quiet=True)
    two = make_config(second, "two", earlier=[one.output])
    assert book_of(two)["again"]["duplicate_of"] == "page"
    run(load_run(make_config(first, "one", stages=stages(select={"takedown_ids": str(takedown)}))), overwrite=True, quiet=True)
    run(load_run(two), overwrite=True, quiet=True)
    assert book_of(two)["again"]["fate"] == "kept"


def test_an_earlier_run_must_be_finished_and_signed_alike(make_config: Maker, tmp_path: Path) -> None:
    rows = [{"id": "a", "text": prose(1)}]
    with pytest.raises(RunError, match=r"holds no run"):
        book_of(make_config({"b": rows}, "two", earlier=[str(tmp_path / "nothing")]))
    one = make_config({"a": rows}, "one", stages=stages(document_dedup={"shingle": 4}))
    book_of(one)
    with pytest.raises(ConfigError, match=r"earlier: .*one has other settings of stages.document_dedup"):
        book_of(make_config({"b": rows}, "two", earlier=[load_run(one).output]))
    output = load_run(one).output
    with pytest.raises(ConfigError, match=r"earlier: no stage of this run compares .* add exact_dedup, document_dedup or sentence_dedup"):
        book_of(make_config({"b": rows}, "bare", stages=[{"normalize": {}}], earlier=[output]))
    with pytest.raises(ConfigError, match=r"earlier: '.*one' stands twice"):
        load_run(make_config({"b": rows}, "twice", earlier=[output, f"{output}/"]))
    (Path(output) / "summary.json").unlink()
    with pytest.raises(RunError, match=r"earlier: .*one is no finished run"):
        book_of(make_config({"b": rows}, "three", earlier=[load_run(one).output]))


def test_a_huge_component_is_spread_over_partitions_and_decided_alike(make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    base = prose(1, 40).split(" ")
    rows = []
    for n in range(150):  # one template: all resemble each other, none more than its bucket's limit can hold
        words = base.copy()
        for _ in range(4):
            words[rng.randrange(len(words))] = f"word{rng.randrange(10**6)}"
        rows.append({"id": f"t{n}", "text": " ".join(words)})
    config = make_config({"a": rows}, stages=stages(document_dedup={"bucket_limit": 10}))
    book_of(config)
    output = load_run(config).output
    monkeypatch.setattr(pairs, "SPREAD_FROM", 20)
    monkeypatch.setattr("pipeline.dedup.components.SPREAD_FROM", 20)
    settings = load_run(config, (f"output={output}-spread",))
    summary = run(settings, quiet=True)
    assert summary["duplicates"]["verified_pairs"] > 500
    assert output_bytes(settings.output) == output_bytes(output)


def test_a_cluster_that_one_worker_cannot_decide_is_refused(make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config({"a": [{"id": f"copy-{n}", "text": prose(1)} for n in range(7)]})
    monkeypatch.setattr("pipeline.dedup.rounds.MEMBER_BYTES", 1 << 30)
    with pytest.raises(RunError, match=r"memory_per_worker: got 2,000,000,000 bytes; a cluster of 7 documents .* raise it"):
        book_of(config)
    monkeypatch.undo()
    assert sum(row["fate"] == "kept" for row in book_of(config).values()) == 1


def test_components_may_have_more_memory_than_a_worker(make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config({"a": [{"id": f"copy-{n}", "text": prose(1)} for n in range(7)]})
    monkeypatch.setattr("pipeline.dedup.rounds.forest_bytes", lambda documents: documents << 30)
    with pytest.raises(
        RunError, match=r"components_memory: got 2,000,000,000 bytes; the components of 7 documents need 7,\d+,\d+,\d+ in one"
    ):
        book_of(config)
    assert sum(row["fate"] == "kept" for row in book_of(config, "engine.components_memory=8GB").values()) == 1


def test_a_selection_may_have_as_much_memory_as_its_run(make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config({"a": [{"id": f"copy-{n}", "text": prose(1)} for n in range(7)]})
    more = ("engine.components_memory=8GB", "engine.memory_per_worker=9GB")
    monkeypatch.setattr("pipeline.dedup.rounds.forest_bytes", lambda documents: documents << 30)
    monkeypatch.setattr("pipeline.dedup.rounds.MEMBER_BYTES", 1 << 30)
    assert sum(row["fate"] == "kept" for row in book_of(config, *more).values()) == 1
    output = load_run(config).output
    with pytest.raises(RunError, match=r"components_memory: got 2,000,000,000 bytes"):
        select(output, f"{output}-less", (), quiet=True)
    with pytest.raises(RunError, match=r"memory_per_worker: got 2,000,000,000 bytes"):
        select(output, f"{output}-half", more[:1], quiet=True)
    select(output, f"{output}-again", more, quiet=True)
    assert output_bytes(f"{output}-again") == output_bytes(output)
    with pytest.raises(ConfigError, match=r"no engine settings but engine.memory_per_worker and engine.components_memory"):
        select(output, f"{output}-workers", ("engine.workers=4",), quiet=True)


def test_known_hosts_count_more_or_less_with_their_subdomains(make_config: Maker, tmp_path: Path) -> None:
    weights = tmp_path / "hosts.txt"
    weights.write_text("# known\nGood.example 2\nbad.good.example  0.5\n")
    urls = {"a": "https://good.example/1", "b": "http://www.bad.good.example/2", "c": "https://other.example/", "d": None}
    rows = [{"id": name, "text": prose(n), "url": url} for n, (name, url) in enumerate(urls.items())]
    config = make_config({"s": rows}, stages=stages(select={"host_weights": str(weights)}))
    book_of(config)
    found = {row["id"]: row["sampling_weight"] for row in read_parts(load_run(config).output, "corpus").to_pylist()}
    assert found == {"a": 2.0, "b": 0.5, "c": 1.0, "d": 1.0}


def test_a_host_without_a_weight_is_refused_before_the_run(make_config: Maker, tmp_path: Path) -> None:
    weights = tmp_path / "hosts.txt"
    weights.write_text("good.example two\n")
    with pytest.raises(ConfigError, match=r"hosts.txt: got 'good.example two', wanted a host and a weight such as 'example.org 1.5'"):
        book_of(make_config({"s": [{"text": prose(1)}]}, stages=stages(select={"host_weights": str(weights)})))


def test_what_is_proposed_and_left_in_lowers_the_weight(make_config: Maker) -> None:
    inside = "The first line of a page that says something.\nRead more\n" + "and the sentence goes on " * 3 + ".\n"
    rows = [{"id": "whole", "text": prose(1)}, {"id": "mixed", "text": inside}]
    config = make_config({"s": rows}, stages=[{"normalize": {}}, {"sentences": {"max_boilerplate_share": 1}}, {"select": {}}])
    book_of(config)
    for row in read_parts(load_run(config).output, "corpus").to_pylist():
        assert row["sampling_weight"] == pytest.approx(1 - row["edit_share"])

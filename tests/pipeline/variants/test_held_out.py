import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipeline.config import load_run
from pipeline.engine import InProcess
from pipeline.progress import Progress
from pipeline.run import run
from pipeline.variants.config import HeldOutSettings
from pipeline.variants.frame import MOST_HOST_SHARE, read_frame, similar_contents
from pipeline.variants.held_out import freeze
from pipeline.variants.selection import read_found
from tests.pipeline.conftest import prose, zh_prose
from tests.pipeline.test_dedup import Maker

SETTINGS = HeldOutSettings(share=0.2, curated=("law",), min_bytes=300, max_bytes=4000, max_document_bytes=700, min_clusters=1)


def law_and_news() -> dict[str, list[dict[str, Any]]]:
    """200 documents each: of news ten a host, of law no URL; a copy and a near-copy of each third page of law among the news."""
    law = [{"id": f"law-{i}", "text": prose(i, 10)} for i in range(200)]
    news = [{"id": f"news-{i}", "text": zh_prose(i, 5), "url": f"https://host{i % 20}.example/{i}"} for i in range(200)]
    for i in range(0, 60, 3):
        news.append({"id": f"copy-{i}", "text": law[i]["text"]})
        news.append({"id": f"near-{i}", "text": law[i]["text"].replace("the", "a", 1)})
        news.append({"id": f"quote-{i}", "text": f"{prose(1000 + i, 20)} {law[i]['text'][:-200]} {prose(2000 + i, 20)}"})
    return {"law": law, "news": news}


def frozen(make_config: Maker, rows: dict[str, list[dict[str, Any]]], settings: HeldOutSettings = SETTINGS) -> tuple[Path, Any, Any]:
    path = make_config(rows)
    path.write_text(path.read_text().replace("domain: web", "domain: law", 1).replace("domain: web", "domain: news", 1))
    config = load_run(path)
    run(config, quiet=True)
    found = read_found(config.output)[1]
    folder = Path(config.output).parent / "held_out"
    counts = freeze(settings, 17, found, 0.8, str(folder), InProcess(), Progress(quiet=True))
    return folder, counts, found


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / name).to_pylist()
    return found


def test_copies_near_copies_and_quotations_of_held_out_text_are_taken_out(make_config: Maker) -> None:
    folder, counts, _ = frozen(make_config, law_and_news())
    kinds = {row["id"]: row["kind"] for row in rows_of(folder, "removed.parquet")}
    held = {name for name, kind in kinds.items() if kind == "held_out"}
    for i in range(0, 60, 3):
        if f"law-{i}" in held:
            assert kinds[f"copy-{i}"] == "held_out"
            assert kinds[f"near-{i}"] in ("near", "held_out")
            assert kinds[f"quote-{i}"] in ("ngrams", "held_out")
        elif not {f"copy-{i}", f"near-{i}", f"quote-{i}"} & held:
            assert not {f"law-{i}", f"copy-{i}", f"near-{i}", f"quote-{i}"} & set(kinds)
    assert counts["removed"] == {kind: list(kinds.values()).count(kind) for kind in ("held_out", "copy", "near", "ngrams")}
    assert min(counts["removed"][kind] for kind in ("held_out", "near", "ngrams")) > 0
    assert (folder / "taken.txt").read_text().split("\n")[:-1] == [row["id"] for row in rows_of(folder, "removed.parquet")]


def test_hosts_are_held_out_whole_and_measured_in_turn(make_config: Maker) -> None:
    rows = law_and_news()
    folder, _, _ = frozen(make_config, rows)
    held = {row["id"]: row for row in rows_of(folder, "documents.parquet")}
    hosts: dict[int, list[str]] = {}
    for i in range(200):
        hosts.setdefault(i % 20, []).append(f"news-{i}")
    drawn = {host for host, names in hosts.items() if set(names) & set(held)}
    assert 0 < len(drawn) < 20
    for host in drawn:
        assert set(hosts[host]) <= set(held)
        assert len({held[name]["cluster"] for name in hosts[host]}) == 1
    measured = [sum(held[name]["measured_text"] is not None for name in hosts[host]) for host in drawn]
    assert max(measured) - min(measured) <= 1
    news = [row["measured_text"] for row in held.values() if row["cell"] == "news/zh" and row["measured_text"]]
    assert sum(len(text.encode()) for text in news) <= SETTINGS.max_bytes
    texts = {row["id"]: row["text"] for of_source in rows.values() for row in of_source}
    for row in held.values():
        if row["measured_text"] is not None:
            assert row["measured_text"] == row["text"].encode()[:700].decode(errors="ignore")
            assert row["text"] == texts[row["id"]]


def test_what_the_least_asks_for_is_measured_though_it_is_more_than_the_most(make_config: Maker) -> None:
    settings = HeldOutSettings(share=0.4, curated=("law",), min_bytes=2000, max_bytes=2000, max_document_bytes=700, min_clusters=2)
    folder, _, _ = frozen(make_config, law_and_news(), settings)
    rows = [row for row in rows_of(folder, "documents.parquet") if row["measured_text"] is not None]
    for group in {(row["set"], row["cell"]) for row in rows}:
        own = [row for row in rows if (row["set"], row["cell"]) == group]
        size = sum(len(row["measured_text"].encode()) for row in own)
        assert 2000 <= size < 2000 + 700
        assert len({row["cluster"] for row in own}) >= 2


def test_a_cell_of_too_few_hosts_or_texts_is_not_measured(make_config: Maker) -> None:
    rows = law_and_news()
    least = 9  # of the 20 hosts of Chinese news fewer are drawn
    settings = HeldOutSettings(share=0.3, curated=("law",), min_bytes=300, max_bytes=4000, max_document_bytes=700, min_clusters=least)
    folder, _, _ = frozen(make_config, rows, settings)
    clusters: dict[tuple[str, str], set[int]] = {}
    for row in rows_of(folder, "documents.parquet"):
        if row["measured_text"] is not None:
            clusters.setdefault((row["set"], row["cell"]), set()).add(row["cluster"])
    assert ("raw", "news/zh") not in clusters
    assert min(map(len, clusters.values())) >= least


def test_the_draw_is_of_the_share_and_independent_of_the_order_of_documents(make_config: Maker, tmp_path: Path) -> None:
    rows = law_and_news()
    folder, _, found = frozen(make_config, rows)
    names = {row["id"] for row in rows_of(folder, "documents.parquet")}
    of_law = sum(name.startswith("law") for name in names)
    assert abs(of_law - 40) < 4 * np.sqrt(200 * 0.2 * 0.8)
    assert len(read_frame(found, 17).ids) == 460
    (tmp_path / "again").mkdir()
    backwards = {name: of_source[::-1] for name, of_source in rows.items()}

    def elsewhere(sources: dict[str, list[Any]]) -> Path:
        return make_config(sources, "backwards")

    again, _, _ = frozen(elsewhere, backwards)  # type: ignore[arg-type]
    assert names != set()
    assert {row["id"] for row in rows_of(again, "documents.parquet")} == names


def test_what_has_no_host_is_held_out_by_the_file_that_its_id_names(make_config: Maker) -> None:
    rows = law_and_news()
    for i, row in enumerate(rows["law"]):
        row["id"] = f"book {i // 10}.txt#{i % 10:03}" if i < 190 else f"alone-{i}"
    for row in rows["news"]:
        row["id"] = f"all.jsonl#{row['id']}"  # most of its domain, so no unit; and what has a URL goes by its host
    folder, _, _ = frozen(make_config, rows, dataclasses.replace(SETTINGS, unit="id"))
    held = {row["id"]: row["cluster"] for row in rows_of(folder, "documents.parquet")}
    books: dict[str, list[str]] = {}
    for row in rows["law"][:190]:
        books.setdefault(row["id"].partition("#")[0], []).append(row["id"])
    drawn = {book for book, names in books.items() if set(names) & set(held)}
    assert 0 < len(drawn) < 19
    for book in drawn:
        assert set(books[book]) <= set(held)
        assert len({held[name] for name in books[book]}) == 1
    alone = [name for name in held if name.startswith("alone")]
    assert len({held[name] for name in [*alone, *(books[book][0] for book in drawn)]}) == len(alone) + len(drawn)
    of_host = [{held.get(f"all.jsonl#news-{i}") for i in range(host, 200, 20)} for host in range(20)]
    assert all(len(clusters) == 1 for clusters in of_host)
    without_host = {name: cluster for name, cluster in held.items() if name.startswith(("all.jsonl#near", "all.jsonl#quote"))}
    assert 0 < len(without_host) < 40
    assert len(set(without_host.values())) == len(without_host)


def test_a_host_of_most_of_a_domain_is_held_out_by_document(make_config: Maker) -> None:
    rows = law_and_news()
    for row in rows["news"][:200]:
        row["url"] = "https://one.example/" + json.dumps(row["id"])
    folder, _, _ = frozen(make_config, rows)
    held = {row["id"] for row in rows_of(folder, "documents.parquet")}
    share = sum(name.startswith("news") for name in held) / 200
    assert MOST_HOST_SHARE < share < 0.35


def test_pairs_are_those_of_near_copies(make_config: Maker) -> None:
    _, _, found = frozen(make_config, law_and_news())
    frame = read_frame(found, 17)
    left, right = similar_contents(found, frame, 0.8)
    name_of = dict(zip(frame.content.tolist(), frame.ids.to_pylist(), strict=True))
    pairs = {
        frozenset((name_of[a].rpartition("-")[2], name_of[b].rpartition("-")[2]))
        for a, b in zip(left.tolist(), right.tolist(), strict=True)
    }
    assert pairs == {frozenset((str(i),)) for i in range(0, 60, 3)}


def test_pairs_with_documents_of_an_earlier_run_are_left_out(make_config: Maker) -> None:
    earlier = load_run(make_config({"old": [{"id": "old", "text": prose(1, 10)}]}, "earlier"))
    run(earlier, quiet=True)
    rows = [{"id": f"{name}-{i}", "text": prose(i, 10) + more} for i in (1, 2) for name, more in (("page", ""), ("near", " More."))]
    config = load_run(make_config({"new": rows}, "new", earlier=[earlier.output]))
    run(config, quiet=True)
    found = read_found(config.output)[1]
    frame = read_frame(found, 17)
    name_of = dict(zip(frame.content.tolist(), frame.ids.to_pylist(), strict=True))
    pairs = [{name_of[a], name_of[b]} for a, b in zip(*(ends.tolist() for ends in similar_contents(found, frame, 0.8)), strict=True)]
    assert {frozenset(pair) for pair in pairs} == {frozenset(("page-1", "near-1")), frozenset(("page-2", "near-2"))}

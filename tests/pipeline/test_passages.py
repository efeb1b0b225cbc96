"""Sentence de-duplication in whole runs: planted repeats go, the best copy stays, and nothing is lost."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.errors import RunError
from pipeline.reselect import select
from tests.pipeline.conftest import ledger, output_bytes, prose, read_parts, zh_prose
from tests.pipeline.test_run import finish as finish_run

Maker = Callable[..., Path]
Row = dict[str, str]

SENTENCES: dict[str, Any] = {"sentence_dedup": {}}
STAGES = [{"normalize": {}}, {"exact_dedup": {}}, {"document_dedup": {}}, SENTENCES, {"select": {}}]
PASSAGE, ZH_PASSAGE = prose(900, 3), zh_prose(900, 4)


def finish(config: Path, *overrides: str) -> tuple[dict[str, Any], str]:
    """With splits of a few documents, so that shards meet and there are not too many files."""
    return finish_run(config, "engine.split_bytes=24000", *overrides)


def sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.。])", text) if part.strip()]


def within(host: str, passage: str) -> str:
    """A long text with a passage in its middle, as a paragraph of its own."""
    parts = sentences(host)
    glue = " " if host.isascii() else ""
    half = len(parts) // 2
    return f"{glue.join(parts[:half])}\n\n{passage}\n\n{glue.join(parts[half:])}"


def edits(folder: str | Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in read_parts(folder, "edits").to_pylist():
        found.setdefault(row["id"], []).append(row)
    return found


def corpus(folder: str | Path) -> dict[str, str]:
    return {row["id"]: row["text"] for row in read_parts(folder, "corpus").to_pylist()}


def repeated() -> list[Row]:
    return [
        {"id": "short", "text": within(prose(1, 70), PASSAGE)},
        {"id": "long", "text": within(prose(2, 90), PASSAGE)},
        {"id": "zh-short", "text": within(zh_prose(3, 120), ZH_PASSAGE)},
        {"id": "zh-long", "text": within(zh_prose(4, 150), ZH_PASSAGE)},
        {"id": "twice", "text": f"{within(prose(5, 150), prose(901, 4))}\n\n{prose(901, 4).upper()}"},
        {"id": "alone", "text": prose(6, 20)},
    ]


def test_the_longer_document_keeps_a_passage_that_two_have(make_config: Maker) -> None:
    _, folder = finish(make_config({"a": repeated()}, stages=STAGES))
    cuts, texts = edits(folder), corpus(folder)
    assert set(cuts) == {"short", "zh-short", "twice"}
    (cut,) = cuts["short"]
    assert (cut["rule"], cut["partner"], cut["similarity"]) == ("repeated_passage", "long", 1.0)
    assert cut["removed"].strip() == PASSAGE
    assert PASSAGE in texts["long"]
    assert PASSAGE not in texts["short"]
    (cut,) = cuts["zh-short"]
    assert (cut["partner"], cut["removed"].strip()) == ("zh-long", ZH_PASSAGE)
    assert texts["short"] == "\n\n".join(part for part in repeated()[0]["text"].split("\n\n") if part != PASSAGE)


def test_a_passage_that_stands_twice_in_one_document_stays_once_at_its_first_place(make_config: Maker) -> None:
    _, folder = finish(make_config({"a": repeated()}, stages=STAGES))
    (cut,) = edits(folder)["twice"]
    assert (cut["partner"], cut["removed"]) == ("twice", f"\n\n{prose(901, 4).upper()}")
    assert prose(901, 4) in corpus(folder)["twice"]


def test_one_of_several_documents_keeps_a_passage(make_config: Maker) -> None:
    rows = [{"id": f"n{number}", "text": within(prose(10 + number, 80)[:4500] + ".", PASSAGE)} for number in range(3)]
    _, folder = finish(make_config({"a": rows}, stages=STAGES))
    keepers = {cut["partner"] for found in edits(folder).values() for cut in found}
    assert len(keepers) == 1
    assert set(edits(folder)) == {row["id"] for row in rows} - keepers


def test_similar_paragraphs_are_found_unless_their_numbers_differ(make_config: Maker) -> None:
    long = zh_prose(902, 7)
    changed = long.replace(sentences(long)[3], sentences(long)[3][:-3] + "变了。", 1)
    counted = "去年全市共有12345人参加了这项活动，" + zh_prose(903, 6)
    recounted = counted.replace("12345", "23456")
    rows = [
        {"id": "first", "text": within(zh_prose(21, 170), long)},
        {"id": "second", "text": within(zh_prose(22, 180), changed)},
        {"id": "third", "text": within(zh_prose(23, 170), counted)},
        {"id": "fourth", "text": within(zh_prose(24, 180), recounted)},
    ]
    stages = [*STAGES[:3], {"sentence_dedup": {"min_sentences": 20}}, {"select": {}}]  # so that only whole paragraphs count
    _, folder = finish(make_config({"a": rows}, stages=stages))
    (cut,) = edits(folder)["first"]
    assert (cut["rule"], cut["partner"], cut["removed"].strip()) == ("similar_passage", "second", long)
    assert 0.9 <= cut["similarity"] < 1
    assert set(edits(folder)) == {"first"}
    without = [*STAGES[:3], {"sentence_dedup": {"min_sentences": 20, "fuzzy": False}}, {"select": {}}]
    assert edits(finish(make_config({"a": rows}, name="exact", stages=without))[1]) == {}


def mostly() -> list[Row]:
    shared, rest = prose(30, 40), prose(31, 8)
    return [
        {"id": "source", "text": f"{shared}\n\n{prose(32, 90)}"},
        {"id": "copy", "text": f"{shared}\n\n{rest}"},
        {"id": "half", "text": f"{' '.join(sentences(shared)[:12])}\n\n{prose(33, 20)}"},
    ]


def test_a_document_that_another_keeps_most_of_is_rejected_for_it(make_config: Maker) -> None:
    summary, folder = finish(make_config({"a": mostly()}, stages=STAGES))
    book = ledger(folder)
    row = book["copy"]
    assert (row["fate"], row["reasons"], row["duplicate_of"]) == ("rejected", ["mostly_repeated"], "source")
    assert row["similarity"] == pytest.approx(row["repeated_char_share"]) == pytest.approx(40 / 48, abs=0.02)
    assert summary["reasons"]["mostly_repeated"][0] == 1
    assert book["half"]["fate"] == "kept"
    assert book["half"]["edit_share"] == 0  # 12 of 32 sentences at its edge are cut
    assert corpus(folder)["half"] == prose(33, 20)


def test_a_digest_of_others_owns_nothing_however_long_it_is(make_config: Maker) -> None:
    pages = [prose(60 + number, 16) for number in range(4)]
    quoted = ["\n\n".join([" ".join(sentences(page)[4:12])]) for page in pages]
    rows = [{"id": f"page{number}", "text": page} for number, page in enumerate(pages)]
    _, folder = finish(make_config({"a": [*rows, {"id": "digest", "text": "\n\n".join(quoted)}]}, stages=STAGES))
    book = ledger(folder)
    assert book["digest"]["reasons"] == ["mostly_repeated"]
    assert len(rows[0]["text"]) < book["digest"]["num_chars"]
    assert {row["id"]: corpus(folder)[row["id"]] for row in rows} == {row["id"]: row["text"] for row in rows}


def test_a_document_that_others_rely_on_is_kept_whole(make_config: Maker) -> None:
    rows = [*mostly(), {"id": "relies", "text": " ".join(sentences(prose(31, 8))[1:7])}]
    _, folder = finish(make_config({"a": rows}, stages=STAGES))
    book = ledger(folder)
    assert (book["relies"]["reasons"], book["relies"]["duplicate_of"]) == (["mostly_repeated"], "copy")
    assert (book["copy"]["fate"], book["copy"]["duplicate_of"]) == ("kept", None)
    assert book["copy"]["edit_share"] == pytest.approx(40 / 48, abs=0.02)
    assert corpus(folder)["copy"] == mostly()[1]["text"]


def test_the_only_copy_of_what_others_lost_keeps_its_weight(make_config: Maker, tmp_path: Path) -> None:
    part = " ".join(sentences(prose(30, 40))[:20])
    rows = [
        *mostly(),
        {"id": "relies", "text": " ".join(sentences(prose(31, 8))[1:7])},
        {"id": "lowered", "text": f"{part}\n\n{prose(34, 12)}"},
        {"id": "survivor", "text": f"{part}\n\n{prose(35, 12)}"},
        {"id": "survivor", "text": f"{part}\n\n{prose(35, 12)}"},
    ]
    stages = [*STAGES, {"mixture": {"held_out": {"share": 0}}}]
    _, folder = finish(make_config({"a": rows}, stages=stages))
    found = {row["id"].partition("-")[0]: row for row in read_parts(folder, "corpus").to_pylist()}
    assert set(found) == {"source", "copy", "half", "lowered", "survivor"}
    assert all(found[name]["edit_share"] > 0.5 for name in ("copy", "lowered", "survivor"))
    weights = {name: row["sampling_weight"] for name, row in found.items()}
    lowered = pytest.approx(1 - found["lowered"]["edit_share"])
    assert weights == {"source": 1, "copy": 1, "half": 1, "survivor": 1, "lowered": lowered}
    assert all(found[name]["repeats"] >= 1 for name in weights if name != "lowered")
    select(folder, str(tmp_path / "again"), ["stages.mixture.temperature=3"], quiet=True)
    assert output_bytes(tmp_path / "again") == output_bytes(folder)


def test_a_document_that_duplicates_were_rejected_for_is_kept(make_config: Maker) -> None:
    rows = [*mostly(), {"id": "copy of the copy", "text": mostly()[1]["text"]}]
    _, folder = finish(make_config({"a": rows}, stages=STAGES))
    book = ledger(folder)
    fates = {name: book[name]["fate"] for name in ("copy", "copy of the copy")}
    assert sorted(fates.values()) == ["kept", "rejected"]
    gone = next(name for name, fate in fates.items() if fate == "rejected")
    assert book[gone]["reasons"] == ["exact_duplicate"]
    assert book[book[gone]["duplicate_of"]]["fate"] == "kept"


def test_the_share_of_repeats_that_rejects_is_a_setting(make_config: Maker, tmp_path: Path) -> None:
    _, folder = finish(make_config({"a": mostly()}, stages=STAGES))
    select(folder, str(tmp_path / "again"), ["stages.sentence_dedup.max_repeated_share=1"], quiet=True)
    assert ledger(tmp_path / "again")["copy"]["fate"] == "kept"
    assert ledger(tmp_path / "again")["copy"]["edit_share"] > 0.5


def test_documents_of_exempt_domains_lose_nothing_and_still_own(make_config: Maker) -> None:
    stages = [*STAGES[:3], {"sentence_dedup": {"exempt_domains": ["web"]}}, {"select": {}}]
    _, folder = finish(make_config({"a": mostly()}, stages=stages))
    assert edits(folder) == {}
    assert all(row["fate"] == "kept" and row["repeated_char_share"] == 0 for row in ledger(folder).values())


def test_rejected_documents_and_duplicates_own_nothing(make_config: Maker, tmp_path: Path) -> None:
    rows = [*repeated(), {"id": "taken down", "text": within(prose(7, 200), PASSAGE)}]
    takedown = tmp_path / "ids.txt"
    takedown.write_text("taken down\n", encoding="utf-8")
    stages = [*STAGES[:4], {"select": {"takedown_ids": str(takedown)}}]
    _, folder = finish(make_config({"a": rows}, stages=stages))
    assert edits(folder)["short"][0]["partner"] == "long"


def test_copies_that_are_kept_with_a_count_stay_whole(make_config: Maker) -> None:
    rows = [*repeated(), {"id": "long again", "text": repeated()[1]["text"]}]
    stages = [*STAGES[:4], {"select": {"duplicates": "keep_with_count"}}]
    _, folder = finish(make_config({"a": rows}, stages=stages))
    texts = corpus(folder)
    assert texts["long"] == texts["long again"] == repeated()[1]["text"]
    assert edits(folder)["short"][0]["partner"] in ("long", "long again")


def test_a_dateline_is_cut_from_all_documents_also_from_short_ones(make_config: Maker) -> None:
    opening = "河边电视台消息（晚间播报）："
    rows = [{"id": f"n{n}", "text": f"第{n}条\n\n{opening}{zh_prose(40 + n, 2 + n)}"} for n in range(25)]
    _, folder = finish(make_config({"a": rows}, stages=STAGES))
    cuts = edits(folder)
    assert {(cut["rule"], cut["partner"], cut["similarity"]) for found in cuts.values() for cut in found} == {
        ("edge_boilerplate", None, None)
    }
    assert corpus(folder) == {row["id"]: row["text"].replace(opening, "") for row in rows}


def test_half_a_question_stays_where_the_whole_of_it_is_cut_elsewhere(make_config: Maker, tmp_path: Path) -> None:
    first, second = (
        "Consider a closed vessel of gas that is kept at constant volume.",
        "What becomes of its pressure if it is heated to 400 K?",
    )
    (tmp_path / "set.jsonl").write_text(json.dumps({"question": f"{first} {second}"}), encoding="utf-8")
    passage = f"{prose(910, 3)} {first}"
    rows = [
        {"id": "whole", "text": within(prose(1, 90), f"{passage} {second}")},
        {"id": "half", "text": within(prose(2, 70), passage)},
    ]
    decontaminate = {"decontaminate": {"benchmarks": [{"name": "s", "path": str(tmp_path / "set.jsonl")}], "action": "cut"}}
    _, folder = finish(make_config({"a": rows}, stages=[*STAGES[:3], decontaminate, *STAGES[3:]]))
    assert {(name, cut["rule"], cut["removed"].strip()) for name, found in edits(folder).items() for cut in found} == {
        ("whole", "contamination", f"{first} {second}"),
        ("half", "repeated_passage", prose(910, 3)),
    }
    assert first in corpus(folder)["half"]


def pool(seed: int, num_documents: int = 40) -> list[Row]:
    """Documents put together from passages that many share, in every share and order; some mostly of them."""
    rng = random.Random(seed)
    shared = [f"{make(1000 * seed + n, rng.randint(1, 6))}" for n in range(25) for make in (prose, zh_prose)]
    rows = []
    for number in range(num_documents):
        parts = [prose(7000 + 100 * seed + number, rng.randint(1, 40)) if rng.random() < 0.75 else ""]
        parts += rng.choices(shared, k=rng.randint(0, 4))
        rng.shuffle(parts)
        glue = rng.choice(["\n\n", "\n", " "])
        rows.append({"id": f"d{number}", "text": glue.join(part for part in parts if part) or "nothing"})
    return rows


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_is_removed_stands_in_a_document_that_is_kept(make_config: Maker, seed: int) -> None:
    rows = pool(seed)
    _, folder = finish(make_config({"a": rows[:20], "b": rows[20:]}, stages=STAGES))
    book, texts = ledger(folder), corpus(folder)
    standing = {sentence for text in texts.values() for sentence in sentences(text)}
    removed = [cut for found in edits(folder).values() for cut in found]
    assert len(removed) >= 10
    for cut in removed:
        assert book[cut["partner"]]["fate"] == "kept"
        assert set(sentences(cut["removed"])) <= standing
    gone = {row["id"]: row["text"] for row in read_parts(folder, "rejected").to_pylist() if "mostly_repeated" in row["reasons"]}
    assert gone
    for name, text in gone.items():
        assert book[book[name]["duplicate_of"]]["fate"] == "kept"
        kept = sum(len(sentence) for sentence in sentences(text) if sentence in standing)
        assert kept / len(text) > 0.75


def test_bytes_do_not_depend_on_partitions_or_batches(make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, results = pool(4), []
    for number, (partitions, batch) in enumerate(((None, 1024), (1, 7), (5, 1))):
        if partitions:
            monkeypatch.setattr("pipeline.dedup.rounds.num_partitions", lambda *_, n=partitions: n)
        _, folder = finish(make_config({"a": rows[:20], "b": rows[20:]}, name=f"run{number}", stages=STAGES), f"engine.batch_rows={batch}")
        results.append(output_bytes(folder))
    assert any(name.startswith("edits/") for name in results[0])
    assert results[0] == results[1] == results[2]


def test_another_cut_of_the_input_changes_no_document(make_config: Maker) -> None:
    rows, results = pool(5), []
    for number, size in enumerate((8192, 1 << 20)):
        _, folder = finish(make_config({"a": rows[:20], "b": rows[20:]}, name=f"run{number}", stages=STAGES), f"engine.split_bytes={size}")
        results.append((corpus(folder), edits(folder), {name: (row["fate"], row["duplicate_of"]) for name, row in ledger(folder).items()}))
    assert results[0] == results[1]


def test_the_order_of_the_documents_changes_none_of_them(make_config: Maker) -> None:
    rows, results = pool(6), []
    for number, order in enumerate((rows, rows[::-1])):
        _, folder = finish(make_config({"a": order}, name=f"run{number}", stages=STAGES))
        results.append((corpus(folder), edits(folder)))
    assert results[0] == results[1]


def test_what_a_killed_run_left_is_continued(make_config: Maker) -> None:
    config = make_config({"a": pool(7)}, stages=STAGES)
    _, folder = finish(config)
    before = output_bytes(folder)
    work = Path(folder) / "work"
    assert not list(work.glob("*/sent-*.arrow")), "what was read is of no more use"
    for path in [Path(folder) / "summary.json", *work.glob("owners-*/cut-0.json"), *work.glob("passages-*/send-0.json")]:
        path.unlink()
    for path in [*work.glob("owners-*/spans-000000.arrow"), *(Path(folder) / "edits").glob("*0.parquet")]:
        path.unlink()
    finish(config)
    assert output_bytes(folder) == before


def test_a_selection_with_another_setting_is_what_a_new_run_makes(make_config: Maker, tmp_path: Path) -> None:
    _, folder = finish(make_config({"a": pool(8)}, stages=STAGES))
    work = {path.name for path in (Path(folder) / "work").iterdir()}
    select(folder, str(tmp_path / "again"), ["stages.sentence_dedup.min_sentences=3"], quiet=True)
    assert {path.name for path in (Path(folder) / "work").iterdir()} == work, "each selection would leave its passages there"
    stages = [*STAGES[:3], {"sentence_dedup": {"min_sentences": 3}}, {"select": {}}]
    _, fresh = finish(make_config({"a": pool(8)}, name="fresh", stages=stages))
    assert output_bytes(tmp_path / "again") == output_bytes(fresh)
    assert output_bytes(fresh) != output_bytes(folder)


def test_an_input_without_anything_to_compare_is_no_fault(make_config: Maker) -> None:
    for number, rows in enumerate(([], [{"id": "a", "text": ""}], [{"id": "a", "text": "。"}, b"{bad"])):
        summary, folder = finish(make_config({"a": rows}, name=f"run{number}", stages=STAGES))
        assert edits(folder) == {} if rows else summary["documents"]["input"] == 0


def test_the_copy_that_keeps_a_common_paragraph_keeps_all_of_it(make_config: Maker) -> None:
    common = prose(900, 4)
    rows = [{"id": f"e{n:02}", "text": f"{prose(n, 20)}\n{common}\n{prose(1000 + n, 20)}"} for n in range(60)]
    _, folder = finish(make_config({"a": rows}, stages=STAGES))
    texts = read_parts(folder, "corpus")["text"].to_pylist()
    assert sum(common in text for text in texts) == 1


@pytest.mark.parametrize("fuzzy", [True, False])
def test_the_best_of_similar_paragraphs_keeps_its_first_and_last_sentence(make_config: Maker, fuzzy: bool) -> None:
    first, middle, last = zh_prose(900, 1), zh_prose(901, 8), zh_prose(902, 1)
    rows = []
    for number in range(60):
        own, place = zh_prose(1000 + number, 1)[:3], 18 + 7 * (number % 18)
        rows.append({"id": f"e{number:02}", "text": f"{first}{middle[:place]}{own}{middle[place + 3 :]}{last}\n{zh_prose(number, 40)}"})
    stages = [*STAGES[:3], {"sentence_dedup": {"min_sentences": 20, "fuzzy": fuzzy}}, {"select": {}}]  # so that no passage is exact
    _, folder = finish(make_config({"a": rows}, stages=stages))
    texts = corpus(folder).values()
    assert sum(first in text for text in texts) == sum(last in text for text in texts) == fuzzy
    assert {cut["rule"] for found in edits(folder).values() for cut in found} == {"similar_passage" if fuzzy else "edge_boilerplate"}


def test_more_units_than_one_task_can_number_are_refused(make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config({"a": repeated()}, stages=STAGES)
    monkeypatch.setattr("pipeline.dedup.rounds.forest_bytes", lambda number: (number > 6) << 31)
    with pytest.raises(RunError, match=r"components_memory: got 2,000,000,000 bytes; the components of \d+ sentences and paragraphs"):
        finish(config)
    assert edits(finish(config, "engine.components_memory=3GB")[1])


def test_similar_units_that_one_worker_cannot_decide_are_refused(make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    passage = zh_prose(904, 8)
    rows = [{"id": f"s{n}", "text": within(zh_prose(n, 60), passage.replace(passage[20 + 9 * n], "变"))} for n in range(5)]
    config = make_config({"a": rows}, stages=STAGES)
    monkeypatch.setattr("pipeline.passages.rounds.MEMBER_BYTES", 1 << 30)
    with pytest.raises(RunError, match=r"memory_per_worker: got 2,000,000,000 bytes; 5 similar sentences and paragraphs .* raise it"):
        finish(config)
    monkeypatch.undo()
    assert len(edits(finish(config)[1])) == 4

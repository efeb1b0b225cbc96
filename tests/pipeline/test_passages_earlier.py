"""Sentence de-duplication of a new crawl against earlier ones: what stands in their corpora owns, and stays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.reselect import select
from tests.pipeline.conftest import ledger, output_bytes, prose, zh_prose
from tests.pipeline.test_passages import PASSAGE, STAGES, ZH_PASSAGE, corpus, edits, finish, pool, sentences, within

Maker = Callable[..., Path]
Row = dict[str, str]


def changed(passage: str) -> str:
    """A paragraph with a few characters of one sentence replaced."""
    return passage.replace(sentences(passage)[3], sentences(passage)[3][:-3] + "变了。", 1)


def snapshots() -> tuple[list[Row], list[Row]]:
    """The second crawl has passages of the first, word for word and changed, and pages that are mostly made of them."""
    zh = zh_prose(902, 7)
    first = [
        {"id": "long", "text": within(prose(2, 90), PASSAGE)},
        {"id": "zh-long", "text": within(zh_prose(4, 190), ZH_PASSAGE)},
        {"id": "zh-near", "text": within(zh_prose(22, 200), zh)},
        {"id": "lost", "text": within(prose(7, 60), PASSAGE)},
    ]
    second = [
        {"id": "short", "text": within(prose(1, 70), PASSAGE)},
        {"id": "zh-short", "text": within(zh_prose(3, 150), ZH_PASSAGE)},
        {"id": "changed", "text": within(zh_prose(21, 170), changed(zh))},
        {"id": "mostly", "text": f"{prose(900, 3)}\n\n{ZH_PASSAGE}"},
        {"id": "new", "text": within(prose(8, 60), prose(905, 4))},
        {"id": "new-short", "text": within(prose(9, 50), prose(905, 4))},
    ]
    return first, second


def test_two_runs_are_what_one_run_over_both_is(make_config: Maker) -> None:
    first, second = snapshots()
    _, one = finish(make_config({"a": first}, "one", stages=STAGES))
    _, two = finish(make_config({"b": second}, "two", stages=STAGES, earlier=[one]))
    _, both = finish(make_config({"a": first, "b": second}, "both", stages=STAGES))
    assert corpus(one) | corpus(two) == corpus(both)
    assert edits(one) | edits(two) == edits(both)
    assert {name: {cut["partner"] for cut in cuts} for name, cuts in edits(two).items()} == {
        "short": {"long"},
        "zh-short": {"zh-long"},
        "changed": {"zh-near"},
        "new-short": {"new"},
    }
    assert [cut["rule"] for cut in edits(two)["changed"]] == ["similar_passage"]
    assert ledger(two)["mostly"]["reasons"] == ["mostly_repeated"]
    assert ledger(two)["mostly"]["duplicate_of"] == ledger(both)["mostly"]["duplicate_of"] == "long"


def test_the_earlier_copy_stays_even_where_the_new_one_would_be_preferred(make_config: Maker) -> None:
    zh = zh_prose(902, 7)
    first = [{"id": "short", "text": within(prose(1, 70), PASSAGE)}, {"id": "near", "text": within(zh_prose(21, 170), changed(zh))}]
    second = [{"id": "long", "text": within(prose(2, 90), PASSAGE)}, {"id": "zh-long", "text": within(zh_prose(22, 200), zh)}]
    _, one = finish(make_config({"a": first}, "one", stages=STAGES))
    _, two = finish(make_config({"b": second}, "two", stages=STAGES, earlier=[one]))
    assert {name: [cut["partner"] for cut in cuts] for name, cuts in edits(two).items()} == {"long": ["short"], "zh-long": ["near"]}
    assert PASSAGE not in corpus(two)["long"]
    assert "long" not in edits(finish(make_config({"a": first, "b": second}, "both", stages=STAGES))[1])
    again = str(Path(two).parent / "again")
    select(two, again, ["stages.sentence_dedup.min_passage_words=10000", "stages.sentence_dedup.min_passage_chars=10000"], quiet=True)
    assert set(edits(again)) == {"zh-long"}


def test_openings_are_counted_over_both_crawls(make_config: Maker) -> None:
    opening = "河边电视台消息（晚间播报）："
    rows = [{"id": f"n{n}", "text": f"第{n}条\n\n{opening}{zh_prose(40 + n, 2 + n)}"} for n in range(25)]
    _, one = finish(make_config({"a": rows[:12]}, "one", stages=STAGES))
    assert edits(one) == {}  # from 20 documents on
    _, two = finish(make_config({"b": rows[12:]}, "two", stages=STAGES, earlier=[one]))
    assert corpus(two) == {row["id"]: row["text"].replace(opening, "") for row in rows[12:]}


def test_what_an_earlier_run_cut_or_rejected_owns_nothing(make_config: Maker, tmp_path: Path) -> None:
    takedown = tmp_path / "takedown.txt"
    takedown.write_text("gone\n")
    stages = [*STAGES[:-1], {"select": {"takedown_ids": str(takedown)}}]
    first = [{"id": "gone", "text": within(prose(2, 90), PASSAGE)}]
    first += [{"id": "cut", "text": within(zh_prose(3, 120), ZH_PASSAGE)}, {"id": "owner", "text": within(zh_prose(4, 190), ZH_PASSAGE)}]
    _, one = finish(make_config({"a": first}, "one", stages=stages))
    assert set(edits(one)) == {"cut"}
    second = [{"id": "again", "text": within(prose(1, 70), PASSAGE)}, {"id": "zh", "text": within(zh_prose(5, 250), ZH_PASSAGE)}]
    _, two = finish(make_config({"b": second}, "two", stages=STAGES, earlier=[one]))
    assert PASSAGE in corpus(two)["again"]
    assert {cut["partner"] for cuts in edits(two).values() for cut in cuts} == {"owner"}


@pytest.mark.parametrize("seed", [4, 5])
def test_nothing_is_lost_over_three_crawls(make_config: Maker, seed: int) -> None:
    rows = pool(seed, 60)
    folders: list[str] = []
    for number, name in enumerate(("one", "two", "three")):
        part = rows[20 * number : 20 * number + 20]
        folders.append(finish(make_config({name: part}, name, stages=STAGES, earlier=list(folders)))[1])
    texts = {name: text for folder in folders for name, text in corpus(folder).items()}
    standing = {sentence for text in texts.values() for sentence in sentences(text)}
    removed = [cut for folder in folders[1:] for found in edits(folder).values() for cut in found]
    assert any(cut["partner"] in corpus(folders[0]) for cut in removed)
    for cut in removed:
        assert cut["partner"] in texts
        assert set(sentences(cut["removed"])) <= standing
    for folder in folders:
        for name, row in ledger(folder).items():
            assert name not in texts or row["fate"] == "kept"
            assert row["duplicate_of"] is None or row["duplicate_of"] in texts


def test_bytes_do_not_depend_on_partitions(make_config: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pool(6)
    _, one = finish(make_config({"a": rows[:20]}, "one", stages=STAGES))
    results: list[Any] = []
    for partitions in (1, 7):
        monkeypatch.setattr("pipeline.dedup.rounds.num_partitions", lambda *_, number=partitions: number)
        results.append(output_bytes(finish(make_config({"b": rows[20:]}, f"two-{partitions}", stages=STAGES, earlier=[one]))[1]))
    assert results[0] == results[1]

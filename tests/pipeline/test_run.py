"""A run from files to ledger, in this process: books balance, duplicates are fair, nothing depends on how the work is cut."""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.errors import ConfigError, InputError, RunError
from pipeline.config import load_run
from pipeline.explain import story
from pipeline.reselect import select
from pipeline.run import run
from tests.pipeline.conftest import ledger, output_bytes, prose, read_parts, zh_prose

Maker = Callable[..., Path]


def finish(config: Path, *overrides: str, **options: Any) -> tuple[dict[str, Any], str]:
    settings = load_run(config, overrides)
    return run(settings, quiet=True, **options), settings.output


def test_every_input_row_has_one_fate_also_the_unreadable_ones(make_config: Maker) -> None:
    rows = [
        {"id": "good", "text": prose(1)},
        b"{broken",
        {"id": "no-text"},
        {"id": "null", "text": None},
        {"id": "number", "text": 7},
        b'{"id": "bytes", "text": "\xff\xfe"}',
        {"id": "nul", "text": "a\x00b"},
        b"",
        {"id": "copy", "text": prose(1)},
        [1, 2],
    ]
    summary, folder = finish(make_config({"a": rows}))
    book = ledger(folder)
    assert summary["documents"] == {"input": 9, "kept": 2, "rejected": 7}
    assert set(read_parts(folder, "corpus")["id"].to_pylist()) == {"copy", "nul"}
    faults = {row["record"]: row["reasons"] for row in book.values() if row["fate"] == "rejected"}
    assert faults == {2: ["bad_json"], 3: ["no_text"], 4: ["no_text"], 5: ["text_not_a_string"], 6: faults[6], 1: ["exact_duplicate"],
                      10: ["not_an_object"]}  # fmt: skip
    assert faults[6] in (["bad_json"], ["invalid_utf8"])
    assert book["a/a.jsonl#2"]["path"] == "a.jsonl"
    assert {row["id"]: row["raw"] for row in read_parts(folder, "rejected").to_pylist()}["a/a.jsonl#2"] == b"{broken"


def test_a_repeated_id_gets_the_next_free_suffix_in_document_order(make_config: Maker) -> None:
    ids = ["x", "x", "x~2", "y", "x", "x~2"]
    rows = [{"id": name, "text": prose(i)} for i, name in enumerate(ids)]
    _, folder = finish(make_config({"a": rows}))
    by_record = {row["record"]: (row["id"], row["repeated_id"]) for row in ledger(folder).values()}
    assert by_record == {
        1: ("x", False),
        2: ("x~3", True),
        3: ("x~2", False),
        4: ("y", False),
        5: ("x~4", True),
        6: ("x~2~2", True),
    }


def test_the_longest_clean_member_of_a_cluster_survives_whatever_its_place(make_config: Maker) -> None:
    short, middle, long = (prose(5, n) for n in (37, 38, 39))
    orders = [[short, middle, long], [long, middle, short], [middle, long, short]]
    for number, texts in enumerate(orders):
        sources = {f"s{i}": [{"id": str(len(text)), "text": text}] for i, text in enumerate(texts)}
        _, folder = finish(make_config(sources, name=f"order{number}"))
        book = ledger(folder)
        survivor = str(len(long))
        assert {i: row["duplicate_of"] for i, row in book.items()} == {i: None if i == survivor else survivor for i in book}
        assert {row["cluster_size"] for row in book.values()} == {3}
        assert all(row["similarity"] >= 0.8 for i, row in book.items() if i != survivor)


def test_similar_texts_below_the_threshold_are_both_kept(make_config: Maker) -> None:
    texts = [prose(5, 40), prose(5, 20) + " " + prose(6, 20)]
    summary, _ = finish(make_config({"a": [{"id": str(i), "text": t} for i, t in enumerate(texts)]}))
    assert summary["documents"]["kept"] == 2


def test_short_and_empty_texts_do_not_collapse_into_one(make_config: Maker) -> None:
    rows = [{"id": str(i), "text": text} for i, text in enumerate(["好", "坏", "", "a b", "a c", "好", "\n \u3000\n"])]
    _, folder = finish(make_config({"a": rows}))
    assert {i: row["duplicate_of"] for i, row in ledger(folder).items()} == {
        "0": None, "1": None, "2": None, "3": None, "4": None, "5": "0", "6": None,
    }  # fmt: skip
    assert [i for i, row in ledger(folder).items() if row["reasons"] == ["empty"]] == ["2", "6"]


def corpus_of_many(seed: int = 3) -> dict[str, list[dict[str, Any]]]:
    rng = random.Random(seed)
    texts = [(zh_prose if i % 2 else prose)(i, rng.randint(4, 14)) for i in range(60)]
    texts += [text[: int(len(text) * 0.93)] for text in rng.sample(texts, 15)] + rng.sample(texts, 10)
    rng.shuffle(texts)
    rows = [{"id": f"d{i}" if i % 3 else "same", "text": text, "extra": i} for i, text in enumerate(texts)]
    return {"b": rows[:50], "a": rows[50:]}


def test_bytes_do_not_depend_on_batch_size_or_on_the_order_of_sources(make_config: Maker) -> None:
    sources = corpus_of_many()
    reference = None
    for number, (batch_rows, names) in enumerate([(1024, "ab"), (1, "ba"), (7, "ab")]):
        config = make_config({n: sources[n] for n in names}, name=f"batch{number}")
        _, folder = finish(config, f"engine.batch_rows={batch_rows}")
        found = output_bytes(folder)
        reference = reference or found
        assert found == reference
    assert reference
    assert len(reference) >= 3 * 4  # several splits, so that the property says something


def test_a_finished_run_does_nothing_again(make_config: Maker) -> None:
    config = make_config(corpus_of_many())
    _, folder = finish(config)
    before = {p: p.stat().st_mtime_ns for p in Path(folder).rglob("*.parquet")}
    summary, _ = finish(config)
    assert summary["already_complete"]
    assert {p: p.stat().st_mtime_ns for p in Path(folder).rglob("*.parquet")} == before


def test_lost_output_files_and_a_lost_summary_are_made_again_with_the_same_bytes(make_config: Maker) -> None:
    config = make_config(corpus_of_many())
    _, folder = finish(config)
    before = output_bytes(folder)
    (Path(folder) / "summary.json").unlink()
    (Path(folder) / "corpus" / "part-000001.parquet").unlink()
    finish(config)
    assert output_bytes(folder) == before


def test_another_configuration_in_the_same_folder_is_refused_unless_overwritten(make_config: Maker) -> None:
    config = make_config(corpus_of_many())
    finish(config)
    with pytest.raises(
        RunError, match=r"another configuration \(stages\[3\].document_dedup.similarity: 0.8 there, 0.9 here\).*--overwrite"
    ):
        finish(config, "stages.document_dedup.similarity=0.9")
    summary, folder = finish(config, "stages.document_dedup.similarity=0.9", overwrite=True)
    assert json.loads((Path(folder) / "run.json").read_text())["settings"]["stages"][3]["document_dedup"]["similarity"] == 0.9
    assert summary["documents"]["input"] == 85


def test_a_changed_input_file_is_noticed(make_config: Maker, tmp_path: Path) -> None:
    config = make_config(corpus_of_many())
    finish(config)
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write('{"text": "one more"}\n')
    with pytest.raises(RunError, match="other input files"):
        finish(config)


def test_selecting_again_equals_a_run_with_those_settings(make_config: Maker, tmp_path: Path) -> None:
    config = make_config(corpus_of_many())
    _, folder = finish(config)
    again = str(tmp_path / "again")
    select(folder, again, ["stages.document_dedup.similarity=0.95"], quiet=True)
    _, fresh = finish(make_config(corpus_of_many(), name="fresh"), "stages.document_dedup.similarity=0.95")
    assert output_bytes(again) == output_bytes(fresh)
    assert output_bytes(again) != output_bytes(folder)


def test_a_takedown_removes_a_survivor_and_the_next_of_its_cluster_takes_its_place(make_config: Maker, tmp_path: Path) -> None:
    rows = [
        {"id": "best", "text": prose(5, 40), "url": "https://news.example.com/1"},
        {"id": "second", "text": prose(5, 38), "url": "https://other.example.org/2"},
        {"id": "alone", "text": zh_prose(9), "url": "https://sub.news.example.com/3"},
    ]
    _, folder = finish(make_config({"a": rows}))
    assert ledger(folder)["second"]["duplicate_of"] == "best"
    (tmp_path / "ids.txt").write_text("# asked for by its author\nbest\n")
    select(folder, str(tmp_path / "by-id"), [f"stages.select.takedown_ids={tmp_path / 'ids.txt'}"], quiet=True)
    book = ledger(tmp_path / "by-id")
    assert {i: (row["fate"], row["reasons"]) for i, row in book.items()} == {
        "best": ("rejected", ["near_duplicate", "takedown"]),
        "second": ("kept", []),
        "alone": ("kept", []),
    }
    (tmp_path / "hosts.txt").write_text("news.example.com\n")
    select(folder, str(tmp_path / "by-host"), [f"stages.select.takedown_hosts={tmp_path / 'hosts.txt'}"], quiet=True)
    assert {i for i, row in ledger(tmp_path / "by-host").items() if row["fate"] == "kept"} == {"second"}


def test_selecting_refuses_settings_that_need_computing(make_config: Maker, tmp_path: Path) -> None:
    _, folder = finish(make_config(corpus_of_many()))
    with pytest.raises(RunError, match=r"stages\.document_dedup: this setting changes what is computed"):
        select(folder, str(tmp_path / "no"), ["stages.document_dedup.shingle=7"], quiet=True)
    with pytest.raises(ConfigError, match="unknown key 'similarty'; did you mean 'similarity'"):
        select(folder, str(tmp_path / "no"), ["stages.document_dedup.similarty=0.7"], quiet=True)


def test_duplicates_can_be_kept_with_their_count(make_config: Maker) -> None:
    config = make_config({"a": [{"id": str(i), "text": prose(1)} for i in range(3)]})
    summary, folder = finish(config, "stages.select.duplicates=keep_with_count")
    assert summary["documents"]["kept"] == 3
    assert read_parts(folder, "corpus")["cluster_size"].to_pylist() == [3, 3, 3]


@pytest.mark.parametrize(("text", "kept"), [("all", 2), ("none", 0)])
def test_rejected_texts_are_kept_as_the_setting_says(make_config: Maker, text: str, kept: int) -> None:
    config = make_config({"a": [{"id": "1", "text": prose(1)}, {"id": "2", "text": prose(1)}, b"{"]}, rejected={"text": text})
    _, folder = finish(config)
    rows = read_parts(folder, "rejected").to_pylist()
    assert sum(row["text"] is not None for row in rows) == kept
    assert [row["reasons"] for row in rows] == [["exact_duplicate"], ["bad_json"]]


def test_a_document_tells_its_story(make_config: Maker) -> None:
    _, folder = finish(make_config({"a": [{"id": "1", "text": prose(1)}, {"id": "2", "text": prose(1)}]}))
    told = story(folder, "2")
    assert (told["duplicate_of"], told["similarity"], told["text"], told["partner_text"]) == ("1", 1.0, prose(1), prose(1))
    with pytest.raises(InputError, match="no document '3' in the ledger"):
        story(folder, "3")


def test_a_missing_source_is_an_error_before_anything_starts(make_config: Maker, tmp_path: Path) -> None:
    config = make_config({"corpus": [{"text": "a"}]})
    with pytest.raises(InputError, match=r"corpus\.jsonl"):
        finish(config, f"sources.corpus.path={tmp_path / 'korpus.jsonl'}")
    assert not (tmp_path / "out").exists()


def test_settings_that_cannot_work_are_refused_with_what_would(make_config: Maker) -> None:
    config = make_config({"a": [{"text": "a"}]})
    with pytest.raises(RunError, match=r"engine.memory_per_worker: got 500,000,000 bytes; .* set engine.split_bytes to at most 8,000,000"):
        finish(config, "engine.memory_per_worker=500MB", "engine.split_bytes=64MiB")
    with pytest.raises(ConfigError, match=r"stages\[0\]\.select: 'exact_dedup' stands after it; .* put it last"):
        finish(make_config({"a": [{"text": "a"}]}, stages=[{"select": {}}, {"exact_dedup": {}}]))


@pytest.mark.parametrize(("policy", "kept"), [("skip", 1), ("fail", None)])
def test_a_truncated_file_ends_the_run_or_is_one_rejected_row(make_config: Maker, tmp_path: Path, policy: str, kept: int | None) -> None:
    good = gzip.compress(json.dumps({"id": "ok", "text": prose(1)}).encode() + b"\n" + prose(2, 4000).encode())
    (tmp_path / "torn.jsonl.gz").write_bytes(good[: len(good) // 2])
    config = make_config({"a": []}, name=policy)
    overrides = (f"sources.a.path={tmp_path / 'torn.jsonl.gz'}", f"sources.a.bad_file={policy}")
    if kept is None:
        with pytest.raises(InputError, match=r"torn\.jsonl\.gz"):
            finish(config, *overrides)
        return
    summary, folder = finish(config, *overrides)
    assert summary["documents"]["kept"] == kept
    assert ["truncated_file"] in [row["reasons"] for row in ledger(folder).values()]


def test_an_empty_file_is_a_run_with_no_documents(make_config: Maker) -> None:
    summary, _ = finish(make_config({"a": []}))
    assert summary["documents"] == {"input": 0, "kept": 0, "rejected": 0}

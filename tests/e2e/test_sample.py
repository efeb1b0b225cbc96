"""`make corpus` on the bundled sample, judged by its labels. The Python environment's own documents are left out."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner
from xxhash import xxh3_128_digest

from pipeline.cli import app
from pipeline.explain import story
from stages.edits import rebuild
from tests.pipeline.conftest import ledger, read_parts

ROOT = Path(__file__).parents[2]
HEURISTIC_FAULTS = ("too_short", "too_repetitive", "seo_spam", "navigation", "symbol_noise", "replacement_characters")

Labels = list[dict[str, Any]]


@pytest.fixture(scope="module")
def labels() -> Labels:
    return [json.loads(line) for line in (ROOT / "data/sample/labels.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def sample(workplace: Path) -> str:
    return str(workplace / "out" / "sample")


def test_every_labelled_document_is_in_the_ledger_at_its_place_and_nothing_else(sample: str, labels: Labels) -> None:
    book = ledger(sample)
    assert {(row["id"], row["source"], row["path"], row["record"]) for row in book.values()} == {
        (label["id"], label["source"], label["path"], label["record"]) for label in labels
    }
    kept, rejected = (set(read_parts(sample, part)["id"].to_pylist()) for part in ("corpus", "rejected"))
    assert kept | rejected == set(book)
    assert not kept & rejected


def test_clean_passages_are_kept_or_have_a_kept_copy(sample: str, labels: Labels) -> None:
    book = ledger(sample)
    clean = [book[label["id"]] for label in labels if label["label"] == "clean"]
    assert len(clean) >= 300
    for row in clean:
        assert set(row["reasons"]) <= {"exact_duplicate", "near_duplicate", "mostly_repeated", "held_out"}, row["id"]
        assert row["fate"] == "kept" or row["reasons"] == ["held_out"] or book[row["duplicate_of"]]["fate"] == "kept"


def test_every_removed_duplicate_names_a_kept_document_that_is_similar_enough(sample: str) -> None:
    book = ledger(sample)
    duplicates = [row for row in book.values() if {"exact_duplicate", "near_duplicate"} & set(row["reasons"])]
    assert len(duplicates) > 50
    for row in duplicates:
        assert book[row["duplicate_of"]]["fate"] == "kept"
        assert row["similarity"] >= 0.8


def test_of_copies_at_least_as_similar_as_the_threshold_not_both_are_kept(sample: str, labels: Labels) -> None:
    book = ledger(sample)
    pairs = [label for label in labels if label["of"] and (label["jaccard"] or 0) >= 0.85]
    both_kept = [
        label["id"] for label in pairs if label["of"] in book and {book[label["id"]]["fate"], book[label["of"]]["fate"]} == {"kept"}
    ]
    assert len(pairs) >= 40
    assert len(both_kept) <= 0.01 * len(pairs), both_kept


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_planted_faults_are_caught_at_the_published_rates(sample: str, labels: Labels, lang: str) -> None:
    book = ledger(sample)
    caught: dict[str, list[bool]] = defaultdict(list)
    for label in labels:
        if label["label"] in HEURISTIC_FAULTS and label["lang"] == lang:
            caught[label["label"]].append(book[label["id"]]["fate"] == "rejected")
    assert set(caught) == set(HEURISTIC_FAULTS)
    total = [hit for hits in caught.values() for hit in hits]
    assert sum(total) / len(total) >= 0.8, {name: sum(hits) / len(hits) for name, hits in caught.items()}


def test_documents_to_keep_are_kept_in_both_languages(sample: str, labels: Labels) -> None:
    book = ledger(sample)
    for lang in ("zh", "en"):
        wanted = [
            label for label in labels if label["keep"] and label["lang"] == lang and label["label"] not in ("clean", "near_duplicate")
        ]
        rejected = [book[label["id"]] for label in wanted if book[label["id"]]["fate"] == "rejected"]
        lost = [row["id"] for row in rejected if row["reasons"] != ["held_out"] and not row["duplicate_of"]]
        assert len(wanted) >= 20
        assert not lost


def test_pages_with_a_question_of_an_evaluation_set_are_dropped_and_no_others(sample: str, labels: Labels) -> None:
    book = ledger(sample)
    planted = {label["id"]: label for label in labels if label["label"] == "contaminated"}
    assert {name for name, row in book.items() if "contaminated" in row["reasons"]} == set(planted)
    for name, label in planted.items():
        assert book[name]["contaminated_by"] == f"invented_{label['lang']}"
        assert book[name]["contamination_share"] >= 0.8
    summary = json.loads((Path(sample) / "summary.json").read_text(encoding="utf-8"))["decontamination"]
    assert {name: found["by_source"]["quizzes"]["questions"] for name, found in summary.items()} == {"invented_zh": 4, "invented_en": 4}
    assert "临溪镇的石桥每年汛期都会被淹没" in summary["invented_zh"]["by_source"]["quizzes"]["examples"][0]["text"]


def test_unreadable_rows_are_rejected_with_their_faults(sample: str, labels: Labels) -> None:
    book = ledger(sample)
    for label in labels:
        if label["label"] == "unreadable" and label["keep"] is False:
            row = book[label["id"]]
            assert row["fate"] == "rejected"
            assert row["reasons"]


def test_gb18030_and_big5_files_and_pages_come_out_as_chinese(sample: str) -> None:
    book = ledger(sample)
    assert {row["lang"] for row in book.values() if row["source"] == "letters_gb18030" and row["fate"] == "kept"} == {"zh-hans"}
    assert {row["lang"] for row in book.values() if row["source"] == "archive_big5"} == {"zh-hant"}
    encodings = {
        json.loads(meta).get("encoding") for meta in read_parts(sample, "corpus")["meta"].to_pylist() if meta and "encoding" in meta
    }
    assert any(str(encoding).lower().startswith("gb") for encoding in encodings)


def test_every_edited_document_is_rebuilt_byte_by_byte(sample: str) -> None:
    cuts: dict[str, list[tuple[int, bytes, bytes]]] = defaultdict(list)
    masked = set()
    for row in read_parts(sample, "edits").to_pylist():
        assert not (row["replacement"] and row["removed"])
        if row["removed"] is None:
            masked.add(row["id"])
        cuts[row["id"]].append((row["start"], (row["removed"] or "").encode(), row["replacement"].encode()))
    corpus = {row["id"]: row for row in read_parts(sample, "corpus").to_pylist()}
    assert len(cuts) >= 40
    assert cuts.keys() <= corpus.keys()
    assert len(masked) < len(cuts)
    for identifier, row in corpus.items():
        text = rebuild(row["text"].encode(), cuts[identifier])
        assert (xxh3_128_digest(text) == row["content_hash"]) == (identifier not in masked)
        assert (len(row["text"]), len(row["text"].encode())) == (row["num_chars"], row["num_bytes"])


def test_planted_footers_are_cut_and_clean_passages_stay_whole(sample: str, labels: Labels) -> None:
    edited = {row["id"] for row in read_parts(sample, "edits").to_pylist() if row["partner"] is None}
    corpus = {row["id"]: row["text"] for row in read_parts(sample, "corpus").to_pylist()}
    planted = [label["id"] for label in labels if label["label"] == "repeated_sentence" and "boilerplate" in (label["edit"] or "")]
    held_out = {row["id"] for row in ledger(sample).values() if "held_out" in row["reasons"]}
    framed = [identifier for identifier in planted if identifier not in held_out]
    footers = [line for lang in ("zh", "en") for site in _sites(lang) for line in site["footer"]]
    left = [identifier for identifier in framed if any(line in corpus[identifier] for line in footers)]
    assert len(planted) == 40
    assert len(framed) >= 30
    assert len(left) <= 4, left
    assert not edited & {label["id"] for label in labels if label["label"] in ("clean", "letter", "code", "mixed")}


def test_repeated_passages_stand_in_the_document_that_is_named_for_them(sample: str, labels: Labels) -> None:
    """Clean passages stand once each, but web pages hold paragraphs of two of them; where both are mostly shared, the longer keeps."""
    book, corpus = ledger(sample), {row["id"]: row["text"] for row in read_parts(sample, "corpus").to_pylist()}
    repeats = [row for row in read_parts(sample, "edits").to_pylist() if row["partner"]]
    assert len(repeats) >= 8
    for row in repeats:
        assert book[row["partner"]]["fate"] == "kept"
        if row["rule"] == "repeated_passage":
            assert _folded(row["removed"]) in _folded(corpus[row["partner"]])
    mostly = [row for row in book.values() if "mostly_repeated" in row["reasons"]]
    assert all(book[row["duplicate_of"]]["fate"] == "kept" and row["similarity"] > 0.8 for row in mostly)
    clean = {label["id"] for label in labels if label["label"] == "clean"}
    assert sum(row["id"] in clean for row in mostly) <= 0.03 * len(clean)
    digests = [book[label["id"]] for label in labels if (label["edit"] or "").startswith("digest")]
    assert sum(row["edit_share"] > 0.3 for row in digests) >= 15  # two passages with the frame of a site: kept whole, for a low weight
    assert len(digests) == 24


def _folded(text: str) -> str:
    return re.sub(r"\W", "", text).lower()


def _sites(lang: str) -> list[dict[str, Any]]:
    sites: list[dict[str, Any]] = yaml.safe_load((ROOT / f"data/building_blocks/{lang}.yaml").read_text(encoding="utf-8"))["sites"]
    return sites


def test_explain_tells_a_story_with_a_diff(sample: str) -> None:
    row = next(row for row in ledger(sample).values() if row["reasons"] == ["near_duplicate"])
    assert story(sample, row["id"])["partner_text"]
    result = CliRunner().invoke(app, ["explain", sample, row["id"]])
    assert result.exit_code == 0
    assert f"duplicate of {row['duplicate_of']}" in result.output
    assert "signals" in result.output


def test_the_dataset_card_names_every_source_licence_and_count(sample: str) -> None:
    card = (Path(sample) / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\npretty_name: sample\n")
    assert "| zh_law | law | Apache-2.0 | 26 |" in card
    assert "similarity: 0.8" in card


def test_selecting_again_takes_seconds_and_no_input(sample: str, workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    overrides = ["--set", "stages.heuristics.overrides.num_words.min=200"]
    result = CliRunner().invoke(app, ["select", sample, "--output", str(tmp_path / "strict"), "--quiet", *overrides])
    assert result.exit_code == 0, result.output
    before, after = ledger(sample), ledger(tmp_path / "strict")
    assert before.keys() == after.keys()
    assert sum("num_words" in row["reasons"] for row in after.values()) > sum("num_words" in row["reasons"] for row in before.values())

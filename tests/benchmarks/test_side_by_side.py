"""The page's tables, the judge of what a program kept, and our side of each comparison on a tiny set. Peers run in `make bench` alone."""

import doctest
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import side_by_side
from peers import cases, environments, judge, page
from peers.documents import Documents, Sizes, make

TINY = Sizes(text_bytes=60_000, pairs=12, passages=12, vocabulary=4_000)


def case(who: str, cpu: list[float], wall: list[float] | None = None, **more: Any) -> dict[str, Any]:
    repeats = [{"cpu": one, "wall": other} for one, other in zip(cpu, wall or cpu, strict=True)]
    return {"comparison": "heuristics", "who": who, "variant": "", "language": "en", "cores": 1, "megabytes": 2.0, "load": 0.1,
            "measured": "2026-01-02 03:04", "seconds": 6.0, "first": {"cpu": 1.0, "wall": 1.5}, "repeats": repeats} | more  # fmt: skip


def report(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A report in which everything that is not given was not run."""
    there = {(row["comparison"], row["who"], row["language"], row["cores"]) for row in rows}
    missing = [
        {"comparison": comparison, "who": who, "variant": "", "language": language, "cores": cores, "failure": page.NOT_RUN}
        for comparison in page.COMPARISONS
        if comparison != "training"
        for who in ("ours", "theirs")
        for language in ("en", "zh")
        for cores in (1, 2)
        if (comparison, who, language, cores) not in there
    ]
    machine = {"processor": "A processor", "cores": 2, "memory_gigabytes": 24, "system": "Linux", "python": "3.11.7"}
    facts = {"source": "real data", "documents": {"text-en": 1500}, "megabytes": {"text-en": 2.0}, "vocabulary": "its name, 8 ids"}
    rows = sorted([*rows, *missing], key=lambda row: row["who"] != "ours")
    return {"date": "2026-01-02", "machine": machine, "documents": facts, "repeats": 3, "cases": rows}


def line(written: str, begin: str) -> list[str]:
    found = next(row for row in written.splitlines() if row.startswith(f"| {begin}"))
    return [cell.strip() for cell in found.strip("|").split("|")]


@pytest.mark.parametrize("module", [page, judge])
def test_examples_of_the_modules(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


def test_a_cell_has_the_ratio_of_medians_its_extremes_and_the_own_speed() -> None:
    rows = [case("ours", [0.01, 0.02, 0.04], found={"kept": 7}), case("theirs", [2.0, 4.0, 3.0], version="1.2", found={"kept": 5})]
    written = page.written(report(rows))
    assert line(written, "ours")[1] == "100 MB/s"
    assert line(written, "theirs 1.2")[1] == "**150** (50.0–400), .67 MB/s"
    assert line(written, "theirs 1.2")[2] == page.NOT_RUN
    assert line(written, "theirs 1.2")[5:] == ["1.50 / –", "kept 5 / –"]


def test_one_core_is_compared_by_cpu_and_two_by_the_clock() -> None:
    rows = [case("ours", [1.0] * 3, [2.0] * 3, cores=cores) for cores in (1, 2)]
    rows += [case("theirs", [3.0] * 3, [8.0] * 3, cores=cores) for cores in (1, 2)]
    cells = line(page.written(report(rows)), "theirs")
    assert cells[1].startswith("**3.00** (3.00–3.00)")
    assert cells[2].startswith("**4.00** (4.00–4.00)")


def test_a_failure_is_a_cell_and_a_reason() -> None:
    written = page.written(report([case("ours", [1.0] * 3), {**case("theirs", [1.0]), "failure": "no wheel for this Python"}]))
    assert line(written, "theirs")[1] == "failed, see below"
    assert "- theirs, en one core: no wheel for this Python" in written


def test_a_faster_peer_is_named_and_one_within_the_spread_too() -> None:
    rows = [case("ours", [1.0, 1.0, 1.2]), case("theirs", [0.5, 0.6, 0.7])]
    assert "- heuristics, theirs, en one core: **.60** (.42–.70), faster" in page.written(report(rows))
    rows = [case("ours", [1.0, 1.0, 1.2]), case("theirs", [1.1, 1.1, 1.1])]
    assert "- heuristics, theirs, en one core: **1.10** (.92–1.10), not faster, but within the spread" in page.written(report(rows))
    assert "Nowhere in this run." in page.written(report([case("ours", [1.0] * 3), case("theirs", [2.0] * 3)]))


def test_training_pairs_steps_that_stand_next_to_each_other() -> None:
    steps = {"ours": [1.0, 2.0, 4.0], "llama": [2.0, 3.0, 4.0]}
    row = case("ours", []) | {name: [{"cpu": s, "wall": s} for s in seconds] for name, seconds in steps.items()}
    row |= {"comparison": "training", "variant": "nano fp32", "language": "", "tokens": 1000, "version": "5, torch 2"}
    written = page.written(report([row]))
    assert line(written, "nano fp32") == ["nano fp32, one core", "**1.50** (1.00–2.00)", "500", "333", "5, torch 2"]


def test_shares_of_what_was_found_stand_below_the_speeds() -> None:
    judged = {"removed": 1200, "recall from 0.8": 0.98765, "precision at 0.8": None}
    written = page.written(report([case("ours", [1.0] * 3, comparison="document dedup", judged=judged)]))
    assert line(written, "ours, en") == ["ours, en", "1,200", ".9877", "–"]


def test_judging_pairs() -> None:
    truth = [
        {"left": "a", "right": "b", "similarity": [0.95, 0.92]},  # found
        {"left": "c", "right": "d", "similarity": [0.85, 0.81]},  # missed
        {"left": "e", "right": "f", "similarity": [0.99, 0.10]},  # another script: may go, need not be found
        {"left": "g", "right": "h", "similarity": [0.75, 0.70]},  # goes, but is not similar enough
        {"left": "i", "right": "j", "similarity": [0.90, 0.90]},  # both go: nothing is left of it
    ]
    found = judge.judge_pairs(truth, "abcdefghijxy", "acdehx")
    assert found == {"removed": 6, "pairs from 0.8": 3, "recall from 0.8": 2 / 3, "pairs from 0.9": 2, "recall from 0.9": 1.0,
                     "precision at 0.8": 2 / 6, "precision at 0.7": 3 / 6}  # fmt: skip


def test_judging_passages() -> None:
    passage = "A passage that stands twice."
    names = {"0a": "S", "0b": "T", "1a": "U", "1b": "V"}
    hosts = {name: f"{letter} before. {passage} {letter} after." for name, letter in names.items()}
    truth = [{"id": name, "twin": name[0] + {"a": "b", "b": "a"}[name[1]], "similarity": 1.0 if name[0] == "0" else 0.9, "passage": passage}
             for name in hosts]  # fmt: skip
    kept = {"0a": hosts["0a"], "0b": "T before. T after.", "1a": hosts["1a"].replace("U before. ", "")}
    found = judge.judge_passages(truth, hosts, kept)
    clean = sum(len(f"{letter}before.{letter}after.") for letter in names.values())
    lost = len("Ubefore.") + len("Vbefore.Vafter.")  # a span, and a host that is rejected with its passage; without white space
    assert found["hosts rejected"] == 1
    assert found["clean share removed"] == lost / clean
    assert (found["recall, word for word"], found["recall, edited"]) == (1.0, 1.0)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 9), st.booleans()), max_size=30))
def test_gaps_leave_what_is_kept(pieces: list[tuple[str, int, bool]]) -> None:
    texts = [(f"{i}{letter * size}.", kept) for i, (letter, size, kept) in enumerate(pieces)]
    before, after = "".join(t for t, _ in texts), "".join(t for t, kept in texts if kept)
    spans = judge.gaps(before, after)
    assert all(a < b for a, b in spans)
    assert sum(b - a for a, b in spans) >= len(before) - len(after)  # it may give up on a rest that is ambiguous, never invent one
    left = "".join(c for i, c in enumerate(before) if not any(a <= i < b for a, b in spans))
    remaining = iter(after)
    assert all(c in remaining for c in left)


def test_every_requirement_is_pinned() -> None:
    for path in environments.REQUIREMENTS.glob("*.txt"):
        lines = path.read_text(encoding="utf-8").split()
        assert lines, path.name
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", one) for one in lines), path.name


def test_the_line_that_names_the_error_is_kept() -> None:
    assert environments.last_error("ok\nERROR: No matching distribution\n\nhint: x\n") == "ERROR: No matching distribution"
    assert environments.last_error("\n") == "it said nothing"


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Documents:
    return make(None, tmp_path_factory.mktemp("documents"), TINY)


def test_every_case_has_a_program_a_way_and_requirements() -> None:
    found = cases.cases()
    assert len({one.name for one in found}) == len(found) > 80
    for one in found:
        assert f'"{one.way}"' in (cases.PROGRAMS / f"{one.program}.py").read_text(encoding="utf-8"), one.name
        assert one.environment == environments.OURS or environments.requirements(one.environment).exists()
        assert one.comparison in page.COMPARISONS


def test_documents_are_the_same_again_and_large_enough(documents: Documents, tmp_path: Path) -> None:
    again = make(None, tmp_path, TINY)
    assert again.identity == documents.identity
    for path in documents.folder.rglob("*.jsonl"):
        assert path.read_bytes() == (again.folder / path.relative_to(documents.folder)).read_bytes(), path.name
    assert documents.facts["megabytes"]["text-en"] >= 0.06
    assert documents.facts["documents"]["planted-zh"] == 3 * TINY.pairs
    assert documents.facts["documents"]["hosts-en"] == 2 * TINY.passages


@pytest.mark.slow
def test_our_side_runs_and_finds_what_was_planted(documents: Documents, tmp_path: Path) -> None:
    runner = cases.Runner(tmp_path, documents, repeats=1)
    ours = [one for one in cases.cases() if one.who == "ours" and one.language == "zh" and one.cores == 1]
    found = {one.comparison: runner.run(one) for one in ours}
    assert list(found) == ["heuristics", "signatures", "document dedup", "sentence dedup", "quality scores", "encoding"]
    assert not [one["failure"] for one in found.values() if "failure" in one]
    assert all(len(one["result"]["repeats"]) == 1 and one["result"]["first"]["wall"] > 0 for one in found.values())
    assert found["document dedup"]["judged"]["recall from 0.9"] == 1.0
    assert found["document dedup"]["judged"]["precision at 0.8"] == 1.0
    assert found["sentence dedup"]["judged"]["recall, word for word"] == 1.0
    assert runner.kept(ours[0]) == found["heuristics"]
    assert json.loads(json.dumps(found)) == found


def test_a_peer_that_cannot_be_installed_is_a_reason(documents: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, folder: Path) -> Path:
        raise environments.NotInstalledError(f"no matching distribution for {name}")

    monkeypatch.setattr(cases, "interpreter", refuse)
    one = next(one for one in cases.cases() if one.who == "rensa")
    runner = cases.Runner(tmp_path, documents)
    assert runner.run(one)["failure"] == "no matching distribution for rensa"
    assert runner.kept(one) is None


def test_a_vocabulary_that_is_not_there_is_a_reason(documents: Documents, tmp_path: Path) -> None:
    one = next(one for one in cases.cases() if one.who == "tiktoken")
    assert cases.Runner(tmp_path, documents).run(one)["failure"] == "no ranks.tiktoken among these documents"


def test_the_command_writes_a_page_with_every_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "FOLDER", tmp_path)
    monkeypatch.setattr(side_by_side, "Sizes", lambda: TINY)
    monkeypatch.setattr(cases.Runner, "run", lambda runner, one: {"failure": f"{one.who} is not here"})
    monkeypatch.setattr(side_by_side.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["side_by_side.py", "--only", "encoding", "--cores", "1", "--page", str(tmp_path / "page.md")])
    side_by_side.main()
    report, written = (json.loads((tmp_path / "page.json").read_text("utf-8")), (tmp_path / "page.md").read_text("utf-8"))
    assert len(report["cases"]) == len(cases.cases())
    assert "- SentencePiece, zh one core: SentencePiece is not here" in written
    assert line(written, "datatrove")[1:5] == [page.NOT_RUN] * 4
    assert str(tmp_path) not in written + json.dumps(report)

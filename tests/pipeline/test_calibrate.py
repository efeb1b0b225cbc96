"""`corpus calibrate` on small runs: hand-computed quantiles, removals equal to the run's own, documents on both sides of a threshold."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from configs.errors import ConfigError, InputError
from pipeline.calibrate import calibrate, print_report
from pipeline.config import load_run
from pipeline.examples import examples, print_examples
from pipeline.run import run
from tests.pipeline.conftest import ledger, prose, zh_prose

Maker = Callable[..., Path]

RULES = {
    "en": "languages: [en]\nrules: {num_words: {min: 50, max: 1000}, mean_word_length: {min: 3, max: 10}, top_2gram_char_share: {max: 1}}",
    "zh": "languages: [zh]\nrules: {num_words: {min: 60, max: 2000}, mean_word_length: {max: 2.5}, han_share: {min: 0.3}}\n"
          "domains: {law: {num_words: {min: 20}}, poetry: {han_share: off}}",
}  # fmt: skip


@pytest.fixture
def stages(tmp_path: Path) -> list[dict[str, Any]]:
    """Heuristics with the two rule files above, so that shipped bounds may change."""
    paths = []
    for name, text in RULES.items():
        paths.append(str(tmp_path / f"{name}.yaml"))
        Path(paths[-1]).write_text(text)
    return [{"normalize": {}}, {"heuristics": {"rules": paths}}, {"select": {}}]


def words(count: int) -> str:
    """`count` English words on one line; 4 characters and a space each."""
    return " ".join(["with", "that", "have", "word"] * (count // 4 + 1)).removesuffix(" ")[: 5 * count - 1]


@pytest.fixture
def finished(make_config: Maker, stages: list[dict[str, Any]]) -> str:
    """Ten English documents of 10, 20, … 100 words, two Chinese ones of 216, and an unreadable row."""
    sources: dict[str, list[Any]] = {
        "web_en": [{"id": f"w{n}", "text": words(n)} for n in range(10, 101, 10)] + [b"{broken"],
        "web_zh": [{"id": f"z{n}", "text": zh_prose(n)} for n in range(2)],
    }
    config = make_config(sources, stages=stages)
    settings = load_run(config)
    run(settings, quiet=True)
    return settings.output


def rows(report: dict[str, Any], signal: str) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(row[key] for key in report["by"]): row for row in report["signals"][signal]}


def test_quantiles_bounds_removals_and_proposals_of_ten_documents(finished: str) -> None:
    report = calibrate(finished, ["num_words"], quantiles=(0.5, 0.9), drop_share=0.2)
    assert list(rows(report, "num_words")) == [("en", "web"), ("zh", "web")]  # largest group first; the unreadable row counts nowhere
    english = rows(report, "num_words")["en", "web"]
    assert english["documents"] == 10
    assert english["chars"] == sum(5 * n - 1 for n in range(10, 101, 10))
    assert english["quantiles"] == {"0.1": 10, "0.5": 50, "0.9": 90}
    assert (english["least"], english["greatest"], english["missing"]) == (10, 100, 0)
    assert english["bounds"] == [{"min": 50, "max": 1000}]
    assert english["removed"] == {"documents": 0.4, "chars": (49 + 99 + 149 + 199) / english["chars"]}
    # 2,740 characters in all, of which 548 may go: 49 + 99 + 149 + 199 are fewer, with 249 more.
    assert english["proposed"] == {"min": {"documents": 30, "chars": 50}, "max": {"documents": 80, "chars": 90}}
    chinese = rows(report, "num_words")["zh", "web"]
    assert (chinese["documents"], chinese["quantiles"]["0.5"], chinese["bounds"]) == (2, 216, [{"min": 60, "max": 2000}])


def test_what_the_rules_remove_is_what_the_run_removed(finished: str) -> None:
    report = calibrate(finished)
    book = [row for row in ledger(finished).values() if row["num_chars"] and row["lang"] == "en"]
    for signal in report["signals"]:
        removed = sum(signal in row["reasons"] for row in book) / len(book)
        assert rows(report, signal)["en", "web"]["removed"]["documents"] == pytest.approx(removed), signal
    assert "num_chars" in report["signals"]
    assert not {"record", "cluster_size", "similarity", "content_hash", "id"} & report["signals"].keys()


def test_groups_by_source_and_a_group_held_to_different_bounds(finished: str) -> None:
    by_source = rows(calibrate(finished, ["num_words"], by=["source"]), "num_words")
    assert {key: row["documents"] for key, row in by_source.items()} == {("web_en",): 10, ("web_zh",): 2}
    everything = rows(calibrate(finished, ["num_words"], by=["domain"]), "num_words")["web",]
    assert everything["documents"] == 12
    assert everything["bounds"] == [{"min": 50, "max": 1000}, {"min": 60, "max": 2000}]
    han = rows(calibrate(finished, ["han_share"], by=["domain"]), "han_share")["web",]
    assert han["bounds"] == [{"min": 0.3, "max": None}, {"min": None, "max": None}]  # English has no rule for it
    only_chinese = calibrate(finished, ["num_words"], where={"lang": "zh"})
    assert list(rows(only_chinese, "num_words")) == [("zh", "web")]


def test_overrides_of_the_run_are_its_bounds(make_config: Maker, stages: list[dict[str, Any]]) -> None:
    stages[1]["heuristics"]["overrides"] = {"num_words": {"min": 15}}
    settings = load_run(make_config({"a": [{"id": str(n), "text": words(n)} for n in (14, 15)]}, stages=stages))
    run(settings, quiet=True)
    row = calibrate(settings.output, ["num_words"])["signals"]["num_words"][0]
    assert row["bounds"] == [{"min": 15, "max": 1000}]
    assert row["removed"]["documents"] == 0.5


def test_mixed_documents_are_held_to_the_wider_bounds_of_both_languages(make_config: Maker, stages: list[dict[str, Any]]) -> None:
    texts = [prose(1, 1) + zh_prose(1, 4), prose(2, 2) + zh_prose(2, 8)]
    sources = [{"id": str(i), "text": text, "lang": "mixed"} for i, text in enumerate(texts)]
    config = make_config({"a": sources}, stages=stages)
    config.write_text(config.read_text().replace("domain: web", "domain: web\n  lang_key: lang"))
    settings = load_run(config)
    run(settings, quiet=True)
    report = calibrate(settings.output, ["mean_word_length", "num_words", "han_share"])
    assert rows(report, "num_words")["mixed", "web"]["bounds"] == [{"min": 50, "max": 2000}]
    assert rows(report, "mean_word_length")["mixed", "web"]["bounds"] == [{"min": None, "max": 10}]
    assert rows(report, "han_share")["mixed", "web"]["bounds"] == [{"min": None, "max": None}]


def test_an_edited_rule_file_shows_its_effect_before_a_selection(finished: str, tmp_path: Path) -> None:
    (tmp_path / "en.yaml").write_text("languages: [en]\nrules: {num_words: {min: 91}}")
    row = rows(calibrate(finished, ["num_words"]), "num_words")["en", "web"]
    assert row["bounds"] == [{"min": 91, "max": None}]
    assert row["removed"]["documents"] == 0.9


def test_bounds_of_a_domain_come_before_those_of_its_language(make_config: Maker, stages: list[dict[str, Any]]) -> None:
    config = make_config({"a": [{"id": "1", "text": zh_prose(1, 2)}]}, stages=stages)
    config.write_text(config.read_text().replace("domain: web", "domain: law"))
    settings = load_run(config)
    run(settings, quiet=True)
    row = rows(calibrate(settings.output, ["num_words"]), "num_words")["zh", "law"]
    assert (row["bounds"], row["removed"]["documents"]) == ([{"min": 20, "max": 2000}], 0)  # 36 words


def test_a_rule_that_a_domain_lifts_and_no_rule_are_the_same_bounds(make_config: Maker, stages: list[dict[str, Any]]) -> None:
    config = make_config({"a": [{"id": "1", "text": zh_prose(1)}, {"id": "2", "text": prose(1)}]}, stages=stages)
    config.write_text(config.read_text().replace("domain: web", "domain: poetry"))
    settings = load_run(config)
    run(settings, quiet=True)
    row = rows(calibrate(settings.output, ["han_share"], by=["domain"]), "han_share")["poetry",]
    assert (row["documents"], row["bounds"]) == (2, [{"min": None, "max": None}])


def test_a_run_without_heuristics_has_signals_and_no_bounds(make_config: Maker) -> None:
    settings = load_run(make_config({"a": [{"id": "1", "text": prose(1)}]}, stages=[{"select": {}}]))
    run(settings, quiet=True)
    report = calibrate(settings.output)
    assert rows(report, "num_chars")["en", "web"]["bounds"] == [{"min": None, "max": None}]
    assert "num_words" not in report["signals"]


def test_examples_stand_on_both_sides_of_the_threshold_nearest_first(finished: str) -> None:
    found = examples(finished, "num_words", 50, {"lang": "en"})
    assert [row["id"] for row in found["below"]] == ["w40", "w30", "w20", "w10"]
    assert [row["id"] for row in found["at"]] == ["w50"]
    assert [row["id"] for row in found["above"]] == ["w60", "w70", "w80", "w90", "w100"]
    assert [(row["score"], row["fate"]) for row in (*found["below"], *found["at"])] == [
        (40, "rejected"), (30, "rejected"), (20, "rejected"), (10, "rejected"), (50, "kept")]  # fmt: skip
    assert found["below"][0]["text"] == words(40)
    assert found["at"][0]["text"] == words(50)[:200]
    assert {row["id"] for row in examples(finished, "num_words", 50)["above"]} >= {"z0", "z1"}


def test_examples_are_ten_a_side_and_a_threshold_between_values_has_none_at_it(make_config: Maker, stages: list[dict[str, Any]]) -> None:
    sources = {f"s{i}": [{"id": f"{i}-{n}", "text": words(n)} for n in range(20, 36)] for i in range(2)}
    settings = load_run(make_config(sources, stages=stages))
    run(settings, quiet=True)
    found = examples(settings.output, "num_words", 27.5)
    assert found["at"] == []
    assert [row["score"] for row in found["below"]] == [27, 27, 26, 26, 25, 25, 24, 24, 23, 23]
    assert [row["score"] for row in found["above"]] == [28, 28, 29, 29, 30, 30, 31, 31, 32, 32]


def test_a_threshold_equal_to_a_share_lies_at_it(make_config: Maker, stages: list[dict[str, Any]]) -> None:
    text = "\n".join(["a line that comes back with the rest", *(prose(n, 1) for n in range(3)), "a line that comes back with the rest"])
    settings = load_run(make_config({"a": [{"id": "fifth", "text": text}]}, stages=stages))
    run(settings, quiet=True)
    found = examples(settings.output, "duplicate_line_share", 0.2)  # float32 .2 is more than .2
    assert [row["id"] for row in found["at"]] == ["fifth"]


def test_texts_that_were_not_kept_are_said(make_config: Maker, stages: list[dict[str, Any]]) -> None:
    sources: dict[str, list[Any]] = {"a": [{"id": str(n), "text": words(n)} for n in (10, 60)]}
    config = make_config(sources, stages=stages, rejected={"text": "none"})
    settings = load_run(config)
    run(settings, quiet=True)
    found = examples(settings.output, "num_words", 50)
    assert [row["text"] for row in found["below"]] == [None]
    assert [row["text"] for row in found["above"]] == [words(60)[:200]]
    shutil.rmtree(Path(settings.output) / "corpus")
    with pytest.raises(InputError, match=r"none of the texts around num_words 50 was kept \(rejected.text: none\)"):
        examples(settings.output, "num_words", 50)


def test_mistakes_are_named_with_what_would_be_right(finished: str) -> None:
    with pytest.raises(ConfigError, match="no signal 'num_word' in the ledger; did you mean 'num_words'"):
        calibrate(finished, ["num_word"])
    with pytest.raises(ConfigError, match="no signal 'top_4gram'"):
        examples(finished, "top_4gram", 0.2)
    with pytest.raises(ConfigError, match="no grouping 'language'; known are: lang, domain, source"):
        calibrate(finished, by=["language"])
    with pytest.raises(ConfigError, match=r"got 1\.5, wanted a number between 0 and 1"):
        calibrate(finished, quantiles=[1.5])
    with pytest.raises(InputError, match="no documents with text, lang fr"):
        calibrate(finished, where={"lang": "fr"})
    (Path(finished) / "summary.json").unlink()
    with pytest.raises(InputError, match=r"no finished run, summary\.json is missing"):
        calibrate(finished)


def test_tables_show_the_bounded_side_and_round_proposals_outwards(finished: str) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    report = calibrate(finished, ["top_2gram_char_share", "num_words"])
    for side, value in (("min", 12345.6), ("max", 12345.6)):
        report["signals"]["num_words"][0]["proposed"][side]["documents"] = value
    print_report(report, console)
    print_examples("num_words", 50, examples(finished, "num_words", 50), console)
    text = console.export_text()
    assert "12,340" in text
    assert "12,350" in text
    assert "50 to 1,000" in text
    assert "≤ 1" in text
    assert ".01" not in text.split("num_words")[0].split("\n\n")[-1]  # a signal with a max only: quantiles from .5 up
    assert "num_words below 50: a min of 50 removes these" in text
    assert words(40)[:100] in text


def test_the_command_prints_tables_and_writes_json(finished: str, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "pipeline.cli", "calibrate", finished, "--by", "lang", "--quantiles", ".5", "--json", str(out)]
    done = subprocess.run([*command, "--examples", "num_words=50"], capture_output=True, text=True, check=True)
    assert "rule now" in done.stdout
    assert "num_words above 50" in done.stdout
    figures = json.loads(out.read_text())
    assert list(figures["signals"]) == ["num_words"]
    assert figures["examples"]["num_words"]["threshold"] == 50
    assert figures["examples"]["num_words"]["at"][0]["id"] == "w50"
    for arguments, message in (
        (["--examples", "num_words"], "--examples num_words: wanted KEY=VALUE"),
        (["--examples", "num_words=x"], "--examples: got 'x', wanted a number"),
        (["--signal", "num_wrds"], "did you mean 'num_words'?"),
    ):
        failed = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        assert failed.returncode == 2
        assert message in failed.stderr

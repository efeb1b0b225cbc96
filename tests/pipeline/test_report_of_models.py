"""The report on what was made of a corpus: tokenizers, trainings and verdicts as their files say, and absent without them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from configs.errors import InputError
from pipeline.config import load_run
from pipeline.report.page import HERE, Beside, write_report
from pipeline.report.tokenizers import MOST_GROUPS, read_tokenizers
from pipeline.report.trainings import MOST_POINTS, read_trainings
from pipeline.report.verdicts import read_verdicts
from pipeline.run import run
from tests.pipeline.conftest import heard, prose

SECTIONS = ("tokenizers", "trainings", "verdicts")


def rates(per_char: float, interval: list[float] | None = None) -> dict[str, Any]:
    """A tokenizer's figures of a group, as `corpus tokenizer compare` writes them."""
    return {"tokens_per_char": per_char, "interval": interval, "bytes_per_token": 3.5, "of_first": None, "byte_share": 0.01,
            "round_trip_failures": 0, "unknown_tokens": 2}  # fmt: skip


def write_comparison(folder: Path, num_domains: int) -> str:
    """Two tokenizers, the second of which cannot be timed and has no interval."""
    groups = [(None, None), ("zh", None), *(("zh", f"domain {n}") for n in range(num_domains))]
    known = {"ids": 4000, "used_ids": 3000, "megabytes_per_second": 5.0, "refused": 0}
    report = {
        "tokenizers": {"ours": known, "<b>theirs</b>": known | {"megabytes_per_second": None}},
        "texts": {"documents": 7, "held_out": 0.2},
        "groups": [
            {"lang": lang, "domain": domain, "documents": 7, "tokenizers": {"ours": rates(0.5, [0.4, 0.6]), "<b>theirs</b>": rates(0.75)}}
            for lang, domain in groups
        ],
        "warnings": ["ours has learnt from 2 texts"],
    }
    folder.mkdir()
    (folder / "compression.json").write_text(json.dumps(report))
    return str(folder)


def write_training(folder: Path, num_steps: int, heldout: float | None, shuffled: bool = False) -> Path:
    """Cross-entropy falls from 8 by a thousandth a step; the second step was skipped, the last line is torn."""
    folder.mkdir(parents=True)
    end = {"loss": 6.0, "heldout_loss": heldout, "unigram_entropy": 6.5, "tokens_per_second": 1234.5}
    facts = {"result": end if heldout else None, "parameters": 1000, "config": {"shuffle_tokens": shuffled}}
    (folder / "training.json").write_text(json.dumps(facts))
    steps = [
        {"step": n, "tokens": 10 * n, "cross_entropy": None if n == 2 else 8 - n / 1000, "applied": n != 2} for n in range(1, num_steps + 1)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps) + '{"step": ')
    (folder / "heldout.jsonl").write_text(json.dumps({"step": 9, "tokens": 90, "loss": heldout}) + "\n" if heldout else "")
    return folder


def write_verdict(folder: Path) -> str:
    """A variant that is better, one that is inconclusive, a control that fails, three buckets."""

    def judged(word: str, change: float) -> dict[str, Any]:
        return {"word": word, "change": change, "interval": [change - 0.01, change + 0.01], "by_seed": [change - 0.02, change + 0.02],
                "p_holm": 0.01, "by_language": {"zh": change}, "by_cell": {"raw: law/zh": change, "raw: web/zh": change + 0.1},
                "missing": [] if word == "better" else ["p is not below .05"], "holds": True}  # fmt: skip

    selection = {"kept_bytes": 50, "bytes": 100}
    corpus = {"selection": selection, "unique_tokens": [10, 20], "epochs": [1.0, 2.0], "bits_per_byte": {"raw": {"law/zh": 1.25}}}
    result = {
        "settings": {"tier": "smoke", "against": "raw", "parameters": 90_000, "training": {"tokens": 40_960}, "seeds": [1, 2, 3],
                     "score_buckets": {"signal": "quality"}},
        "held_out": {},
        "verdicts": {"filtered": judged("better", -0.05), "dedup": judged("inconclusive", 0.001)},
        "controls": {"halves": judged("inconclusive", 0.0), "shuffled": judged("worse", 0.2) | {"holds": False},
                     "leak": {"found": 5, "leaked": 5, "holds": True}},
        "corpora": dict.fromkeys(("raw", "filtered", "dedup"), corpus),
        "score_buckets": {"changes": [0.0, -0.02], "intervals": [[0, 0], [-0.03, -0.01]], "by_seed": [[0.0, -0.02]] * 3,
                          "monotone": True, "p": 0.02},
    }  # fmt: skip
    folder.mkdir()
    (folder / "verdict.json").write_text(json.dumps(result))
    return str(folder)


@pytest.fixture
def finished(make_config: Any) -> str:
    settings = load_run(make_config({"web": [{"id": f"p{n}", "text": prose(n)} for n in range(3)]}))
    run(settings, quiet=True)
    return settings.output


@pytest.fixture
def whole(finished: str, tmp_path: Path) -> Path:
    """The page with all three parts."""
    write_training(tmp_path / "smoke" / "nano", 500, heldout=5.0)
    write_training(tmp_path / "smoke" / "control", 500, heldout=6.75, shuffled=True)
    (tmp_path / "smoke" / "tokenizer").mkdir()
    (tmp_path / "smoke" / "tokenizer" / "training.json").write_text("{}")
    beside = Beside(
        tokenizer=write_comparison(tmp_path / "compression", 3),
        trainings=(str(tmp_path / "smoke"),),
        variants=write_verdict(tmp_path / "variants"),
    )
    return Path(write_report(finished, beside))


def test_parts_that_were_not_made_are_absent(finished: str) -> None:
    page = Path(write_report(finished)).read_text(encoding="utf-8")
    assert not re.findall(rf'<section id="(?:{"|".join(SECTIONS)})"|href="#(?:{"|".join(SECTIONS)})"', page)


def test_all_groups_of_a_comparison_up_to_a_limit_are_drawn_with_their_intervals(tmp_path: Path) -> None:
    found = read_tokenizers(write_comparison(tmp_path / "few", 3))
    chart = found["charts"]["tokens_per_char"]
    assert chart["groups"] == [[None, None], ["zh", None], ["zh", "domain 0"], ["zh", "domain 1"], ["zh", "domain 2"]]
    assert chart["values"] == {"ours": [[0.5, 0.4, 0.6]] * 5, "<b>theirs</b>": [[0.75, None, None]] * 5}
    assert found["charts"]["of_first"]["values"]["ours"] == [[None, None, None]] * 5
    assert len(read_tokenizers(write_comparison(tmp_path / "many", 300))["groups"]) == MOST_GROUPS


def test_a_long_curve_is_thinned_by_means_and_leaves_out_steps_without_a_loss(tmp_path: Path) -> None:
    (training,) = read_trainings([str(write_training(tmp_path / "long", 3001, heldout=5.0))])
    curve = training["curves"]["steps"]
    assert len(curve) == MOST_POINTS
    assert curve[0] == [110, pytest.approx(8 - (66 - 2) / 10 / 1000, abs=1e-5)]  # steps 1 to 11 without the second
    assert curve[-1] == [30010, pytest.approx(8 - 2.9965, abs=1e-5)]
    assert training["curves"]["heldout"] == [[90, 5.0]]
    assert (training["tokens"], training["faults"], training["below"]) == (30010, 1, 1.5)


def test_a_training_that_goes_on_shows_what_is_there(tmp_path: Path) -> None:
    (training,) = read_trainings([str(write_training(tmp_path / "young", 3, heldout=None))])
    assert (training["finished"], training["loss"], training["below"]) == (False, None, None)
    assert [tokens for tokens, _ in training["curves"]["steps"]] == [10, 30]
    (tmp_path / "young" / "metrics.jsonl").write_text("")
    (unborn,) = read_trainings([str(tmp_path / "young")])
    assert (unborn["tokens"], unborn["curves"]) == (0, {"steps": [], "heldout": []})


def test_trainings_of_a_smoke_run_are_found_and_controls_stand_last(whole: Path, tmp_path: Path) -> None:
    assert [(one["name"], one["control"]) for one in read_trainings([str(tmp_path / "smoke")])] == [("nano", False), ("control", True)]


def test_verdicts_name_what_was_missing_and_controls_that_fail(tmp_path: Path) -> None:
    found = read_verdicts(write_verdict(tmp_path / "variants"))
    assert [(row["name"], row["word"], row["missing"]) for row in found["rows"]] == [
        ("raw", "reference", []),
        ("filtered", "better", []),
        ("dedup", "inconclusive", ["p is not below .05"]),
    ]
    assert found["rows"][1]["worst"] == "web/zh"
    assert found["rows"][1]["kept"] == 0.5
    assert [(control["name"], control["holds"]) for control in found["controls"]] == [("halves", True), ("shuffled", False), ("leak", True)]


@pytest.mark.parametrize(("option", "command"), [("tokenizer", "tokenizer compare"), ("training", "train"), ("variants", "variants")])
def test_a_folder_that_holds_something_else_is_refused_with_what_makes_it(finished: str, option: str, command: str) -> None:
    beside = Beside(trainings=(finished,)) if option == "training" else Beside(**{option: finished})
    with pytest.raises(InputError, match=rf"--{option} {finished}: .* is missing; `corpus {command}`"):
        write_report(finished, beside)


def test_a_browser_draws_models_in_both_languages_without_a_request(whole: Path, browser: Any) -> None:
    page = browser.new_page()
    said, asked = heard(page)
    page.goto(whole.as_uri())
    for name, least in (("tokenizers", 10), ("trainings", 4), ("verdicts", 9), ("buckets", 6)):
        assert page.locator(f"#{name}-chart svg path").count() >= least, name
    assert page.locator("#tokenizers-chart svg text", has_text="<b>theirs</b>").count() == 1
    assert page.locator("#tokenizers td b").count() == 0
    page.select_option("#metric", "bytes_per_token")
    assert page.locator("#tokenizers-chart svg text", has_text="bytes per token").count() == 1
    assert page.locator("#verdicts .fails").inner_text() == "FAILS shuffled tokens must be worse: +20.0%"
    page.click("#language")
    assert page.locator("#verdicts td.better").inner_text() == "更好"
    assert page.locator("#trainings-chart svg text", has_text="留出词元的熵").count() == 1
    assert (said, len(asked)) == ([], 1)


def test_names_that_are_markup_are_text_in_every_tooltip(finished: str, tmp_path: Path, browser: Any) -> None:
    evil = "<img src=x onerror=\"document.title='taken'\">"
    write_training(tmp_path / "smoke" / evil, 50, heldout=5.0)
    beside = Beside(
        tokenizer=write_comparison(tmp_path / "compression", 3),
        trainings=(str(tmp_path / "smoke"),),
        variants=write_verdict(tmp_path / "variants"),
    )
    for file, names in (("compression/compression.json", ("ours", "zh", "domain 0")), ("variants/verdict.json", ("filtered",))):
        text = (tmp_path / file).read_text()
        for name in names:
            text = text.replace(json.dumps(name), json.dumps(f"{name}{evil}"))
        (tmp_path / file).write_text(text)
    page = browser.new_page()
    page.goto(Path(write_report(finished, beside)).as_uri())
    show = """id => charts.get(id).getOption().series.flatMap((one, seriesIndex) => one.data.map((_, dataIndex) => {
        charts.get(id).dispatchAction({ type: "showTip", seriesIndex, dataIndex });
        return document.getElementById(id).lastElementChild.textContent;
    }))"""
    for chart, told in (
        ("tokenizers", f"ours{evil}, domain 0{evil}: "),
        ("trainings", f"{evil}, held out: "),
        ("verdicts", f"filtered{evil}: "),
    ):
        assert any(told in said for said in page.evaluate(show, f"{chart}-chart")), chart
    assert page.locator("img").count() == 0
    assert page.title() == "run · Corpus report · 语料报告"


def test_paper_is_light_and_narrow_and_the_screen_comes_back(whole: Path, browser: Any) -> None:
    page = browser.new_context(color_scheme="dark", viewport={"width": 1440, "height": 900}).new_page()
    page.goto(whole.as_uri())
    width = "document.querySelector('#waterfall-chart svg').getAttribute('width')"
    on_screen = page.evaluate(width)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(width) == "670"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 23, 30)"
    assert page.evaluate(width) == on_screen


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_a_screen_reader_finds_no_obstacle_in_models_and_a_phone_nothing_to_scroll(
    whole: Path, browser: Any, theme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="needs axe-core-python")
    page = browser.new_context(color_scheme=theme, bypass_csp=True, viewport={"width": width, "height": 844}).new_page()
    page.goto(whole.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = axe.Axe().run(page)["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_every_word_of_the_page_is_said_in_both_languages_and_used() -> None:
    words = yaml.safe_load((HERE / "words.yaml").read_text(encoding="utf-8"))
    assert all(set(word) == {"en", "zh"} and all(word.values()) for word in words.values())
    files = [path for path in HERE.iterdir() if path.suffix in (".html", ".js", ".py") and not path.name.startswith("echarts")]
    shown = "".join(path.read_text(encoding="utf-8") for path in files)
    put_together = re.compile(r"tier_|control_|.*_set$|inconclusive$")
    assert [key for key in words if not put_together.match(key) and not re.search(rf"\b{key}\b", shown)] == []

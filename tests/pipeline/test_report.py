"""The report: its numbers are those of the ledger, nothing in it can act as markup, and a real browser draws it without a request."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipeline.config import load_run
from pipeline.finished import FinishedRun
from pipeline.report import cluster_sizes, counts
from pipeline.report.counts import count
from pipeline.report.examples import masked
from pipeline.report.figures import MOST_GROUPS, groupings, waterfalls
from pipeline.report.histogram import Histogram
from pipeline.report.page import write_report
from pipeline.run import run
from tests.pipeline.conftest import heard, ledger, prose, run_command, zh_prose

EVIL = '</script><script>document.title = "taken"</script><img src=x onerror="document.title=\'taken\'">'


@pytest.fixture
def finished(make_config: Any) -> str:
    """Prose, two copies of it, two short texts, a text that is full of markup and of the reader's mail address, an unreadable row."""
    rows: list[Any] = [{"id": f"p{n}", "text": prose(n)} for n in range(6)] + [{"id": f"copy{n}", "text": prose(0)} for n in range(2)]
    rows += [{"id": "short", "text": "Too short."}, {"id": "short again", "text": "Much too short."}]
    rows += [{"id": f"evil {EVIL}", "text": f"write to li@riverbank.cn now {EVIL}"}, b"{broken"]
    stages = [
        {"normalize": {}},
        {"heuristics": {"overrides": {"distinct_word_share": {"min": 0}}}},
        {"exact_dedup": {}},
        {"document_dedup": {}},
        {"pii": {}},
        {"select": {}},
    ]
    settings = load_run(make_config({"web": rows, "zh": [{"id": "z", "text": zh_prose(3)}]}, stages=stages))
    run(settings, quiet=True)
    return settings.output


def test_counts_are_those_of_the_ledger(finished: str) -> None:
    summary = json.loads((Path(finished) / "summary.json").read_bytes())
    counted = count(FinishedRun(finished), summary, seed=17)
    found = counted.as_json()
    names = found["overlaps"]["names"]
    documents = dict(zip(names, np.diagonal(found["overlaps"]["documents"]).tolist(), strict=True))
    assert documents == {name: sizes[0] for name, sizes in summary["reasons"].items() if name in names}
    alone = dict(zip(names, found["overlaps"]["alone"], strict=True))
    assert alone["exact_duplicate"] == 2
    assert alone["bad_json"] == 1
    assert found["clusters"] == [[2, 3, 3, 1]]
    assert found["personal"]["email"] == [1, 1]
    words = found["signals"]["num_words"]
    assert sum(words["kept"]) == summary["documents"]["kept"]
    assert sum(words["kept"]) + sum(words["dropped"]) == 12  # all but the unreadable row
    assert {"min": 50, "max": 1000000, "languages": ["zh"]} in words["bounds"]
    assert [e.id for e in counted.examples["bad_json"]] == ["web/web.jsonl#12"]


def test_quality_is_counted_of_all_documents_where_distributions_are_of_a_sample(finished: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (Path(finished) / "ledger").glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.append_column("quality", pa.array(np.linspace(0, 1, len(table)))), path)
    monkeypatch.setattr(counts, "MOST_ROWS", 3)
    summary = json.loads((Path(finished) / "summary.json").read_bytes())
    found = count(FinishedRun(finished), summary, seed=17).as_json()
    documents = summary["documents"]
    assert found["sampled_share"] == 3 / documents["input"]
    assert [sum(fate) for fate in found["quality"][""]["documents"]] == [documents["rejected"], documents["kept"]]
    assert sum(found["signals"]["quality"]["kept"]) < documents["kept"]


def test_clusters_whose_document_an_earlier_run_kept_are_counted_once_each(make_config: Any) -> None:
    one = load_run(make_config({"a": [{"id": f"p{n}", "text": prose(n)} for n in range(4)]}, "one"))
    run(one, quiet=True)
    rows = [{"id": f"copy{n}", "text": prose(n)} for n in (0, 0, 0, 1, 2, 3)] + [{"id": f"own{n}", "text": prose(9)} for n in range(2)]
    two = load_run(make_config({"b": rows}, "two", earlier=[one.output]))
    summary = run(two, quiet=True)
    assert count(FinishedRun(two.output), summary, seed=17).as_json()["clusters"] == [[2, 3, 5, 4], [4, 7, 3, 1]]


@pytest.mark.parametrize("most_names", [1 << 18, 1000])
def test_clusters_of_earlier_runs_are_counted_in_any_order_and_estimated_beyond_a_limit(
    monkeypatch: pytest.MonkeyPatch, most_names: int
) -> None:
    monkeypatch.setattr(cluster_sizes, "MOST_NAMES", most_names)
    foreign, own = 20_000, 5_000  # clusters: of each two duplicates are here, of ours the kept document too
    names = [f"c{n}" for n in range(foreign + own)]
    ids = [f"d{n}" for n in range(2 * len(names))] + names[foreign:]
    table = pa.table({"id": ids, "duplicate_of": pa.array([*names, *names, *[None] * own]), "cluster_size": [3] * len(ids)})
    table = table.take(np.random.default_rng(0).permutation(len(table)))
    sizes = cluster_sizes.ClusterSizes(seed=3, has_earlier=True)
    for start in range(0, len(table), 700):
        sizes.add(table.slice(start, 700))
    ((low, high, documents, clusters),) = sizes.by_size()
    assert (low, high, documents) == (2, 3, len(table))
    error = 0 if most_names > foreign + own else 4 * (2 * (foreign + own) / most_names * foreign) ** 0.5
    assert abs(clusters - (foreign + own)) <= error


def test_histogram_counts_every_value_once_and_outliers_at_the_ends() -> None:
    histogram = Histogram()
    values = np.concatenate([np.linspace(0, 1, 1001), [50.0], [np.nan]])
    histogram.add(values, np.arange(len(values)) % 2 == 0)
    shown = histogram.as_json()
    assert shown is not None
    assert sum(shown["kept"]) + sum(shown["dropped"]) == 1002
    assert shown["edges"][-1] < 2  # one value of 1,002 does not stretch the axis
    assert not shown["log"]


def test_histogram_of_equal_values_is_not_shown() -> None:
    histogram = Histogram()
    histogram.add(np.zeros(9), np.ones(9, np.bool_))
    assert histogram.as_json() is None


def test_of_many_sources_the_largest_are_shown_and_the_others_counted() -> None:
    faces = {f"s{n:03d}": {"input": [n % 250, 0, 0], "left": {"read": [0, 0, 0]}} for n in range(300)}
    summary = {"by_source": faces, "by_domain": {}, "by_language": {}, "waterfall": []}
    sources, *_ = groupings(summary)
    assert (len(sources["faces"]), sources["more"]) == (MOST_GROUPS, 300 - MOST_GROUPS)
    assert min(face["input"][0] for face in sources["faces"].values()) == 50  # 50 to 249, each once
    assert list(sources["faces"]) == sorted(sources["faces"])
    assert len(waterfalls(summary)) == MOST_GROUPS + 1


def test_page_needs_no_network_and_holds_no_foreign_markup(finished: str) -> None:
    page = Path(write_report(finished)).read_text(encoding="utf-8")
    assert EVIL not in page
    assert "li@riverbank.cn" not in page  # masked, also where the document was dropped
    assert not re.findall(r"<(?:img|iframe)[^>]*\ssrc=|<link\s", page.partition("<script")[0])
    assert "default-src 'none'" in page
    assert page.count("</script>") == 3  # the data, the library, and ours


def test_every_run_writes_its_report_and_it_is_the_same_again(finished: str) -> None:
    first = (Path(finished) / "report" / "index.html").read_bytes()
    write_report(finished)
    assert (Path(finished) / "report" / "index.html").read_bytes() == first


def test_a_report_names_the_versions_of_the_run_and_says_where_rules_have_changed(finished: str) -> None:
    path = Path(finished) / "summary.json"
    summary = json.loads(path.read_bytes())
    assert summary["versions"]["pyarrow"] == pa.__version__
    assert set(summary["rule_files"]) == {"filters/en.yaml", "filters/zh.yaml"}

    def written(**changes: Any) -> str:
        path.write_text(json.dumps({key: value for key, value in (summary | changes).items() if value is not None}))
        return Path(write_report(finished)).read_text(encoding="utf-8")

    changed, of_page = "The rule files have changed since this run", "Versions that wrote this page"
    now = written()
    assert [text in now.partition("<script")[0] for text in (changed, of_page)] == [False, False]
    old = written(versions={"pyarrow": "1.2.3"}, rule_files={"filters/en.yaml": "0"})
    assert [text in old.partition("<script")[0] for text in (changed, of_page, "<code>1.2.3</code>")] == [True, False, True]
    older = written(versions=None, rule_files=None)  # of a program that did not write them down
    assert [text in older.partition("<script")[0] for text in (changed, of_page)] == [False, True]


def test_a_run_whose_report_fails_is_complete_and_says_what_to_do(
    make_config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("no [pages] left")

    config = make_config({"web": [{"id": f"p{n}", "text": prose(n)} for n in range(3)]})
    with monkeypatch.context() as broken:
        broken.setattr("pipeline.report.page.count", fail)
        assert run_command(broken, "run", str(config)) == 0
    folder = load_run(config).output
    said = capsys.readouterr()
    assert f"the corpus in {folder} is complete, but its report was not written: ZeroDivisionError: no [pages] left (" in said.err
    assert f"try again: corpus report {folder}\n" in said.err
    assert "index.html" not in said.out
    assert len(ledger(folder)) == 3
    assert run_command(monkeypatch, "report", folder) == 0
    assert (Path(folder) / "report" / "index.html").exists()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished run"):
        write_report(str(tmp_path))


def test_personal_data_is_masked_before_a_text_is_cut() -> None:
    assert masked("电话 13812345678 或 zhang.san@riverbank.cn") == "电话 <PHONE> 或 <EMAIL>"


def test_a_browser_draws_the_charts_switches_language_and_asks_for_nothing(finished: str, browser: Any) -> None:
    page = browser.new_page()
    said, asked = heard(page)
    page.goto(Path(write_report(finished)).as_uri())
    assert page.title() == "run · Corpus report · 语料报告"
    assert page.locator("#waterfall-chart svg path").count() > 5
    assert page.locator("#signal-chart svg path").count() > 5
    assert page.locator("#clusters-chart svg").count() == 1
    page.select_option("#waterfall-of", "source/zh")
    page.select_option("#signal", "num_words")
    assert page.locator("h2:visible").first.inner_text() == "What is left after each stage"
    page.click("#language")
    assert page.locator("h2:visible").first.inner_text() == "各阶段之后的留存"
    assert page.locator("#waterfall-chart svg text", has_text="字节占比").count() == 1
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 23, 30)"
    assert (said, len(asked)) == ([], 1)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_screen_reader_finds_no_obstacle(finished: str, browser: Any, theme: str) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="needs axe-core-python")
    page = browser.new_context(color_scheme=theme, bypass_csp=True).new_page()
    page.goto(Path(write_report(finished)).as_uri())
    found = axe.Axe().run(page)["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []

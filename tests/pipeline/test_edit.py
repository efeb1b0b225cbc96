"""Edits in a run: the corpus holds the edited text, `edits/` what was removed, and both together the normalised text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from pipeline.check import CheckWork, check_part
from pipeline.explain import print_story, story, struck_through
from pipeline.lookup import put_back
from pipeline.reselect import select
from tests.pipeline.conftest import ledger, output_bytes, prose, read_parts, zh_prose
from tests.pipeline.test_run import finish

Maker = Callable[..., Path]
STAGES = [{"normalize": {}}, {"sentences": {}}, {"exact_dedup": {}}, {"document_dedup": {}}, {"select": {}}]
FOOTER = "责任编辑：沈小舟"
INSIDE = zh_prose(20, 4) + "转载请注明来自本站。"


def rows() -> list[dict[str, Any]]:
    framed = [{"id": f"framed{i}", "text": f"首页 | 国内 | 财经\r\n{zh_prose(i)}\n\n{FOOTER}"} for i in range(6)]
    return [
        *framed,
        {"id": "plain", "text": prose(1)},
        {"id": "mostly", "text": f"短文。\n{FOOTER}\n上一篇：河边的桥"},
        {"id": "inside", "text": INSIDE},
        {"id": "copy", "text": f"首页 | 国内 | 财经\n{zh_prose(3)}\n\n{FOOTER}"},
    ]


@pytest.fixture
def edited(make_config: Maker) -> tuple[dict[str, Any], str]:
    return finish(make_config({"a": rows()}, stages=STAGES))


def test_the_corpus_holds_the_edited_text_and_its_sizes(edited: tuple[dict[str, Any], str]) -> None:
    summary, folder = edited
    corpus = {row["id"]: row for row in read_parts(folder, "corpus").to_pylist()}
    row = corpus["framed0"]
    assert row["text"] == zh_prose(0)
    assert (row["num_chars"], row["num_bytes"]) == (len(zh_prose(0)), len(zh_prose(0).encode()))
    assert (row["edit_share"], row["cut_share"]) == (0, pytest.approx((13 + 2 + 8) / (len(zh_prose(0)) + 23)))
    assert corpus["plain"]["text"] == prose(1)
    assert summary["edits"] == {"boilerplate": [6, 6 * 23]}
    assert summary["characters"]["kept"] == sum(len(row["text"]) for row in corpus.values())
    assert summary["bytes"]["kept"] == sum(row["num_bytes"] for row in corpus.values())


def test_a_document_that_would_lose_much_of_a_paragraph_stays_whole_and_is_marked(edited: tuple[dict[str, Any], str]) -> None:
    _, folder = edited
    row = next(row for row in read_parts(folder, "corpus").to_pylist() if row["id"] == "inside")
    assert row["text"] == INSIDE
    assert row["edit_share"] == ledger(folder)["inside"]["edit_share"] == pytest.approx(10 / len(INSIDE))
    assert row["cut_share"] == 0


def test_each_cut_has_a_row_and_rebuilds_the_normalised_text(edited: tuple[dict[str, Any], str]) -> None:
    _, folder = edited
    cuts = [row for row in read_parts(folder, "edits").to_pylist() if row["id"] == "framed0"]
    size = len(zh_prose(0).encode())
    places = [(cut["start"], cut["end"], cut["removed"]) for cut in cuts]
    assert places == [(0, 25, "首页 | 国内 | 财经\n"), (25 + size, 51 + size, f"\n\n{FOOTER}")]
    assert {(cut["rule"], cut["partner"], cut["similarity"]) for cut in cuts} == {("boilerplate", None, None)}


def test_a_document_of_boilerplate_is_rejected_and_its_text_stays_whole(edited: tuple[dict[str, Any], str]) -> None:
    _, folder = edited
    assert ledger(folder)["mostly"]["reasons"] == ["mostly_boilerplate"]
    rejected = {row["id"]: row["text"] for row in read_parts(folder, "rejected").to_pylist()}
    assert rejected["mostly"] == f"短文。\n{FOOTER}\n上一篇：河边的桥"
    assert FOOTER in next(text for identifier, text in rejected.items() if identifier != "mostly")  # the copy


def test_runs_without_a_stage_that_proposes_have_no_edits(make_config: Maker) -> None:
    summary, folder = finish(make_config({"a": rows()}))
    assert not (Path(folder) / "edits").exists()
    assert summary["edits"] == {}
    assert not {"edit_share", "cut_share"} & set(read_parts(folder, "corpus").column_names)
    assert not [name for name in read_parts(folder, "ledger").column_names if name.endswith("_spans")]


def test_bytes_do_not_depend_on_batch_size_and_a_selection_makes_them_again(make_config: Maker, tmp_path: Path) -> None:
    results = []
    for number, size in enumerate((1024, 1, 3)):
        _, folder = finish(make_config({"a": rows()}, name=f"batch{number}", stages=STAGES), f"engine.batch_rows={size}")
        results.append(output_bytes(folder))
    assert results[0] == results[1] == results[2]
    assert any(name.startswith("edits/") for name in results[0])
    select(folder, str(tmp_path / "again"), [], quiet=True)
    assert output_bytes(tmp_path / "again") == results[0]


def test_lost_edits_are_made_again(make_config: Maker) -> None:
    config = make_config({"a": rows()}, stages=STAGES)
    _, folder = finish(config)
    before = output_bytes(folder)
    (Path(folder) / "summary.json").unlink()
    next((Path(folder) / "edits").iterdir()).unlink()
    finish(config)
    assert output_bytes(folder) == before


def test_the_check_finds_an_edit_that_does_not_rebuild_its_text(edited: tuple[dict[str, Any], str]) -> None:
    _, folder = edited
    number, path = next((i, p) for i, p in enumerate(sorted((Path(folder) / "edits").iterdir())) if pq.read_table(p).num_rows)
    table = pq.read_table(path)
    num_rows = pq.read_table(Path(folder) / "ledger" / path.name).num_rows
    assert check_part(CheckWork(number, num_rows, folder, "", edits=True))["rebuilt"] == len(set(table["id"].to_pylist()))
    wrong = pa.array(["x" + text for text in table["removed"].to_pylist()], pa.large_string())
    pq.write_table(table.set_column(table.column_names.index("removed"), "removed", wrong), path)
    with pytest.raises(AssertionError, match="cannot be rebuilt from its edits"):
        check_part(CheckWork(number, num_rows, folder, "", edits=True))


def test_explain_shows_what_was_cut(edited: tuple[dict[str, Any], str]) -> None:
    _, folder = edited
    assert [cut["removed"] for cut in story(folder, "framed0")["edits"]] == ["首页 | 国内 | 财经\n", f"\n\n{FOOTER}"]
    console = Console(record=True, width=200, force_terminal=True)
    print_story(folder, "framed0", console)
    shown = console.export_text(styles=True)
    assert "\x1b[9;31m首页 | 国内 | 财经" in shown
    assert "cut by boilerplate: bytes 0 to 25" in shown
    assert json.dumps(story(folder, "plain")["edits"]) == "[]"


def test_a_mask_is_shown_once_with_what_it_hides() -> None:
    cuts = [{"start": 5, "removed": "a@b.c", "end": 10, "replacement": "[邮]"}, {"start": 12, "removed": "!", "end": 13, "replacement": ""}]
    shown = struck_through("mail [邮]. x", cuts)
    assert shown.plain == "mail a@b.c[邮]. !x"
    assert [(shown.plain[span.start : span.end], span.style) for span in shown.spans if span.style] == [
        ("a@b.c", "strike red"),
        ("[邮]", "green"),
        ("!", "strike red"),
    ]


def test_edits_do_not_show_what_would_have_been_masked_in_a_text_that_was_cut(make_config: Maker) -> None:
    address, footer = "shen.xiaozhou@gmail.com", "责任编辑：沈小舟 邮箱：shen.xiaozhou@gmail.com"
    stages = [{"normalize": {}}, {"sentences": {}}, {"pii": {}}, {"select": {}}]
    _, folder = finish(make_config({"a": [{"id": "x", "text": f"{zh_prose(1)}\n\n{footer}"}]}, stages=stages))
    cuts = read_parts(folder, "edits").to_pylist()
    assert [(cut["rule"], cut["removed"], cut["replacement"]) for cut in cuts] == [
        ("boilerplate", "\n\n责任编辑：沈小舟 邮箱：", ""),
        ("pii_email", None, ""),
    ]
    assert (cuts[0]["end"], cuts[1]["end"] - cuts[1]["start"]) == (cuts[1]["start"], len(address))
    (row,) = read_parts(folder, "corpus").to_pylist()
    assert row["text"] == zh_prose(1)
    assert put_back(row["text"], cuts) == f"{zh_prose(1)}\n\n{footer.removesuffix(address)}"
    assert struck_through(row["text"], cuts).plain == f"{zh_prose(1)}\n\n{footer.removesuffix(address)}"

"""Decontamination through runs: drop, cut, select again, common quotations, and the report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from configs.errors import RunError
from pipeline.config import load_run
from pipeline.contamination_report import print_decontamination
from pipeline.plan import SPLIT_FACTOR, WORKER_BYTES, make_plan
from pipeline.reselect import select
from pipeline.run import run
from stages.decontaminate.stage import MAKING_FACTOR, Decontaminate
from tests.pipeline.conftest import ledger, prose, read_parts, zh_prose

ZH = "某地居民发现井水含氟超标，长期饮用这种井水最可能引起哪一种疾病？"
EN = "Which instrument would a surveyor most likely use to measure the horizontal angle between two distant landmarks?"

MakeConfig = Callable[..., Path]


@pytest.fixture
def configured(make_config: MakeConfig, tmp_path: Path) -> Callable[..., Path]:
    """A run over two sources: 12 Chinese documents of which 4 hold a question, 6 English ones of which 1 holds the other."""
    for name, rows in {
        "zh": [",Question,A,B,C,D,Answer", f"0,{ZH},氟斑牙,夜盲症,佝偻病,坏血病,A"],
        "en": [f'"{EN}",theodolite,barometer,sextant,gyroscope,A'],
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "subject.csv").write_text("\n".join(rows), encoding="utf-8")
    chinese = [{"id": f"zh-{i}", "text": zh_prose(i, 40) + (f"\n{ZH}\n{zh_prose(50 + i, 40)}" if i < 4 else "")} for i in range(12)]
    english = [{"id": f"en-{i}", "text": prose(i, 30) + (f" {EN} {prose(50, 30)}" if i == 0 else "")} for i in range(6)]

    def configure(name: str = "run", **settings: Any) -> Path:
        benchmarks = [{"name": lang, "path": str(tmp_path / lang)} for lang in ("zh", "en")]
        stages = [{"normalize": {}}, {"decontaminate": {"benchmarks": benchmarks} | settings}, {"exact_dedup": {}}, {"select": {}}]
        return make_config({"a": chinese, "b": english}, name=name, stages=stages)

    return configure


def test_documents_with_a_question_are_dropped_and_reported_by_set_and_source(configured: Callable[..., Path]) -> None:
    summary = run(load_run(configured()), quiet=True)
    book = ledger(summary["output"])
    assert {name for name, row in book.items() if row["fate"] == "rejected"} == {"zh-0", "zh-1", "zh-2", "zh-3", "en-0"}
    assert {tuple(book[name]["reasons"]) for name in ("zh-0", "en-0")} == {("contaminated",)}
    assert book["en-0"]["contaminated_by"] == "en"
    assert book["en-0"]["contamination"][0]["question"] == "subject.csv:1"
    report = summary["decontamination"]
    faces = {(name, source): row for name, found in report.items() for source, row in found["by_source"].items()}
    assert {key: (row["documents"], row["quoting"], row["questions"]) for key, row in faces.items()} == {
        ("zh", "a"): (4, 0, 1),
        ("en", "b"): (1, 0, 1),
    }
    (example,) = faces["en", "b"]["examples"]
    assert example == {"id": "en-0", "question": "en/subject.csv:1", "share": 1.0, "text": EN[:-1]}
    assert report["zh"]["common"] == {}
    console = Console(record=True, width=200)
    print_decontamination(summary, console)
    shown = console.export_text()
    assert "zh (1 of 1 looked for)" in shown
    assert EN[:40] in shown


def test_cut_texts_read_on_and_are_rebuilt(configured: Callable[..., Path]) -> None:
    summary = run(load_run(configured(action="cut")), quiet=True)
    assert summary["documents"]["rejected"] == 0
    corpus = {row["id"]: row for row in read_parts(summary["output"], "corpus").to_pylist()}
    assert corpus["zh-1"]["text"] == f"{zh_prose(1, 40)}\n{zh_prose(51, 40)}"
    assert corpus["en-0"]["text"] == f"{prose(0, 30)} {prose(50, 30)}"
    assert corpus["zh-1"]["cut_share"] == pytest.approx(len(ZH + "\n") / len(f"{zh_prose(1, 40)}\n{ZH}\n{zh_prose(51, 40)}"))
    edits = {row["id"]: row for row in read_parts(summary["output"], "edits").to_pylist()}
    assert (edits["zh-1"]["rule"], edits["zh-1"]["partner"], edits["zh-1"]["removed"]) == ("contamination", "zh/subject.csv:2", f"{ZH}\n")
    assert summary["edits"] == {"contamination": [5, 4 * len(f"{ZH}\n") + len(f"{EN} ")]}


def test_a_common_quotation_is_reported_and_not_acted_on(configured: Callable[..., Path]) -> None:
    summary = run(load_run(configured(max_documents=3)), quiet=True)
    assert {name for name, row in ledger(summary["output"]).items() if row["fate"] == "rejected"} == {"en-0"}
    found = summary["decontamination"]["zh"]
    assert found["common"] == {"zh/subject.csv:2": 4}
    assert (found["by_source"]["a"]["documents"], found["by_source"]["a"]["quoting"]) == (0, 4)
    assert found["by_source"]["a"]["quotations"][0]["text"] == ZH[:-1]
    assert found["by_source"]["a"]["examples"] == []
    summary = run(load_run(configured("share", max_documents=3, max_document_share=0.5)), quiet=True)
    assert summary["decontamination"]["zh"]["common"] == {}


def test_a_question_about_a_famous_passage_is_acted_on_and_so_is_what_a_stem_asks_about_a_famous_piece(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    passage, quoted, asked = zh_prose(901, 5), prose(902, 6), prose(903, 6)
    row = {"passage": passage, "question": ZH}, {"question": f"{quoted} {asked}"}
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, row)), encoding="utf-8")
    rows = [{"id": f"passage-{i}", "text": f"{zh_prose(i, 20)}\n{passage}"} for i in range(4)]
    rows += [{"id": f"quoted-{i}", "text": f"{prose(i, 20)}\n{quoted}"} for i in range(4)]
    rows += [{"id": "question", "text": f"{zh_prose(7, 20)}\n{ZH}"}, {"id": "asked", "text": f"{prose(7, 20)}\n{asked}"}]
    stages = [{"decontaminate": {"benchmarks": [{"name": "s", "path": str(tmp_path / "set.jsonl")}], "max_documents": 3}}]
    summary = run(load_run(make_config({"a": rows}, stages=stages)), quiet=True)
    book = ledger(summary["output"])
    assert {name for name, row in book.items() if row["fate"] == "rejected"} == {"question", "asked"}
    assert book["passage-1"]["contamination"][0]["question"] == "set.jsonl:1#passage"
    found = summary["decontamination"]["s"]
    assert found["common"] == {"s/set.jsonl:1#passage": 4, "s/set.jsonl:2#1": 4}
    by_source = found["by_source"]["a"]
    assert (by_source["documents"], by_source["quoting"], by_source["questions"]) == (2, 8, 2)
    assert {example["question"] for example in by_source["quotations"] + by_source["examples"]} == {"s/set.jsonl:1", "s/set.jsonl:2"}


def test_copies_of_one_text_make_no_quotation_common(make_config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "set.jsonl").write_text(json.dumps({"question": ZH}), encoding="utf-8")
    stages = [{"decontaminate": {"benchmarks": [{"name": "s", "path": str(tmp_path / "set.jsonl")}], "max_documents": 3}}, {"select": {}}]
    text = f"{zh_prose(1, 20)}\n{ZH}"
    summary = run(load_run(make_config({"a": [{"id": str(i), "text": text} for i in range(9)]}, stages=stages)), quiet=True)
    assert summary["reasons"]["contaminated"][0] == 9
    assert summary["decontamination"]["s"]["common"] == {}


def test_bounds_are_decided_again_without_a_new_search(configured: Callable[..., Path], tmp_path: Path) -> None:
    first = run(load_run(configured()), quiet=True)
    for name, override, rejected in (
        ("common", "max_documents=3", {"en-0"}),
        ("cut", "action=cut", set()),
        ("same", "min_share=0.9", {"zh-0", "zh-1", "zh-2", "zh-3", "en-0"}),
    ):
        folder = str(tmp_path / "out" / name)
        select(first["output"], folder, [f"stages.decontaminate.{override}"], quiet=True)
        assert {row for row, fields in ledger(folder).items() if fields["fate"] == "rejected"} == rejected, name


@pytest.mark.parametrize("masking", [True, False])
def test_examples_show_no_personal_data_that_the_run_masks(make_config: MakeConfig, tmp_path: Path, masking: bool) -> None:
    question = "Which office answers letters to wang.li@hotmail.com about the angle between two distant landmarks and their instruments?"
    (tmp_path / "set.csv").write_text(f'"{question}",theodolite,barometer,sextant,gyroscope,A\n', encoding="utf-8")
    stages = [{"normalize": {}}, {"decontaminate": {"benchmarks": [{"name": "s", "path": str(tmp_path / "set.csv")}]}}]
    stages += [{"pii": {"mask": ["email"] if masking else []}}]
    config = make_config({"a": [{"id": "x", "text": f"{prose(1, 30)} 钱 {question} {prose(2, 30)}"}]}, stages=stages)
    folder = run(load_run(config), quiet=True)["output"]
    summary = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
    (example,) = summary["decontamination"]["s"]["by_source"]["a"]["examples"]
    assert example["text"] == (question.replace("wang.li@hotmail.com", "<EMAIL>") if masking else question)[:-1]


def test_memory_for_the_index_is_asked_for_before_the_run(configured: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(memory: int) -> Decontaminate:
        settings = ("engine.split_bytes=1024", "sources.a.max_document_bytes=1", "sources.b.max_document_bytes=1")
        stage = make_plan(load_run(configured(), (*settings, f"engine.memory_per_worker={memory}"))).stage(Decontaminate)
        assert isinstance(stage, Decontaminate)
        return stage

    assert plan(2_000_000_000).index_bytes() >= 8 * len(ZH)
    for index in (1_000, 1_000_000):
        monkeypatch.setattr(Decontaminate, "index_bytes", lambda _, index=index: index)
        enough = WORKER_BYTES + max(MAKING_FACTOR * index, index + SPLIT_FACTOR * 1024)
        plan(enough)
        with pytest.raises(RunError, match="index of the evaluation sets takes" if index > 1_000 else "a split of 1,024 bytes needs about"):
            plan(enough - 1)


def test_a_run_with_nothing_to_find_says_so(make_config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "set.jsonl").write_text(json.dumps({"question": ZH}), encoding="utf-8")
    stages = [{"decontaminate": {"benchmarks": [{"name": "s", "path": str(tmp_path / "set.jsonl")}]}}, {"select": {}}]
    summary = run(load_run(make_config({"a": [{"text": zh_prose(1)}, b"broken"]}, stages=stages)), quiet=True)
    assert summary["decontamination"] == {"s": {"questions": 1, "searched": 1, "by_source": {}, "common": {}}}
    console = Console(record=True, width=200)
    print_decontamination(summary, console)
    assert "none" in console.export_text()
    assert summary["documents"] == {"input": 2, "kept": 1, "rejected": 1}

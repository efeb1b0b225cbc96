"""`corpus evaluate`, through the command, on a small model of bytes and invented texts and questions."""

import json
import math
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
import torch

from configs.loader import CONFIGS
from model import Baichuan, preset
from pipeline.evaluation.chart import line_chart
from pipeline.evaluation.settings import load_evaluation, load_names
from tests.pipeline.conftest import run_command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    Baichuan(preset("nano", vocab_size=320, num_hidden_layers=1, max_length=64)).save_pretrained(path)
    return path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    rows: list[dict[str, Any]] = [{"id": f"zh{n}", "text": "天地玄黄，宇宙洪荒。" * (n + 1), "lang": "zh", "domain": "x"} for n in range(6)]
    rows += [{"id": f"en{n}", "text": "Every person has the right to life. " * (n + 1), "lang": "en", "domain": "x"} for n in range(6)]
    for name, part in (("classics.jsonl", rows[:6]), ("rights.jsonl", rows[6:])):
        (tmp_path / name).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in part))
    return tmp_path


def test_texts_give_figures_by_language_and_domain_and_a_row_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, texts: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    options = ["--tokenizer", "bytes", "--texts", f"{texts}/*.jsonl", "--output", str(output), "--set", "positions={rows: 4, beyond: 1.5}"]
    assert run_command(monkeypatch, "evaluate", str(folder), *options) == 0
    printed = capsys.readouterr()
    assert "bits per byte, zh" in printed.out
    assert "perplexity by position" in printed.out
    figures = json.loads((output / "evaluation.json").read_text())
    assert {lang: list(found["domains"]) for lang, found in figures["languages"].items()} == {"zh": ["classics"], "en": ["rights"]}
    rows = pq.read_table(output / "documents.parquet").to_pylist()
    assert [row["id"] for row in rows] == [f"zh{n}" for n in range(6)] + [f"en{n}" for n in range(6)]
    assert [row["bytes"] for row in rows[:2]] == [30, 60]
    zh = [row for row in rows if row["lang"] == "zh"]
    expected = sum(row["nats"] for row in zh) / math.log(2) / sum(row["bytes"] for row in zh)
    assert figures["languages"]["zh"]["bits_per_byte"] == pytest.approx(expected)
    assert figures["languages"]["zh"]["domains"]["classics"]["documents"] == 6
    positions = figures["positions"]
    assert [(row["first"], row["behind"]) for row in positions["rows"]] == [(0, 24), (24, 48), (48, 72), (72, 96)]
    assert positions["documents"] == 7, "four of the Chinese and three of the English have more than 96 bytes"
    assert (output / "positions.svg").read_text().count("<polyline") == 2
    assert run_command(monkeypatch, "evaluate", str(folder), *options) == 2, "an evaluation is not replaced unasked"
    assert "--overwrite" in capsys.readouterr().err
    assert run_command(monkeypatch, "evaluate", str(folder), *options, "--overwrite", "--quiet") == 0
    assert pq.read_table(output / "documents.parquet").to_pylist() == rows
    without = [option for option in options if "positions" not in option and option != "--set"]
    assert run_command(monkeypatch, "evaluate", str(folder), *without, "--overwrite", "--quiet") == 0
    assert not (output / "positions.svg").exists(), "nothing stays of an earlier evaluation"


def test_a_limit_takes_the_same_documents_whatever_their_order(
    monkeypatch: pytest.MonkeyPatch, folder: Path, texts: Path, tmp_path: Path
) -> None:
    found = []
    for number, order in enumerate((["classics", "rights"], ["rights", "classics"])):
        output = tmp_path / f"out{number}"
        named = [option for name in order for option in ("--texts", f"{texts}/{name}.jsonl")]
        limit = ["--set", "documents_per_domain=2", "--quiet", "--tokenizer", "bytes", "--output", str(output)]
        assert run_command(monkeypatch, "evaluate", str(folder), *named, *limit) == 0
        found.append(sorted(row["id"] for row in pq.read_table(output / "documents.parquet").to_pylist()))
    assert found[0] == found[1]
    assert len(found[0]) == 4


def question_files(root: Path) -> None:
    """Two invented sets as their publishers would write them."""
    (root / "val").mkdir()
    (root / "dev").mkdir()
    header = "id,question,A,B,C,D,answer"
    (root / "val" / "law_val.csv").write_text(
        f"{header}\n0,谁立法？,甲,乙,丙,丁,C\n1,谁守法？,甲,乙,丙,丁,A\n2,谁执法？,甲,乙,丙,丁,AB\n3,几？,1,2,3,4,\n"
    )
    (root / "dev" / "law_dev.csv").write_text(f"{header},explanation\n0,何为法？,甲,乙,丙,丁,B,略\n")
    passage = {"passage": "文。", "question": "1. 何意？", "options": ["(A)一", "(B)二", "(C)三", "(D)四"], "label": "D"}
    lines = [passage | {"question": f"{n}. 何意？"} for n in range(1, 5)] + [
        passage | {"options": ["(A)一", "(B)二"]},
        passage | {"label": ["A", "B"]},
    ]
    (root / "agi.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    (root / "names.yaml").write_text("law: 法学\n")


def test_questions_give_figures_by_subject_and_a_row_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    question_files(tmp_path)
    output = tmp_path / "out"
    (tmp_path / "sets.yaml").write_text(
        f"questions:\n  - {{name: ceval, path: {tmp_path}/val, examples: {tmp_path}/dev, subjects: {tmp_path}/names.yaml}}\n"
        f"  - {{name: agieval, path: {tmp_path}/agi.jsonl, format: agieval, shots: 1}}\nlength: 512\n"
    )
    options = ["--config", str(tmp_path / "sets.yaml"), "--tokenizer", "bytes", "--output", str(output)]
    assert run_command(monkeypatch, "evaluate", str(folder), *options) == 0
    assert "few-shot multiple choice" in capsys.readouterr().out
    figures = json.loads((output / "evaluation.json").read_text())["questions"]
    assert figures["ceval"]["left_out"] == {"several answers": 1, "no answer": 1}
    assert figures["ceval"]["subjects"].keys() == {"法学"}
    assert figures["ceval"]["questions"] == 2
    assert figures["agieval"]["left_out"] == {"not four options": 1, "several answers": 1, "shown as examples": 1}
    assert figures["agieval"]["questions"] == 3
    rows = pq.read_table(output / "questions.parquet").to_pylist()
    assert [(row["set"], row["place"], row["answer"], row["shots"]) for row in rows[:2]] == [
        ("ceval", "law_val.csv:2", "C", 1),
        ("ceval", "law_val.csv:3", "A", 1),
    ]
    assert [row["gold_bytes"] for row in rows[2:]] == [3, 3, 3], "the label before the option is no part of its text"
    assert sum(rows[0][f"share_{letter}"] for letter in "ABCD") == pytest.approx(1)


def test_options_keep_what_only_looks_like_a_label(tmp_path: Path) -> None:
    from pipeline.evaluation.questions import read_questions
    from pipeline.evaluation.settings import QuestionSet

    (tmp_path / "micro_test.csv").write_text("Which?,A. niger,A. flavus,E. coli,B. subtilis,C\nWho?,A. one,B. two,C. three,D. four,D\n")
    asked = read_questions(QuestionSet(name="m", path=str(tmp_path), format="mmlu", protocol="mmlu", shots=0), 0)
    assert [question.options for question in asked.questions] == [
        ("A. niger", "A. flavus", "E. coli", "B. subtilis"),
        ("one", "two", "three", "four"),
    ]
    assert asked.questions[0].subject == "micro"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "texts: nothing to measure: name texts, questions or harness tasks"),
        (["--texts", "nothing/*.jsonl"], "nothing/*.jsonl"),
        (["--texts", "README.md", "--set", "length=4", "--set", "stride=5"], "stride: got 5, wanted at most length, which is 4"),
        (["--texts", "README.md", "--set", "positions={beyond: .5}"], "positions.beyond: got 0.5, wanted at least 1"),
    ],
)
def test_settings_that_cannot_work_are_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    assert run_command(monkeypatch, "evaluate", str(folder), "--tokenizer", "bytes", "--output", str(tmp_path / "out"), *options) == 2
    assert message in capsys.readouterr().err.replace("\n", "")


def test_another_tokenizer_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Baichuan(preset("nano", vocab_size=1024, num_hidden_layers=1)).save_pretrained(tmp_path / "model")
    options = ["--tokenizer", "bytes", "--texts", "README.md", "--output", str(tmp_path / "out")]
    assert run_command(monkeypatch, "evaluate", str(tmp_path / "model"), *options) == 2
    assert "259 pieces and the model a vocabulary of 1,024" in capsys.readouterr().err


def test_shipped_evaluations_load() -> None:
    for file in sorted((CONFIGS / "evaluation").glob("*.yaml")):
        if file.stem.endswith("_subjects"):
            assert all(load_names(file).values()), file.name
        else:
            config = load_evaluation(file, {"model": "m"}, ())
            for one in config.questions:
                assert one.subjects is None or (CONFIGS / one.subjects).exists()
    assert len(load_names(CONFIGS / "evaluation" / "ceval_subjects.yaml")) == 52
    assert len(load_names(CONFIGS / "evaluation" / "cmmlu_subjects.yaml")) == 67


def test_a_chart_has_a_curve_for_each_name_within_its_frame() -> None:
    chart = line_chart("a < b", "x", [1, 2, 3], {"one": [5, 6, 7], "two": [7, 6.5, 6]}, (2, "here"))
    assert chart.count("<polyline") == 2
    assert "a &lt; b" in chart
    points = [float(n) for line in chart.splitlines() if "polyline" in line for n in line.split('"')[1].replace(",", " ").split()]
    assert all(0 <= x <= 720 for x in points[::2])
    assert all(40 <= y <= 352 for y in points[1::2])

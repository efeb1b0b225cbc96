"""Evaluation sets in the formats of their publishers; all questions are invented."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import ConfigError
from stages.decontaminate.benchmarks import Benchmark, Question, benchmark_files, read_benchmark, read_published

STEM, OPTIONS = "青岚山的茶树为什么多长在南坡？", ("日照", "土壤", "村路", "姓氏")
QUESTION = Question("set", "", "", STEM, OPTIONS)


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path: Path, **settings: object) -> list[Question]:
    return read_benchmark(Benchmark(name="set", path=str(path), **settings))  # type: ignore[arg-type]


CSV = {
    "cmmlu": f",Question,A,B,C,D,Answer\n0,{STEM},{','.join(OPTIONS)},A\n",
    "cmmlu without a header": f"0,{STEM},{','.join(OPTIONS)},A\n",
    "ceval test": f"id,question,A,B,C,D\n0,{STEM},{','.join(OPTIONS)}\n",
    "ceval dev": f"id,question,A,B,C,D,answer,explanation\n0,{STEM},{','.join(OPTIONS)},A,因为\n",
    "mmlu": f"{STEM},{','.join(OPTIONS)},B\n",
    "mmlu with a header": f"question,A,B,C,D,answer\n{STEM},{','.join(OPTIONS)},B\n",
    "byte order mark, CRLF": f"\ufeffid,question,A,B,C,D,answer\r\n0,{STEM},{','.join(OPTIONS)},A\r\n",
}


@pytest.mark.parametrize("kind", CSV)
def test_tables_of_choices_are_read_with_and_without_a_header(kind: str, tmp_path: Path) -> None:
    file = write(tmp_path / "agronomy.csv", CSV[kind])
    line = 1 if kind in ("mmlu", "cmmlu without a header") else 2
    assert read(file) == [QUESTION._replace(place=f"agronomy.csv:{line}")]


def test_the_place_is_the_line_where_a_row_begins(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", f'id,question,A,B,C,D,answer\n0,"two\nlines",{",".join(OPTIONS)},A\n1,{STEM},{",".join(OPTIONS)},A\n')
    assert [question.place for question in read(file)] == ["a.csv:2", "a.csv:4"]


def test_a_folder_is_read_file_by_file_and_other_files_in_it_are_not(tmp_path: Path) -> None:
    for name in ("dev/law_dev.csv", "test/law_test.csv"):
        write(tmp_path / name, CSV["mmlu"])
    write(tmp_path / "README.md", "a set")
    assert [question.place for question in read(tmp_path)] == ["dev/law_dev.csv:1", "test/law_test.csv:1"]


PARQUET = {
    "cmmlu": {"Question": [STEM], **{letter: [option] for letter, option in zip("ABCD", OPTIONS, strict=True)}, "Answer": ["A"]},
    "ceval": {"id": [0], "question": [STEM], **{letter: [option] for letter, option in zip("ABCD", OPTIONS, strict=True)}, "answer": ["A"]},
    "mmlu": {"question": [STEM], "subject": ["tea"], "choices": [list(OPTIONS)], "answer": [0]},
}


@pytest.mark.parametrize("kind", PARQUET)
@pytest.mark.parametrize("named", [True, False])
def test_parquet_files_of_hugging_face_are_read_by_their_columns(kind: str, named: bool, tmp_path: Path) -> None:
    pq.write_table(pa.table(PARQUET[kind]), tmp_path / "test-00000-of-00001.parquet")
    settings = {"format": kind} if named else {}
    assert read(tmp_path, **settings) == [QUESTION._replace(place="test-00000-of-00001.parquet:1")]
    ((_, published),) = read_published(Benchmark(name="set", path=str(tmp_path)))
    assert published.answer == "A"


def test_parquet_files_that_hold_no_questions_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    pq.write_table(pa.table({"query": [STEM], "gold": [[0]]}), file)
    assert read(file, question="query") == [Question("set", "x.parquet:1", "", STEM, ())]
    with pytest.raises(ConfigError, match=r"x.parquet:1: no column 'question'; it has: query, gold"):
        read(file)
    pq.write_table(pa.table({"question": [STEM, None]}), file)
    with pytest.raises(ConfigError, match=r"x.parquet:2: 'question' is no text"):
        read(file)
    pq.write_table(pa.table({"question": pa.array([], pa.string())}), file)
    with pytest.raises(ConfigError, match="holds no question"):
        read(file)
    for data in (b"", b"question,A\n", file.read_bytes()[:-20]):
        with pytest.raises(ConfigError, match="cannot be read as Parquet"):
            read(write(file, data))


def test_gaokao_questions_are_parted_from_number_and_options(tmp_path: Path) -> None:
    text = f"12．（3 分）{STEM}\nA．日照  B．土壤\nC．村路  D．姓氏"
    file = write(tmp_path / "x.json", json.dumps({"keywords": "x", "example": [{"question": text, "answer": ["A"], "index": 0}]}))
    assert read(file) == [QUESTION._replace(place="x.json:1")]


def test_a_gaokao_text_with_several_rows_of_options_stays_whole(tmp_path: Path) -> None:
    text = "（1）甲 A．一 B．二 C．三\n（2）乙 A．四 B．五 C．六"
    file = write(tmp_path / "x.json", json.dumps({"example": [{"question": text}]}))
    assert read(file) == [Question("set", "x.json:1", "", text, ())]


def test_agieval_has_passages_and_lettered_options(tmp_path: Path) -> None:
    row = {"passage": "一篇短文。", "question": STEM, "options": [f"({c}){o}" for c, o in zip("ABCD", OPTIONS, strict=True)], "label": "A"}
    file = write(tmp_path / "x.jsonl", json.dumps(row) + "\n" + json.dumps(row | {"passage": None, "options": None}) + "\n")
    assert read(file) == [
        QUESTION._replace(place="x.jsonl:1", passage="一篇短文。"),
        Question("set", "x.jsonl:2", "", STEM, ()),
    ]


def test_any_columns_can_be_named(tmp_path: Path) -> None:
    lines = write(tmp_path / "x.jsonl", json.dumps({"q": STEM, "right": "日照", "wrong": list(OPTIONS[1:]), "about": "文"}))
    assert read(lines, question="q", options=("right", "wrong"), passage="about") == [QUESTION._replace(place="x.jsonl:1", passage="文")]
    table = write(tmp_path / "x.csv", f"q,right\n{STEM},日照\n")
    assert read(table, question="q", options=("right",)) == [Question("set", "x.csv:2", "", STEM, ("日照",))]


WRONG = [
    ("x.csv", "", "x.csv: is empty"),
    ("x.csv", "id,question,A,B,C,D,answer\n", "x.csv: holds no question"),
    ("x.csv", "id,question,A,B\n", r"x.csv:1: the header has 'question' but no column C, D"),
    ("x.csv", "name,price\nbread,2\n", "x.csv:1: not recognised: got 2 columns"),
    ("x.csv", f"{CSV['mmlu']}{STEM},日照\n", "x.csv:2: got 2 columns, wanted at least 5"),
    ("x.csv", "id,question,A,B,C,D,answer\n0, ,a,b,c,d,A\n", "x.csv:2: the question is empty"),
    ("x.csv", b"id,question\n\xff", "x.csv:2: is not UTF-8"),
    ("x.csv", 'question,A,B,C,D\n"a"b,1,2,3,4\n', "x.csv:2: not valid CSV"),
    ("x.json", "[1]", "x.json:1: not recognised"),
    ("x.json", '{"example": [{"answer": 1}]}', "x.json:1: the example has no text 'question'"),
    ("x.json", '{"example":\n nothing}', "x.json:2: not valid JSON"),
    ("x.jsonl", '{"question": "a b"}\n{"q": "a b"}', "x.jsonl:2: no column 'question'; it has: q"),
    ("x.jsonl", '{"question": 3}', "x.jsonl:1: 'question' is no text"),
    ("x.jsonl", "[]", "x.jsonl:1: wanted a JSON object"),
    ("x.txt", "what?", "the format of '.txt' files is not known"),
]


@pytest.mark.parametrize(("name", "content", "message"), WRONG)
def test_what_is_no_set_of_questions_is_refused_with_its_place(name: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        read(write(tmp_path / name, content))


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \.csv, \.json, \.jsonl, \.parquet file in this folder"):
        benchmark_files(Benchmark(name="set", path=str(tmp_path)))

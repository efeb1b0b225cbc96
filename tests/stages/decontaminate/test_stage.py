"""The stage: columns, decisions at other thresholds, cuts, and the files that it needs."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from configs.errors import ConfigError
from configs.loader import load, parse_yaml
from pipeline.plan import check_stages
from stages.batch import Batch
from stages.decontaminate.benchmarks import Benchmark
from stages.decontaminate.stage import Decontaminate, informed
from stages.edits import CONTAMINATION
from stages.measure import Measure

STEM = "某地居民发现井水含氟超标，长期饮用这种井水最可能引起哪一种疾病？"
CLEAN = "河边的作坊今年换了新的水轮，工人们正在试车。老师傅说水量足够，可以一直用到秋天。" * 4
CHANGED = STEM.replace("居民", "村民").replace("哪一种", "什么").replace("井水含", "泉水里")
"""Of its 30 characters 居, 含, 哪, 一, 种 are lost; 井 stands beside 水 in another place of it."""


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"question": STEM, "options": ["氟斑牙", "夜盲症"]}, ensure_ascii=False), encoding="utf-8")
    return Benchmark(name="set", path=str(path))


def annotated(stage: Decontaminate, texts: list[str]) -> pa.Table:
    columns = {"text": pa.array(texts, pa.large_string()), "num_bytes": pa.array([len(text.encode()) for text in texts], pa.int64())}
    batch = stage.annotate(Batch(pa.RecordBatch.from_pydict(columns)))
    assert batch.columns.schema.names[2:] == [field.name for field in stage.adds()]
    assert [batch.columns.schema.field(field.name).type for field in stage.adds()] == [field.type for field in stage.adds()]
    return pa.table(batch.columns)


def test_a_document_knows_its_best_match_and_where_it_stands(benchmark: Benchmark) -> None:
    text = f"前一句。下一句说：{STEM}再一句。"
    columns = annotated(Decontaminate(benchmarks=(benchmark,)), [CLEAN, text, CHANGED, ""])
    assert columns["contaminated_by"].to_pylist() == [None, "set", "set", None]
    assert columns["contamination_share"].to_pylist() == pytest.approx([0, 1, 25 / 30, 0])
    (match,) = columns["contamination"][1].as_py()
    data = text.encode()
    assert (match["benchmark"], match["question"], match["share"]) == ("set", "set.jsonl:1", 1)
    assert data[match["start"] : match["end"]].decode() == STEM[:-1]
    assert data[match["cut_start"] : match["cut_end"]].decode() == f"下一句说：{STEM}"


def test_thresholds_are_read_when_it_is_decided(benchmark: Benchmark) -> None:
    stage = Decontaminate(benchmarks=(benchmark,))
    columns = annotated(stage, [CLEAN, STEM, CHANGED])
    for share, touched in (
        (0.6, [False, True, True]),
        (0.83, [False, True, True]),
        (0.84, [False, True, False]),
        (1.0, [False, True, False]),
    ):
        other = Decontaminate(benchmarks=(benchmark,), min_share=share)
        assert other.computed_by() == stage.computed_by()
        assert other.reasons(columns)["contaminated"].tolist() == touched
    assert stage.reasons(annotated(stage, [CLEAN])) == {}
    assert stage.spans(columns).to_pylist() == [[], [], []]


def test_cutting_takes_whole_sentences_and_drops_what_is_little_else(benchmark: Benchmark) -> None:
    stage = Decontaminate(benchmarks=(benchmark,), action="cut")
    texts = [CLEAN, f"{CLEAN}\n{STEM}\n{CLEAN}", f"短。{STEM}"]
    columns = annotated(stage, texts)
    assert stage.reasons(columns)["contaminated"].tolist() == [False, False, True]
    none, (span,), _ = stage.spans(columns).to_pylist()
    assert none == []
    assert texts[1].encode()[span["start"] : span["end"]].decode() == f"{STEM}\n"
    assert (span["rule"], span["partner"], span["similarity"]) == (CONTAMINATION, "set/set.jsonl:1", 1)
    assert Decontaminate(benchmarks=(benchmark,), action="cut", max_cut_share=0.9).reasons(columns)["contaminated"].tolist() == [
        False
    ] * 2 + [True]


def test_common_quotations_are_not_acted_on(benchmark: Benchmark) -> None:
    stage = informed(Decontaminate(benchmarks=(benchmark,)), ["set/set.jsonl:1"])
    columns = annotated(stage, [STEM])
    assert stage.reasons(columns) == {}
    assert stage.touching(columns, common=True).question.to_pylist() == ["set/set.jsonl:1"]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_columns_do_not_depend_on_batches(benchmark: Benchmark, size: int) -> None:
    stage = Decontaminate(benchmarks=(benchmark,))
    texts = [CLEAN, STEM, "", f"{STEM}\n{CLEAN}{STEM}", CHANGED]
    parts = [annotated(stage, texts[i : i + size]) for i in range(0, len(texts), size)]
    assert pa.concat_tables(parts).to_pydict() == annotated(stage, texts).to_pydict()


def test_planning_names_what_is_wrong_with_a_benchmark(tmp_path: Path) -> None:
    def plan(path: Path) -> None:
        check_stages((Measure(), Decontaminate(benchmarks=(Benchmark(name="set", path=str(path)),))))

    with pytest.raises(ConfigError, match=r"stages\[1\]\.decontaminate: no such file '.*nothing\.csv'"):
        plan(tmp_path / "nothing.csv")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match=r"stages\[1\]\.decontaminate: benchmark 'set': .*bad\.csv:1: not recognised"):
        plan(tmp_path / "bad.csv")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{}", "key 'benchmarks' is missing"),
        ("benchmarks: []", "got none, wanted at least one evaluation set"),
        ("benchmarks: [{name: a, path: x}, {name: a, path: y}]", "the name 'a' stands twice"),
        ("benchmarks: [{name: a/b, path: x}]", "wanted a name without a slash"),
        ("benchmarks: [{name: a, path: x}]\nmin_share: 0.5", "got 0.5, wanted between 0.6 and 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(Decontaminate, parse_yaml(settings, "run.yaml"))


def test_the_plan_says_how_many_questions_are_looked_for(benchmark: Benchmark) -> None:
    lines = Decontaminate(benchmarks=(benchmark,)).describe()
    assert lines[0].startswith("set: 1 of 1 questions are looked for")
    assert lines[1] == "1 units, 0 of them found whole only; 26 seeds"

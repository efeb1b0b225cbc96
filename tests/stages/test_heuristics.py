"""The stage: columns, reasons, overrides from a run's YAML, and real text."""

from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest
import zstandard

from configs.errors import ConfigError
from configs.loader import load, override, parse_yaml
from stages.batch import Batch
from stages.filters import columns
from stages.heuristics import Heuristics
from stages.measure import Measure
from stages.normalize import Normalize

SHARED = Path(__file__).parents[2] / "../shared/data"


def batch_of(texts: list[str], lang: str, domain: str = "web") -> Batch:
    n = len(texts)
    arrays = [pa.array(texts, pa.large_string()), pa.array([lang] * n), pa.array([domain] * n), pa.nulls(n, pa.string())]
    return Batch(pa.RecordBatch.from_arrays(arrays, names=["text", "lang", "domain", "fault"]))


def reasons_of(text: str, lang: str) -> set[str]:
    stage = Heuristics()
    return set(stage.reasons(pa.table(stage.annotate(batch_of([text], lang)).columns)))


def test_columns_are_those_declared() -> None:
    stage = Heuristics()
    found = stage.annotate(batch_of(["x"], "en")).columns
    assert [found.schema.field(column.name) for column in stage.adds()] == list(columns())


def test_a_page_of_one_repeated_line_is_caught() -> None:
    assert reasons_of("Click here to read more about it.\n" * 30, "en") >= {"duplicate_line_share", "duplicate_10gram_char_share"}
    assert reasons_of("点击这里阅读更多关于它的内容。\n" * 30, "zh") >= {"duplicate_line_share", "duplicate_10gram_char_share"}


def test_a_menu_is_caught() -> None:
    assert reasons_of("Home\nNews\nSport\nContact\n" * 20, "en") >= {
        "num_english_stop_words",
        "terminal_line_share",
        "newlines_per_word",
    }
    assert reasons_of("首页\n新闻\n体育\n联系\n" * 20, "zh") >= {
        "num_chinese_stop_words",
        "terminal_line_share",
        "newlines_per_word",
    }


def test_thresholds_are_no_part_of_what_scores_depend_on() -> None:
    assert Heuristics(rules=()).computed_by() == Heuristics().computed_by() == {}


def test_override_from_the_command_line() -> None:
    node = parse_yaml("{}", "run.yaml")
    override(node, "overrides.num_words.min=2")
    stage = load(Heuristics, node)
    found = stage.reasons(pa.table(stage.annotate(batch_of(["one", "one two"], "en")).columns))
    assert found["num_words"].tolist() == [True, False]


def test_an_unknown_column_in_overrides_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"run.yaml:1: overrides: unknown column 'num_wrods'; did you mean 'num_words'\?"):
        load(Heuristics, parse_yaml("overrides: {num_wrods: {min: 2}}", "run.yaml"))


def test_files_and_plan_name_the_rule_files() -> None:
    assert Heuristics().files() == ("filters/en.yaml", "filters/zh.yaml")
    assert [line.split(" rules for ")[1][:2] for line in Heuristics().describe()] == ["en", "zh"]


def test_flagged_words_are_scored_with_a_list_and_its_content_is_part_of_what_scores_depend_on(tmp_path: Path) -> None:
    (tmp_path / "zh.txt").write_text("# ours\n赌博\n", encoding="utf-8")
    (tmp_path / "en.txt").write_text("casino\n", encoding="utf-8")
    files = (str(tmp_path / "zh.txt"), str(tmp_path / "en.txt"))
    stage = Heuristics(flagged_words=files)
    found = stage.annotate(batch_of(["网络赌博 casino", "网络", "Casinos"], "zh"))["flagged_words_per_word"].to_pylist()
    assert found == pytest.approx([2 / 5, 0, 0])
    assert stage.computed_by() == {"flagged_words": files}
    assert stage.model_files() == files
    assert set(files) < set(stage.files())


@pytest.mark.parametrize(("others", "caught"), [(98, True), (99, False)])
def test_a_page_with_more_than_one_flagged_word_in_a_hundred_is_caught(tmp_path: Path, others: int, caught: bool) -> None:
    (tmp_path / "en.txt").write_text("casino\n", encoding="utf-8")
    stage = Heuristics(flagged_words=(str(tmp_path / "en.txt"),))
    text = "casino " + " ".join(f"w{number}" for number in range(others))
    assert ("flagged_words_per_word" in stage.reasons(pa.table(stage.annotate(batch_of([text], "en")).columns))) is caught


def test_code_and_formulas_are_not_judged_as_prose() -> None:
    program = "\n".join(f"def f_{n}(x):\n    return g_{n}(x) + {n}\n" for n in range(20))
    assert reasons_of(program, "en") == reasons_of(program, "code") == set()
    assert reasons_of(program, "zh") == set()
    formulas = "".join(f"$$x_{{{n}}} = \\frac{{{n}}}{{y + {n + 1}}} \\alpha \\beta \\gamma$$ and\n" for n in range(20))
    assert reasons_of(formulas, "en") == reasons_of(formulas, "zh") == set()


def removed_char_share(name: str) -> float:
    with zstandard.open(SHARED / f"{name}.jsonl.zst", "rt", encoding="utf-8") as lines:
        rows = [orjson.loads(line) for line in lines]
    stage = Heuristics()
    batch = batch_of([row["text"] for row in rows], rows[0]["lang"], rows[0]["domain"])
    found = pa.table(stage.annotate(Measure().annotate(Normalize().annotate(batch))).columns)
    removed = np.logical_or.reduce([*stage.reasons(found).values(), np.zeros(len(rows), np.bool_)])
    chars = found["num_chars"].to_numpy()
    return float(chars[removed].sum() / chars.sum())


@pytest.mark.skipif(not SHARED.exists(), reason="needs the data folder beside the checkout")
@pytest.mark.parametrize("name", ["law_zh", "law_en", "encyclopedia_zh", "encyclopedia_en", "speeches_en", "classics_modern_zh"])
def test_sound_text_keeps_98_percent_of_its_characters(name: str) -> None:
    assert removed_char_share(name) < 0.02


@pytest.mark.skipif(not SHARED.exists(), reason="needs the data folder beside the checkout")
def test_novels_with_repeated_passages_are_caught() -> None:
    assert removed_char_share("novels_noise_zh") > 0.9

"""Rule files: strict loading, bounds, inheritance, languages."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import ConfigError
from stages.filters import columns
from stages.filters.rules import OFF, Bounds, RuleBook, load_rule_file

SHIPPED = ("filters/en.yaml", "filters/zh.yaml")


def rows(*documents: dict[str, Any]) -> pa.Table:
    """Columns as `RuleBook.failing` reads them; what a document does not name is 0, and its language en."""
    names = [column.name for column in columns()]
    arrays = [
        pa.array([document.get(name, 0) for document in documents], column.type) for name, column in zip(names, columns(), strict=True)
    ]
    return pa.table(
        {
            "lang": pa.array([document.get("lang", "en") for document in documents], pa.string()),
            "domain": pa.array([document.get("domain", "web") for document in documents], pa.string()),
            "fault": pa.array([document.get("fault") for document in documents], pa.string()),
            **dict(zip(names, arrays, strict=True)),
        }
    )


def written(folder: Path, text: str) -> str:
    path = folder / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def failing(path: str, *documents: dict[str, Any], overrides: dict[str, Bounds] | None = None) -> dict[str, list[bool]]:
    return {name: mask.tolist() for name, mask in RuleBook((path,), overrides or {}).failing(rows(*documents)).items()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "languages: [en]\nrules:\n  num_wrods: {min: 5}\n",
            r"rules.yaml:3: rules: unknown key 'num_wrods'; did you mean 'num_words'\?",
        ),
        ("languages: [en]\nrules: {}\ndomains:\n  law:\n    han: {min: 1}\n", r"rules.yaml:5: domains.law: unknown key 'han'"),
        (
            "languages: [en]\nrules:\n  num_words: {mim: 5}\n",
            r"rules.yaml:3: rules.num_words: unknown key 'mim'; did you mean 'min'\?",
        ),
        ("languages: [en]\nrules:\n  num_words: {min: 5, max: 4}\n", r"rules.yaml:3: rules.num_words.min: got 5, more than max, 4"),
        ("languages: [en]\nrules:\n  num_words: five\n", r"rules.yaml:3: rules.num_words: got 'five', wanted a mapping"),
        (
            "languages: [en]\nrules: {}\nkinds:\n  code: {when: {code_shar: {min: 1}}, rules: {}}\n",
            r"rules.yaml:4: kinds.code.when: unknown key 'code_shar'; did you mean 'code_share'\?",
        ),
        ("languages: [en]\nrules: {}\nkinds: {code: {when: {}, rules: {}}}\n", r"rules.yaml: kinds.code.when: got no bound"),
        ("languages: []\nrules: {}\n", r"rules.yaml: languages: got none"),
        ("rules: {}\n", r"rules.yaml:1: key 'languages' is missing"),
    ],
)
def test_a_wrong_rule_file_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_rule_file(written(tmp_path, text), {})


def test_bounds_are_included(tmp_path: Path) -> None:
    path = written(tmp_path, "languages: [en]\nrules: {num_words: {min: 5, max: 7}, digit_share: {max: 0.2}}")
    words = [{"num_words": n} for n in (4, 5, 7, 8)]
    assert failing(path, *words) == {"num_words": [True, False, False, True]}
    just_above = float(np.nextafter(np.float32(0.2), np.float32(1)))
    assert failing(path, *({"num_words": 5, "digit_share": share} for share in (0.2, just_above))) == {"digit_share": [False, True]}


@pytest.mark.parametrize("path", SHIPPED)
def test_both_sides_of_every_shipped_bound(path: str) -> None:
    book = RuleBook((path,), {})
    (file,) = book.files
    (language,) = file.languages
    kinds = {column.name: column.type.to_pandas_dtype() for column in columns()}
    cases = [("web", file.rules, {}), *((domain, rules, {}) for domain, rules in file.domains.items())]
    cases += [("web", kind.rules, {column: bounds.min for column, bounds in kind.when.items()}) for kind in file.kinds.values()]
    for domain, rules, scores in cases:
        for column, bounds in rules.items():
            for bound, step in ((bounds.min, -1), (bounds.max, 1)):
                if bound is None or np.isinf(bound):
                    continue
                kind = kinds[column]
                outside = bound + step if kind is np.int64 else float(np.nextafter(kind(bound), kind(step * np.inf)))
                table = rows(*({"lang": language, "domain": domain, **scores, column: value} for value in (bound, outside)))
                assert book.failing(table)[column].tolist() == [False, True], (domain, column)


def test_a_domain_changes_one_side_and_turns_a_rule_off(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "languages: [en]\nrules: {num_words: {min: 5, max: 7}, digit_share: {max: 0.2}}\n"
        "domains:\n  law: {num_words: {min: 2}, digit_share: off, han_share: {min: 0.5}}\n",
    )
    assert load_rule_file(path, {}).domains == {
        "law": {"num_words": Bounds(min=2, max=7), "digit_share": OFF, "han_share": Bounds(min=0.5)}
    }
    document = {"num_words": 3, "digit_share": 0.9, "han_share": 0.5}
    assert failing(path, {**document, "domain": "law"}, {**document, "domain": "news"}) == {
        "num_words": [False, True],
        "digit_share": [False, True],
    }


def test_overrides_win_over_rules_and_domains(tmp_path: Path) -> None:
    path = written(tmp_path, "languages: [en]\nrules: {num_words: {min: 5, max: 7}}\ndomains: {law: {num_words: {min: 2}}}")
    documents = [{"num_words": n, "domain": domain} for domain in ("law", "web") for n in (3, 4, 8)]
    assert failing(path, *documents, overrides={"num_words": Bounds(min=4)}) == {"num_words": [True, False, True] * 2}


@pytest.mark.parametrize("lang", ["zh", "zh-hans", "zh-hant", "zh_CN", "ZH-TW"])
def test_every_kind_of_chinese_is_judged_by_the_chinese_file(lang: str) -> None:
    assert RuleBook(("filters/zh.yaml",), {}).failing(rows({"lang": lang}))["num_words"].tolist() == [True]


@pytest.mark.parametrize("lang", ["other", "none", "de", None])
def test_a_language_without_rules_is_not_judged(lang: str | None) -> None:
    assert RuleBook(SHIPPED, {}).failing(rows({"lang": lang})) == {}


def test_mixed_text_breaks_a_rule_only_if_it_breaks_it_in_every_language(tmp_path: Path) -> None:
    english = written(
        tmp_path, "languages: [en]\nrules: {num_words: {min: 50}, mean_word_length: {min: 3, max: 10}, digit_share: {max: 0.2}}"
    )
    (tmp_path / "zh").mkdir()
    chinese = written(
        tmp_path / "zh", "languages: [zh]\nrules: {num_words: {min: 30}, mean_word_length: {min: 1, max: 5}, han_share: {min: 0.3}}"
    )
    documents = [{"lang": "mixed", "num_words": n, "mean_word_length": m, "digit_share": 1, "han_share": 0}
                 for n, m in ((30, 1), (29, 10), (30, 10.5))]  # fmt: skip
    found = RuleBook((english, chinese), {}).failing(rows(*documents))
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "num_words": [False, True, False],
        "mean_word_length": [False, False, True],
    }


def test_mixed_text_is_judged_by_the_one_file_there_is() -> None:
    found = RuleBook(("filters/zh.yaml",), {}).failing(rows({"lang": "mixed"}))
    assert found["num_chinese_stop_words"].tolist() == [True]


def test_a_row_with_a_fault_has_no_reasons() -> None:
    assert RuleBook(SHIPPED, {}).failing(rows({"fault": "bad_json"})) == {}


def test_two_files_for_a_language_both_judge(tmp_path: Path) -> None:
    path = written(tmp_path, "languages: [en]\nrules: {num_words: {min: 60}}")
    book = RuleBook(("filters/en.yaml", path), {})
    assert book.failing(rows({"num_words": 55}))["num_words"].tolist() == [True]


def test_no_rows() -> None:
    assert RuleBook(SHIPPED, {}).failing(rows()) == {}


def test_chunked_tables_are_judged_alike() -> None:
    one, two = rows({"num_words": 1}), rows({"num_words": 60, "lang": "zh"})
    whole = pa.concat_tables([one, two])
    assert RuleBook(SHIPPED, {}).failing(whole)["num_words"].tolist() == [True, False]


KINDS = """languages: [en]
rules: {num_words: {min: 50}, terminal_line_share: {min: 0.1}}
domains: {law: {num_words: {min: 20}}}
kinds:
  code: {when: {code_share: {min: 0.6}}, rules: {num_words: {min: 5}}}
  math: {when: {math_share: {min: 0.3}, code_share: {max: 0.1}}, rules: {digit_share: {max: 0.5}}}
"""


def test_a_kind_is_told_by_its_scores_and_judged_by_its_own_rules_alone(tmp_path: Path) -> None:
    below = float(np.nextafter(np.float32(0.6), np.float32(0)))
    documents = [
        {"code_share": 0.6, "num_words": 5},
        {"code_share": 0.6, "num_words": 4, "domain": "law"},
        {"code_share": below, "num_words": 50, "terminal_line_share": 0.05},
        {"math_share": 0.3, "digit_share": 0.6},
        {"math_share": 0.3, "code_share": 0.2, "num_words": 50, "terminal_line_share": 1},
    ]
    assert failing(written(tmp_path, KINDS), *documents) == {
        "num_words": [False, True, False, False, False],
        "terminal_line_share": [False, False, True, False, False],
        "digit_share": [False, False, False, True, False],
    }


def test_overrides_change_only_what_a_kind_bounds(tmp_path: Path) -> None:
    overrides = {"num_words": Bounds(min=8), "terminal_line_share": Bounds(min=0.5)}
    file = load_rule_file(written(tmp_path, KINDS), overrides)
    assert file.kinds["code"].rules == {"num_words": Bounds(min=8)}
    assert file.kinds["math"].rules == {"digit_share": Bounds(max=0.5)}


def test_the_language_code_is_judged_by_the_kind_of_every_file(tmp_path: Path) -> None:
    wider = tmp_path / "wider.yaml"
    wider.write_text(KINDS.replace("languages: [en]", "languages: [zh]").replace("{min: 5}", "{min: 3}"), encoding="utf-8")
    documents = [{"lang": "code", "num_words": n} for n in (2, 3)]
    found = RuleBook((written(tmp_path, KINDS), str(wider)), {}).failing(rows(*documents))
    assert {name: mask.tolist() for name, mask in found.items()} == {"num_words": [True, False]}


def test_mixed_text_may_be_code(tmp_path: Path) -> None:
    documents = [{"lang": "mixed", "num_words": 5, "code_share": share} for share in (0.6, 0.5)]
    assert failing(written(tmp_path, KINDS), *documents) == {"num_words": [False, True], "terminal_line_share": [False, True]}


def test_without_rule_files_nothing_is_judged() -> None:
    assert RuleBook((), {}).failing(rows({"lang": "code"}, {"lang": "en"})) == {}

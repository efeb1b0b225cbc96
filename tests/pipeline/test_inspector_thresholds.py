"""What the inspector says of another threshold is what `corpus select --set` makes of it."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import ConfigError
from pipeline.config import load_run
from pipeline.reselect import select
from pipeline.run import run
from tests.pipeline.conftest import ledger, prose, zh_prose

pytest.importorskip("duckdb", reason="needs the extra 'inspect'")

from pipeline.inspector.queries import Documents

EN = """
languages: [en]
rules: {num_words: {min: 30, max: 120}, digit_share: {max: 0.1}, mean_word_length: {min: 3, max: 10}}
kinds: {code: {when: {curly_bracket_share: {min: 0.02}}, rules: {num_words: {min: 10, max: 60}}}}
domains: {law: {num_words: {min: 20}}, poetry: {digit_share: off}}
"""
ZH = """
languages: [zh]
rules: {num_words: {min: 40, max: 150}, mean_word_length: {max: 2.5}, digit_share: {max: 0.2}}
domains: {law: {num_words: off}}
"""
LANGUAGES = (None, "mixed", "code", "fr")
DOMAINS = ("web", "law", "poetry")
BOUNDS = (
    ("num_words", "min", 10),  # of both sides: what is too long stays out
    ("num_words", "min", 26),
    ("num_words", "max", 55),
    ("num_words", "max", 160),
    ("digit_share", "min", 0.0),  # of `max` only: seen from the side that it has not
    ("digit_share", "min", 0.05),
    ("digit_share", "max", 0.15),
    ("mean_word_length", "max", 5.0),
    ("longest_word", "max", 9),  # no rule speaks of it yet
)


def texts() -> list[str]:
    """5 to 180 words in English and Chinese, every third text with brackets, every fourth with numbers."""
    rng = random.Random(5)
    found = []
    for number in range(16):
        words = prose(number).split()[: rng.choice((5, 15, 25, 35, 50, 70, 100, 130))]
        if number % 3 == 0:
            words[1:1] = ["{}{}"] * (len(words) // 8 + 1)
        if number % 4 == 0:
            words += ["1234"] * (len(words) // rng.choice((4, 7)))
        found.append(" ".join(words))
    return [*found, *(zh_prose(number, number + 1)[:-1] + "9" * (9 * number % 40) + "。" for number in range(8))]


@pytest.fixture
def finished(make_config: Callable[..., Path], tmp_path: Path) -> str:
    """The texts in each domain and language, under rules with both sides, one side, none, kinds and `off`."""
    rules = []
    for name, rule_file in (("en", EN), ("zh", ZH)):
        rules.append(str(tmp_path / f"{name}.yaml"))
        Path(rules[-1]).write_text(rule_file)
    sources = {
        domain: [{"id": f"{domain} {lang} {n}", "text": text} | ({"lang": lang} if lang else {})
                 for lang in LANGUAGES for n, text in enumerate(texts())]
        for domain in DOMAINS
    }  # fmt: skip
    path = make_config(sources, stages=[{"normalize": {}}, {"heuristics": {"rules": rules}}, {"select": {}}])
    places = [f"sources.{name}.{key}={value}" for name in DOMAINS for key, value in (("domain", name), ("lang_key", "lang"))]
    settings = load_run(path, places)
    run(settings, quiet=True)
    return settings.output


def test_a_threshold_says_what_select_makes_of_it(finished: str, tmp_path: Path) -> None:
    documents, before = Documents(finished), ledger(finished)
    drops, spares = [], []
    for number, (signal, side, value) in enumerate(BOUNDS):
        folder = tmp_path / str(number)
        select(finished, str(folder), [f"stages.heuristics.overrides.{signal}.{side}={value}"], quiet=True)
        after = ledger(folder)
        went = {name for name, row in before.items() if row["fate"] == "kept" != after[name]["fate"]}
        came = {name for name, row in after.items() if row["fate"] == "kept" != before[name]["fate"]}
        for lang, domain in [("", ""), ("", "law"), ("en", ""), ("mixed", "poetry")]:
            found = documents.threshold(signal, side, value, lang, domain)
            here = {name for name, row in before.items() if lang in ("", row["lang"]) and domain in ("", row["domain"])}
            assert (found["drops"]["count"], found["spares"]["count"]) == (len(went & here), len(came & here)), (signal, side, value, lang)
            assert set(found["drops"]["ids"]) <= went & here
            assert set(found["spares"]["ids"]) <= came & here
        drops.append(len(went))
        spares.append(len(came))
    assert min(drops[0], drops[2], spares[0], spares[3]) > 0  # else nothing above could be wrong
    assert spares[0] < sum(row["reasons"] == ["num_words"] for row in before.values())


def test_a_bound_beyond_the_other_side_is_refused_as_select_refuses_it(finished: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="got 70, more than max, 60; no document could pass"):
        Documents(finished).threshold("num_words", "min", 70, "", "")
    with pytest.raises(ConfigError, match="got 70, more than max, 60; no document could pass"):
        select(finished, str(tmp_path / "again"), ["stages.heuristics.overrides.num_words.min=70"], quiet=True)


def test_a_signal_is_first_looked_at_from_the_side_that_its_rules_bound(finished: str) -> None:
    documents = Documents(finished)
    names = ("num_words", "digit_share", "mean_word_length", "longest_word")
    assert [documents.histogram(name)["side"] for name in names] == ["min", "max", "min", "min"]

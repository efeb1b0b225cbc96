"""Language identification, by hand and on the Declaration of Human Rights in 388 language files."""

from pathlib import Path

import pyarrow as pa
import pytest

from stages.language import identify
from stages.text.buffers import text_buffer
from stages.text.code import code_shares
from stages.text.profile import profile

SHARED = Path(__file__).parents[2] / "../shared/data"


def languages(*texts: str) -> list[str]:
    text = text_buffer(pa.array(texts, pa.large_string()))
    counts = profile(text)
    return list(identify(counts, text.lengths(), code_shares(text, counts).code).to_pylist())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "none"),
        ("2020-01-01 100% 😀", "none"),
        ("这是一个简单的句子。", "zh-hans"),
        ("這是一個簡單的句子。", "zh-hant"),
        ("山高水清", "zh-hans"),
        ("これは簡単な文です。", "other"),
        ("한국어 문장입니다.", "other"),
        ("The history of the city is that of its river and the people who lived with it.", "en"),
        ("Short title", "en"),
        ("Der Fluss teilt die alte Stadt und alle neuen Viertel in zwei ungleiche Hälften.", "other"),
        ("Это предложение на русском языке.", "other"),
        ("这个函数 returns the number of tokens in the text 并且很快，并不复杂", "mixed"),
        ("用 GPU 训练这个模型需要很多时间，所以我们先在小模型上试验。", "zh-hans"),
    ],
)
def test_language_of_a_text(text: str, expected: str) -> None:
    assert languages(text) == [expected]


@pytest.mark.parametrize(("latin", "expected"), [("a" * 10, "zh-hans"), ("a" * 11, "mixed")])
def test_a_script_needs_three_quarters_of_the_bytes(latin: str, expected: str) -> None:
    assert languages("山" * 10 + " " + latin) == [expected]


@pytest.mark.parametrize(("words", "expected"), [(3, "en"), (4, "other")])
def test_few_ascii_words_are_taken_for_english(words: int, expected: str) -> None:
    assert languages("lorem " * words) == [expected]


def test_programs_are_code_and_not_another_language() -> None:
    program = "for (int i = 0; i < n; i++) {\n  total += cost(i);\n}\n"
    assert languages(program, program + "The words of this line are many enough, and that is the end of it." * 2) == ["code", "en"]
    assert languages(program.replace("total", "总数").replace("cost", "费用的计算") * 2) == ["mixed"]


@pytest.mark.skipif(not SHARED.exists(), reason="needs the data folder beside the checkout")
def test_declaration_of_human_rights() -> None:
    files = sorted((SHARED / "langid-udhr2").glob("*.txt"))
    found = dict(zip([file.stem for file in files], languages(*(file.read_text(encoding="utf-8") for file in files)), strict=True))
    assert (found["eng"], found["cmn_hans"], found["cmn_hant"], found["jpn"]) == ("en", "zh-hans", "zh-hant", "other")
    # Scots and Nigerian Pidgin are taken for English; file nku is empty
    assert {name for name, lang in found.items() if lang != "other"} == {"eng", "sco", "pcm", "cmn_hans", "cmn_hant", "nku"}

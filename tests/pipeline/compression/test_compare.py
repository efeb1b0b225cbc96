"""`corpus tokenizer compare` and `inspect` through the command line."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest

from configs.errors import ConfigError
from configs.loader import CONFIGS, load, read_yaml
from pipeline.compression.config import CompareConfig, SweepConfig, candidate
from pipeline.compression.published import order
from tests.pipeline.conftest import run_command
from tests.tokenizer.conftest import written_model
from tokenizer.model_file import NORMAL

SAMPLE = Path(__file__).parents[3] / "data" / "sample"
TEXTS = [
    {"id": "zh1", "text": "中中中", "lang": "zh"},
    {"id": "zh2", "text": "中a中", "lang": "zh"},
    {"id": "en1", "text": "ab ab", "lang": "en"},
    {"id": "en2", "text": "a <script>alert(1)</script>", "lang": "en"},
]


def corpus(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    return run_command(monkeypatch, "tokenizer", *arguments)


def written(folder: Path, name: str, pieces: list[str], rows: list[dict[str, str]]) -> tuple[str, str]:
    """A tokenizer, and a file of texts of that domain."""
    model, file = folder / f"{name}.model", folder / f"{name}.jsonl"
    model.write_bytes(written_model([(piece, -float(score), NORMAL) for score, piece in enumerate(["▁", *pieces])]))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(model), str(file)


def compared(monkeypatch: pytest.MonkeyPatch, output: Path, *arguments: str) -> dict[str, Any]:
    assert corpus(monkeypatch, "compare", "--output", str(output), *arguments) == 0
    found: dict[str, Any] = orjson.loads((output / "compression.json").read_bytes())
    return found


class Balanced(HTMLParser):
    """Fails on tags that are closed in another order than they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def checked_page(file: Path) -> Balanced:
    page = Balanced()
    page.feed(file.read_text(encoding="utf-8"))
    assert page.open == []
    assert page.addresses == []
    assert not page.seen & {"script", "link", "img", "b"}
    return page


def test_two_tokenizers_on_the_same_texts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, file = written(tmp_path, "one", ["a", "b", "中", "ab", "中中"], TEXTS)
    two, _ = written(tmp_path, "two", ["a"], TEXTS)
    found = compared(monkeypatch, tmp_path / "out", "--texts", file, "--tokenizer", one, "--tokenizer", f"the <b>second</b>={two}")
    assert list(found["tokenizers"]) == ["one", "the <b>second</b>"]
    zh, en = (next(row for row in found["groups"] if row["lang"] == lang and row["domain"] is None) for lang in ("zh", "en"))
    assert (zh["documents"], zh["characters"], zh["bytes"], zh["words"]) == (2, 6, 16, 0)
    first, second = (zh["tokenizers"][name] for name in found["tokenizers"])
    assert first["tokens"] == 2 + 3  # 中中|中 and 中|a|中
    assert second["tokens"] == 9 + 7  # three bytes for each 中
    assert (first["tokens_per_char"], first["context_chars"], first["of_first"]) == (5 / 6, round(4096 * 6 / 5), 1)
    assert (second["byte_share"], second["of_first"]) == (15 / 16, 16 / 5)
    low, high = first["interval"]
    assert low == 2 / 3 <= 5 / 6 <= high == 1.0
    assert (en["words"], en["tokenizers"]["one"]["tokens_per_word"]) == (4, (3 + 27) / 4)
    assert found["tokenizers"]["one"]["embedding_parameters"] == 2 * 4096 * (257 + 6)
    assert found["tokenizers"]["one"]["megabytes_per_second"] is None  # too little text for a clock
    assert [row["domain"] for row in found["groups"]] == [None, None, None, "one"]
    shown = capsys.readouterr().out
    assert "the <b>second</b>" in shown
    assert f"page     {tmp_path}/out/compression.html" in shown
    page = checked_page(tmp_path / "out" / "compression.html")
    assert "the <b>second</b>" in page.text

    again = compared(monkeypatch, tmp_path / "again", "--texts", file, "--tokenizer", one, "--tokenizer", f"the <b>second</b>={two}")
    assert again["groups"] == found["groups"]  # the seed decides the intervals
    other = compared(
        monkeypatch, tmp_path / "other", "--texts", file, "--tokenizer", one, "--tokenizer", f"the <b>second</b>={two}", "--set", "seed=3"
    )
    assert [row["characters"] for row in other["groups"]] == [row["characters"] for row in found["groups"]]


def test_a_full_folder_is_kept_and_a_report_replaced_if_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, file = written(tmp_path, "one", ["a"], TEXTS)
    arguments = ("compare", "--texts", file, "--tokenizer", one, "--output", str(tmp_path / "out"))
    assert corpus(monkeypatch, *arguments, "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert corpus(monkeypatch, *arguments) == 2
    assert "is not empty; choose another output, or give --overwrite" in capsys.readouterr().err
    (tmp_path / "out" / "tokenizers").mkdir()
    assert corpus(monkeypatch, *arguments, "--overwrite") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"compression.json", "compression.html"}  # nothing of before is left
    (tmp_path / "out" / "mine.txt").write_text("keep")
    assert corpus(monkeypatch, *arguments, "--overwrite") == 2


def test_languages_are_found_where_none_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = [{"id": "1", "text": "我们在这里说中文。"}, {"id": "2", "text": "This is the text of the house."}]
    one, file = written(tmp_path, "one", ["a"], rows)
    found = compared(monkeypatch, tmp_path / "out", "--texts", file, "--tokenizer", one)
    assert [row["lang"] for row in found["groups"] if row["domain"] is None] == [None, "en", "zh"]


def test_a_tokenizer_that_has_learnt_from_the_texts_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [str(SAMPLE / name) for name in ("zh_encyclopedia.jsonl", "zh_news.jsonl.gz", "en_encyclopedia.jsonl", "en_news.jsonl.gz")]
    inputs = [part for text in texts for part in ("--input", text)]
    measured = [part for text in texts for part in ("--texts", text)]
    for name, share in (("all", "0"), ("part", "0.3")):
        settings = ("--preset", "small_2k", "--vocab-size", "1500", "--set", f"held_out={share}", "--quiet")
        assert corpus(monkeypatch, "train", *inputs, "--output", str(tmp_path / name), *settings) == 0
    tokenizers = ("--tokenizer", str(tmp_path / "all"), "--tokenizer", str(tmp_path / "part" / "tokenizer.model"))
    found = compared(monkeypatch, tmp_path / "out", *measured, *tokenizers, "--held-out", "0.3")
    whole, held = (found["tokenizers"][name]["learnt"] for name in ("all", "part"))
    assert whole["learnt"] == whole["checked"] == found["texts"]["documents"] > 10
    assert (held["learnt"], held["checked"]) == (0, whole["checked"])
    (warning,) = found["warnings"]
    assert warning.startswith(f"all has learnt from texts that it is measured on, or from copies of them: {whole['learnt']} of")
    assert "warning: all has learnt" in capsys.readouterr().err.replace("\n", " ")


def test_a_text_that_one_tokenizer_refuses_counts_for_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": "good", "text": "a a"}, {"id": "<bad>", "text": "a b"}]
    one, file = written(tmp_path, "one", ["a"], rows)
    model = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "?"}
    content = {"version": "1.0", "model": model, "pre_tokenizer": {"type": "Whitespace"}}
    empty = {"truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "post_processor": None, "decoder": None}
    (tmp_path / "words.json").write_text(json.dumps(content | empty))
    found = compared(monkeypatch, tmp_path / "out", "--texts", file, "--tokenizer", one, "--tokenizer", str(tmp_path / "words.json"))
    assert (found["texts"]["documents_read"], found["texts"]["documents"]) == (2, 1)
    assert {name: known["refused"] for name, known in found["tokenizers"].items()} == {"one": 0, "words": 1}
    (named,) = found["tokenizers"]["words"]["named"]
    assert (named["row"], named["id"]) == (1, "<bad>")
    assert found["groups"][0]["characters"] == 3
    assert "1 documents are in no figure" in capsys.readouterr().err
    assert "<bad>" in checked_page(tmp_path / "out" / "compression.html").text


def test_presets_are_learnt_from_the_other_texts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "compare.yaml"
    config.write_text(
        f"texts: ['{SAMPLE}/*_encyclopedia.jsonl', '{SAMPLE}/web_en.jsonl']\noutput: {tmp_path}/out\nheld_out: 0.2\n"
        "tokenizers: [{name: large, preset: small_8k, vocab_size: 3000}, {name: small, preset: small_2k, vocab_size: 1600}]\n"
    )
    for _ in range(2):
        assert corpus(monkeypatch, "compare", str(config), "--overwrite") == 0
        found = orjson.loads((tmp_path / "out" / "compression.json").read_bytes())
        assert {name: known["ids"] for name, known in found["tokenizers"].items()} == {"large": 3000, "small": 1600}
        facts = orjson.loads((tmp_path / "out" / "tokenizers" / "large" / "training.json").read_bytes())
        assert facts["texts"]["read"] + found["texts"]["documents"] == 2 * 26 + 131
        everything = found["groups"][0]["tokenizers"]
        assert everything["large"]["tokens"] < everything["small"]["tokens"]


def test_published_rates_stand_beside_and_their_order_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rich, file = written(tmp_path, "rich", ["中"], TEXTS)
    poor, _ = written(tmp_path, "poor", ["a"], TEXTS)
    config = tmp_path / "compare.yaml"
    for first, second, reproduced in (("Baichuan-7B", "LLaMA", True), ("LLaMA", "Baichuan-7B", False)):
        config.write_text(
            f"texts: [{file}]\noutput: {tmp_path}/{first}\ntokenizers:\n"
            f"  - {{name: r, path: {rich}, published: {first}}}\n  - {{name: p, path: {poor}, published: {second}}}\n"
        )
        assert corpus(monkeypatch, "compare", str(config)) == 0
        found = orjson.loads((tmp_path / first / "compression.json").read_bytes())
        assert [(row["lang"], row["domain"], row["measured"], row["reproduced"]) for row in found["order"]] == [
            ("zh", None, ["r", "p"], reproduced),
        ]
        assert found["tokenizers"]["r"]["published"]["name"] == first
        assert found["published"]["LLaMA"] == {"table": "Baichuan-7B", "rate": 1.312, "ids": 32_000}


def test_rates_of_two_published_tables_are_not_mixed() -> None:
    measured = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert order(measured, {"a": "Baichuan-7B", "b": "Baichuan 2"}) == []
    (found,) = order(measured, {"a": "LLaMA", "b": "Falcon", "c": "Bloom", "d": "mpt-7B"})
    assert found == {"table": "Baichuan-7B", "published": ["b", "a"], "measured": ["a", "b"], "reproduced": False}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("tokenizers: []", "tokenizers: got none"),
        ("tokenizers: [{name: a, path: x}, {name: a, path: y}]", "two are called 'a'; name them apart, as in --tokenizer NAME=PATH"),
        ("tokenizers: [{name: a}]", "'a' has neither, wanted a path or a preset"),
        ("tokenizers: [{name: a, path: x, preset: small_2k}]", "'a' has both"),
        ("tokenizers: [{name: a, preset: small_2k}]", "held_out: got 1, so that no text is left for a preset to learn from"),
        ("tokenizers: [{name: a, path: x, published: GPT}]", "published: got 'GPT', wanted one of Baichuan-7B, LLaMA"),
        ("tokenizers: [{name: a, path: x, vocab_size: 3}]", "'a' is a file, which has its size"),
        ("tokenizers: [{name: ../a, preset: small_2k}]", "name: got '../a', wanted a word; of a preset without /"),
        ("tokenizers: [{name: a, path: x}]\nheld_out: 1.5", "held_out: got 1.5, wanted between 0 and 1"),
    ],
)
def test_comparisons_that_cannot_be_are_refused(settings: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"texts: [x]\noutput: y\n{settings}\n")
    with pytest.raises(ConfigError) as refused:
        load(CompareConfig, read_yaml(tmp_path / "a.yaml"))
    assert message in str(refused.value)


def test_no_document_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, file = written(tmp_path, "one", ["a"], TEXTS)
    assert corpus(monkeypatch, "compare", "--texts", file, "--tokenizer", one, "--output", str(tmp_path / "o"), "--held-out", "0.0001") == 2
    assert "there is no document to measure; check `texts`, and `held_out`: a larger share" in capsys.readouterr().err
    assert corpus(monkeypatch, "compare", "--texts", file) == 2
    assert "wanted a YAML file, or --texts, --tokenizer and --output" in capsys.readouterr().err


def test_tokenizers_name_themselves(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "a=b.model").touch()
    names = {"made": "made", "made/tokenizer.model": "made", "x/llama2.spm.model": "llama2", "mine=x.model": "mine", "a=b.model": "a=b"}
    for text, name in names.items():
        path = str(tmp_path / text) if "=" not in text or text.startswith("a=") else text
        assert candidate(path)["name"] == name, text
    with pytest.raises(ConfigError, match=r"--tokenizer =x: wanted PATH or NAME=PATH"):
        candidate("=x")


@pytest.mark.parametrize("file", sorted((CONFIGS / "compression").glob("*.yaml")), ids=lambda file: file.name)
def test_shipped_comparisons_load(file: Path) -> None:
    assert load(CompareConfig, read_yaml(file)).output.startswith("out/")


@pytest.mark.parametrize("file", sorted((CONFIGS / "vocabulary_sweep").glob("*.yaml")), ids=lambda file: file.name)
def test_shipped_sweeps_load(file: Path) -> None:
    assert load(SweepConfig, read_yaml(file)).output.startswith("out/")


def test_inspect_shows_pieces_with_their_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, file = written(tmp_path, "one", ["a", "b", "ab", "<br", "▁www.", "xxxxx"], TEXTS)
    places = ("--json", str(tmp_path / "pieces.json"), "--page", str(tmp_path / "pieces.html"))
    assert corpus(monkeypatch, "inspect", one, "--texts", file, "--top", "2", *places) == 0
    found = orjson.loads((tmp_path / "pieces.json").read_bytes())
    assert [piece["text"] for piece in found["longest"]] == [" www.", "xxxxx"]
    assert {sign: of_sign["pieces"] for sign, of_sign in found["signs"].items() if of_sign["pieces"]} == {
        "url": 1,
        "html": 1,
        "repeated": 1,
    }
    assert found["kinds"] == {"text": 7, "unknown": 1, "byte": 256}
    assert found["never_used"] == 4  # b, <br, www and xxxxx
    shown = capsys.readouterr().out
    assert "␣www." in shown
    assert f"page     {tmp_path}/pieces.html" in shown
    assert "<br" in checked_page(tmp_path / "pieces.html").text
    assert corpus(monkeypatch, "inspect", one) == 0
    assert "never used" not in capsys.readouterr().out

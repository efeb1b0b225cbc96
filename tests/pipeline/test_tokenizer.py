"""`corpus tokenizer train` through the command line, and the texts that it reads."""

from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipeline.texts import texts
from tests.pipeline.conftest import run_command
from tokenizer.codec import Tokenizer

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
FILES = ["--input", str(SAMPLE / "*_encyclopedia.jsonl"), "--input", str(SAMPLE / "web_*.jsonl*")]


def corpus(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    return run_command(monkeypatch, "tokenizer", "train", *arguments)


def test_files_and_a_preset_give_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "made"
    arguments = [*FILES, "--preset", "small_2k", "--vocab-size", "2500", "--output", str(output)]
    assert corpus(monkeypatch, *arguments) == 0
    assert "2,500 ids from" in capsys.readouterr().out
    names = {"README.md", "special_tokens_map.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "training.json"}
    assert {path.name for path in output.iterdir()} == names
    facts = orjson.loads((output / "training.json").read_bytes())
    assert {group["domain"] for group in facts["groups"]} == {"zh_encyclopedia", "en_encyclopedia", "web_zh", "web_en"}
    made = Tokenizer.load(output)
    assert made.decode(made.encode("the 中文 😀")) == "the 中文 😀"

    assert corpus(monkeypatch, *arguments) == 2
    assert "is not empty; choose another output" in capsys.readouterr().err
    assert corpus(monkeypatch, *arguments, "--overwrite", "--quiet") == 0
    assert orjson.loads((output / "training.json").read_bytes())["data_identity"] == facts["data_identity"]
    assert capsys.readouterr().out == ""


def test_a_yaml_file_and_options_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "training.yaml"
    config.write_text(
        f"input: ['{SAMPLE}/*_encyclopedia.jsonl', '{SAMPLE}/web_en.jsonl']\noutput: nowhere\npreset: small_2k\nvocab_size: 5000\n"
    )
    output = tmp_path / "made"
    assert corpus(monkeypatch, str(config), "--output", str(output), "--vocab-size", "1600", "--set", "domains.en_encyclopedia=0") == 0
    facts = orjson.loads((output / "training.json").read_bytes())
    assert facts["recipe"]["vocab_size"] == 1600
    assert {group["domain"]: group["taken"] > 0 for group in facts["groups"]} == {
        "zh_encyclopedia": True,
        "en_encyclopedia": False,
        "web_en": True,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "wanted a YAML file, or --input and --output"),
        (("--input", "nothing.jsonl", "--output", "x"), "nothing.jsonl"),
        ((*FILES, "--output", "x", "--preset", "baichuan"), "no tokenizer preset 'baichuan'; there are baichuan1"),
        ((*FILES, "--output", "x", "--set", "vocabsize=3"), "unknown key 'vocabsize'; did you mean 'vocab_size'?"),
        ((*FILES, "--output", "x"), "Give more text, or set vocab_size to at most"),
    ],
)
def test_what_the_user_can_mend_is_one_message(
    arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert corpus(monkeypatch, *arguments, "--quiet") == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_a_corpus_is_read_with_its_weights(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    table = pa.table({"id": ["a", "b"], "text": ["x", "y"], "lang": ["en", "zh"], "sampling_weight": [1.0, 0.5], "num_chars": [1, 1]})
    pq.write_table(table, tmp_path / "corpus" / "part-000000.parquet")
    with pytest.raises(InputError, match=r"not finished, summary\.json is missing"):
        texts([str(tmp_path)])
    (tmp_path / "summary.json").write_text("{}")
    read = texts([str(tmp_path)])
    for _ in range(2):
        (batch,) = read()
        assert batch.schema.names == ["id", "text", "lang", "sampling_weight"]
        assert batch.schema.field("text").type == pa.large_string()


def test_records_without_an_id_get_their_place_and_bad_ones_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one", "lang": "en"}\nnot json\n{"id": "own", "text": "two"}\n')
    (batch,) = texts([str(tmp_path / "a.jsonl")])()
    assert batch["id"].to_pylist() == ["a.jsonl#1", "own"]
    assert batch["lang"].to_pylist() == ["en", None]
    (tmp_path / "b.jsonl").write_text('{"content": "one"}\n')
    with pytest.raises(InputError, match=r"b\.jsonl: no record of this file can be read, the first for: "):
        list(texts([str(tmp_path / "b.jsonl")])())

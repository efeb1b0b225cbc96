"""`corpus model`, through the command."""

import io
import json
from pathlib import Path

import pytest
import sentencepiece
import torch

from model import Baichuan, preset
from tests.pipeline.conftest import run_command
from tokenizer.codec import Tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh model with a tokenizer of its own, as training leaves it."""
    path = tmp_path_factory.mktemp("model")
    content = io.BytesIO()
    lines = [f"第{n}条 本法自公布之日起施行。 Article {n} of this law" for n in range(200)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=content, model_type="bpe", vocab_size=400, byte_fallback=True, minloglevel=2,
        normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=False,
    )  # fmt: skip
    torch.manual_seed(0)
    Baichuan(preset("nano", vocab_size=448)).save_pretrained(path)
    (path / "tokenizer.model").write_bytes(content.getvalue())
    return path


def test_generate_prints_each_prompt_with_what_follows(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(monkeypatch, "model", "generate", str(folder), "第一条 [b]", "Article", "--max-new-tokens", "5") == 0
    printed = capsys.readouterr().out
    codec, model = Tokenizer.load(folder), Baichuan.from_pretrained(folder)
    expected = ""
    for prompt in ("第一条 [b]", "Article"):
        ids = codec.encode(prompt)
        for _ in range(5):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        expected += prompt + codec.decode([i for i in ids[len(codec.encode(prompt)) :] if i < len(codec)]) + "\n"
    assert printed == expected


def test_generate_refuses_another_tokenizer(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    smaller = folder.parent / "smaller"
    Baichuan(preset("nano", vocab_size=399)).save_pretrained(smaller)
    assert run_command(monkeypatch, "model", "generate", str(smaller), "x", "--tokenizer", str(folder / "tokenizer.model")) == 2
    assert "this tokenizer has 400 pieces and the model a vocabulary of 399" in capsys.readouterr().err
    assert run_command(monkeypatch, "model", "generate", str(folder), "x", "--dtype", "half") == 2
    assert "--dtype half: wanted one of stored, float32, bfloat16" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["llama", "baichuan1"])
def test_convert_writes_a_new_folder(
    target: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new"
    assert run_command(monkeypatch, "model", "convert", str(folder), "--output", str(output), "--to", target) == 0
    assert capsys.readouterr().out == f"{output}: config.json, model.safetensors, tokenizer.model\n"
    assert json.loads((output / "config.json").read_text())["model_type"] == ("llama" if target == "llama" else "baichuan")
    assert run_command(monkeypatch, "model", "convert", str(folder), "--output", str(output), "--to", target) == 2
    assert "is not empty; choose another output" in capsys.readouterr().err
    assert run_command(monkeypatch, "model", "convert", str(folder), "--output", str(tmp_path / "x"), "--to", "gguf") == 2
    assert "--to gguf: wanted one of llama, baichuan1" in capsys.readouterr().err

"""`corpus model`: convert a checkpoint for other programs, and write text with one."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from configs.errors import ConfigError, InputError, RunError
from model import Baichuan
from model.checkpoint import save
from model.config import MOST_PADDING
from model.convert import TARGETS, converted
from model.generate import Sampling, generate
from tokenizer.codec import MODEL_NAME, Tokenizer

DTYPES = {"stored": None, "float32": torch.float32, "bfloat16": torch.bfloat16}


def convert(folder: str, output: str, target: str) -> list[str]:
    """Write a model for other programs into a new folder, its `tokenizer.model` too; the files written. Raises `CorpusError`."""
    if target not in TARGETS:
        raise ConfigError(f"--to {target}: wanted one of {', '.join(TARGETS)}")
    new = Path(output)
    if new.exists() and any(new.iterdir()):
        raise RunError(f"{output}: is not empty; choose another output")
    save(*converted(Baichuan.from_pretrained(folder), target), new)  # type: ignore[arg-type]
    if (Path(folder) / MODEL_NAME).exists():
        shutil.copyfile(Path(folder) / MODEL_NAME, new / MODEL_NAME)
    return sorted(file.name for file in new.iterdir())


def continuations(
    folder: str, prompts: Sequence[str], sampling: Sampling, tokenizer: str | None, begin: bool, dtype: str, device: str | None
) -> list[str]:
    """What a model writes after each prompt. `begin`: put the begin id first. Raises `CorpusError`."""
    if dtype not in DTYPES:
        raise ConfigError(f"--dtype {dtype}: wanted one of {', '.join(DTYPES)}")
    codec = Tokenizer.load(tokenizer or folder)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = Baichuan.from_pretrained(folder, DTYPES[dtype], device)
    config = model.config
    check_vocabulary(tokenizer or folder, len(codec), config.vocab_size)
    ids = [[config.bos_token_id] * begin + codec.encode(prompt) for prompt in prompts]
    return [codec.decode([i for i in new if i < len(codec)]) for new in generate(model, ids, sampling)]


def check_vocabulary(tokenizer: str, num_pieces: int, vocab_size: int) -> None:
    """Raises `InputError` for a tokenizer that cannot be the model's."""
    if not num_pieces <= vocab_size <= num_pieces + MOST_PADDING:
        raise InputError(
            f"{tokenizer}: this tokenizer has {num_pieces:,} pieces and the model a vocabulary of {vocab_size:,}; "
            "name the tokenizer that the model was trained with: --tokenizer FILE"
        )

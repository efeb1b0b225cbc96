"""`corpus tokenizer`: reads texts, trains, and writes a folder with the model, its card and what Hugging Face's libraries load."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from configs.errors import RunError
from configs.loader import load_with_options
from pipeline import storage
from pipeline.texts import texts
from tokenizer.card import card
from tokenizer.codec import MODEL_NAME, Tokenizer
from tokenizer.huggingface import files
from tokenizer.recipe import TrainConfig
from tokenizer.train import train


def train_tokenizer(config: TrainConfig, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Train as configured and write `config.output`; what `training.json` holds. Raises `CorpusError`."""
    known = "training.json"
    if storage.list_names(config.output) and not (overwrite and storage.exists(storage.join(config.output, known))):
        raise RunError(f"{config.output}: is not empty; choose another output" + (", or give --overwrite" if not overwrite else ""))
    started = time.perf_counter()
    trained = train(config, texts(config.input), _Phases(quiet))
    facts = trained.facts | {"seconds": round(time.perf_counter() - started, 1)}
    made = Tokenizer(trained.model, MODEL_NAME)
    storage.make_folder(config.output)
    outputs = files(made) | {MODEL_NAME: trained.model, "README.md": card(facts).encode()}
    for name, content in outputs.items():
        storage.write_bytes(storage.join(config.output, name), content)
    storage.write_bytes(storage.join(config.output, known), orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    return facts


def load_or_make(path: Path | None, named: Mapping[str, Any], overrides: tuple[str, ...]) -> TrainConfig:
    """A training from a YAML file, from options of the command line, or from a file with options instead of its settings."""
    return load_with_options(TrainConfig, path, named, ("input", "output"), overrides)


class _Phases:
    """Says what runs: one line that is written over on a terminal, a line for each phase elsewhere, or nothing."""

    def __init__(self, quiet: bool) -> None:
        self._console = Console(stderr=True)
        self._live = self._console.is_terminal and not quiet
        self._lines = not quiet
        self._phase = ""

    def __call__(self, phase: str, done: int, total: int) -> None:
        """As `tokenizer.train.Say`."""
        if self._live:
            share = f"{done / total:4.0%}" if total else f"{done:,}"
            self._console.print(f"{phase}: {share}", end="\r", highlight=False)
        elif self._lines and phase != self._phase:
            print(f"{phase} ...", file=sys.stderr)
        self._phase = phase

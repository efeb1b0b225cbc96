"""`corpus tokenizer`: reads texts, trains, and writes a folder with the model, its card and what Hugging Face's libraries load."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from rich.console import Console

from configs.errors import RunError
from configs.loader import load_with_options
from pipeline import storage
from pipeline.texts import texts
from tokenizer.card import card
from tokenizer.codec import MODEL_NAME, Tokenizer
from tokenizer.heldout import Sketch, part
from tokenizer.huggingface import files
from tokenizer.recipe import TrainConfig
from tokenizer.sampling import Sampling
from tokenizer.train import train

TRAINING_NAME = "training.json"
"""What is known of a training, beside its model."""


def train_tokenizer(config: TrainConfig, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Train as configured and write `config.output`; what `training.json` holds. Raises `CorpusError`."""
    if storage.list_names(config.output) and not (overwrite and storage.exists(storage.join(config.output, TRAINING_NAME))):
        raise RunError(f"{config.output}: is not empty; choose another output" + (", or give --overwrite" if not overwrite else ""))
    started = time.perf_counter()
    read, sketch = texts(config.input), Sketch()
    trained = train(config, lambda: _learnable(config, read(), sketch), Phases(quiet))
    facts = trained.facts | {"learnt": sketch.as_json(), "seconds": round(time.perf_counter() - started, 1)}
    write_tokenizer(config.output, trained.model, facts)
    return facts


def write_tokenizer(folder: str, model: bytes, facts: Mapping[str, Any]) -> None:
    """Write a model, what Hugging Face's libraries load, its card and `training.json`."""
    storage.make_folder(folder)
    outputs = files(Tokenizer(model, MODEL_NAME)) | {MODEL_NAME: model, "README.md": card(facts).encode()}
    for name, content in outputs.items():
        storage.write_bytes(storage.join(folder, name), content)
    storage.write_bytes(storage.join(folder, TRAINING_NAME), orjson.dumps(facts, option=orjson.OPT_INDENT_2))


def _learnable(config: TrainConfig, batches: Iterable[pa.RecordBatch], sketch: Sketch) -> Iterator[pa.RecordBatch]:
    """The texts that are not held out; those that weights do not leave out altogether are noted, once."""
    is_first = sketch.num_texts == 0
    sampling = Sampling(config.seed, config.languages, config.domains)
    for batch in part(batches, config.held_out, config.held_out_seed, held_out=False):
        if is_first:
            sketch.add(batch["text"].filter(pa.array(sampling.copies(batch) > 0)))
        yield batch


def load_or_make(path: Path | None, named: Mapping[str, Any], overrides: tuple[str, ...]) -> TrainConfig:
    """A training from a YAML file, from options of the command line, or from a file with options instead of its settings."""
    return load_with_options(TrainConfig, path, named, ("input", "output"), overrides)


class Phases:
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

"""One training of one corpus: the model learns the slice of its seed, and pays for every held-out document in nats."""

import io
import math
import shutil
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from configs.errors import InputError, RunError
from model.baichuan import Baichuan
from model.evaluate import bits_per_byte
from model.shards import TokenShards
from model.train import TrainConfig, train
from model.training.settings import CheckpointSettings
from pipeline import storage
from pipeline.config import Engine
from pipeline.packing.pack_config import PackConfig
from pipeline.packing.packer import pack
from pipeline.variants.config import TrainingSettings
from pipeline.variants.mixed_windows import MixedWindows
from pipeline.variants.slices import read_parquet
from pipeline.variants.statistics import Floats
from tokenizer.encoder import load_encoder

EVALUATION_BATCH = 16
STRIDE_SHARE = 0.75
"""Of a window: each token is scored behind at least a quarter of it, at 1.33 times the cost of no overlap; half would cost twice."""


@dataclass(frozen=True)
class PackWork:
    """A slice that becomes tokens, enough for the budget."""

    slice: str
    tokenizer: str
    seed: int
    tokens: int
    max_epochs: float
    output: str


def pack_slice(work: PackWork) -> dict[str, Any]:
    """Pack a slice, repeated where it is shorter than the budget.

    `tokens` of the pack, `one_pass` those of the slice read once with its weights, `epochs` how often the budget reads it, and
    `unique_tokens` that the budget reads at least once. `enough` is false if `max_epochs` do not give the budget.
    """
    epochs = min(1.0, work.max_epochs)
    header = _pack(work, epochs)
    one_pass = round(int(header["num_tokens"]) / epochs)
    while header["num_tokens"] < work.tokens and epochs < work.max_epochs:  # documents of great weight come no more often than max_epochs
        epochs = min(work.max_epochs, float(math.ceil(epochs * work.tokens / int(header["num_tokens"]))))
        header = _pack(work, epochs)
    read = work.tokens / header["num_tokens"]
    return {
        "tokens": int(header["num_tokens"]),
        "one_pass": one_pass,
        "epochs": work.tokens / one_pass,
        "unique_tokens": round(min(1.0, read) * int(header["unique_tokens"])),
        "enough": header["num_tokens"] >= work.tokens,
    }


def _pack(work: PackWork, epochs: float) -> dict[str, Any]:
    engine = Engine(executor="inprocess")
    return pack(
        PackConfig(
            input=(work.slice,),
            tokenizer=work.tokenizer,
            output=work.output,
            seed=work.seed,
            epochs=epochs,
            max_epochs=work.max_epochs,
            engine=engine,
        ),
        overwrite=True,
        quiet=True,
    )


@dataclass(frozen=True)
class TrainWork:
    """A pack, a seed and a learning rate."""

    pack: str
    documents: str
    """The held-out documents."""
    settings: TrainingSettings
    seed: int
    learning_rate: float
    shuffled: bool
    """The control: tokens in other places."""
    mixed: bool
    """Whether windows are read in an order of their own, see `mixed_windows`."""
    folder: str
    """Of the training; `nats.npy` is left in it."""


def train_one(work: TrainWork) -> dict[str, Any]:
    """Train and evaluate; the final loss and the speed. `nats.npy` has an entry for each measured document, in their order."""
    settings = work.settings
    optimizer = replace(settings.step.optimizer, learning_rate=work.learning_rate)
    num_windows = settings.tokens // (settings.batch * settings.length) * settings.batch
    mixed = MixedWindows(TokenShards.open(work.pack), settings.length, num_windows, work.seed) if work.mixed else None
    result = train(
        TrainConfig(
            data=work.pack,
            output=work.folder,
            seed=work.seed,
            model=settings.model,
            length=settings.length,
            batch=settings.batch,
            tokens=settings.tokens,
            shuffle_tokens=work.shuffled,
            step=replace(settings.step, optimizer=optimizer),
            schedule=settings.schedule,
            checkpoints=CheckpointSettings(keep=1),
            device="cuda" if settings.gpus else "cpu",
            threads=0 if settings.gpus else 1,
        ),
        mixed,
        quiet=True,
        overwrite=True,
    )
    nats = measure(work)
    buffer = io.BytesIO()
    np.save(buffer, nats)
    for name in ("checkpoints", "model"):
        shutil.rmtree(f"{work.folder}/{name}", ignore_errors=True)
    storage.write_bytes(storage.join(work.folder, "nats.npy"), buffer.getvalue())
    return {"loss": result.loss, "tokens": result.tokens, "faults": result.faults, "tokens_per_second": result.tokens_per_second}


def measure(work: TrainWork) -> Floats:
    """What the trained model pays for each measured document, in nats, (D,)."""
    held = read_parquet(work.documents)
    held = held.filter(held["measured_text"].is_valid())
    model = Baichuan.from_pretrained(f"{work.folder}/model")
    if work.settings.gpus:
        model.to("cuda")
    model.eval()
    texts = zip(held["id"].to_pylist(), held["cell"].to_pylist(), held["measured_text"].to_pylist(), strict=True)
    encode = load_encoder(work.settings.tokenizer).tokenizer.encode
    length = work.settings.length
    scores = bits_per_byte(model, encode, texts, length, EVALUATION_BATCH, max(1, round(STRIDE_SHARE * length)))
    return np.array([score.nats for score in scores])


def read_nats(work: TrainWork, corpus: str) -> Floats:
    """What `train_one` left. Raises `RunError` if the file is gone, or the model of a `corpus` of this name pays no finite number."""
    uri = storage.join(work.folder, "nats.npy")
    try:
        nats = np.asarray(np.load(io.BytesIO(storage.read_bytes(uri))), np.float64)
    except (ValueError, InputError):
        raise RunError(f"{uri}: is missing or damaged; delete {work.folder} and run again") from None
    if strange := int((~np.isfinite(nats)).sum()):
        raise RunError(
            f"'{corpus}', seed {work.seed}, learning rate {work.learning_rate:g}: the trained model pays no finite number of nats for "
            f"{strange:,} of {len(nats):,} held-out documents, so nothing can be said of its corpus; lower training.learning_rates "
            f"(the training is in {work.folder})"
        )
    return nats

"""What a training will do, with everything checked that can be known before it starts: data, tokenizer, budget, shape, machine."""

import dataclasses
import hashlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.bounds import SettingError
from configs.errors import ConfigError, InputError
from model.checkpoint import read_config
from model.config import MOST_PADDING, BaichuanConfig
from model.shards import TokenShards
from model.training.batches import Batches, TokenSource, shuffled
from model.training.distributed import World
from model.training.heldout import Heldout
from model.training.settings import TrainConfig
from model.training.trainer import check_machine

TOKENIZER = "tokenizer.model"


@dataclass(frozen=True)
class Plan:
    """A training that can start."""

    shape: BaichuanConfig
    num_steps: int
    batches: Batches
    heldout: Heldout | None
    tokenizer_file: Path | None
    """To be copied to the model."""
    identity: Mapping[str, Any]
    """All that decides what is learnt; a resumed training must have the same."""


def make_plan(config: TrainConfig, source: TokenSource | None, heldout: TokenSource | None, world: World) -> Plan:
    """Open the data and check all settings against it and this machine. Raises `CorpusError`."""
    check_machine(config.step, world)
    if config.batch % world.size:
        raise SettingError("batch", f"got {config.batch} sequences, which {world.size} processes cannot share evenly")
    if config.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise ConfigError("tensorboard: the package is not installed; pip install tensorboard, or take this setting out")
    wanted = _sha256(config.tokenizer) if config.tokenizer else None
    tokens = source or TokenShards.open(config.data, wanted)
    shape = _shape(config, tokens)
    num_steps = _num_steps(config, tokens)
    if config.schedule.warmup_steps >= num_steps and config.schedule.kind != "constant":
        raise ConfigError(f"schedule.warmup_steps: got {config.schedule.warmup_steps:,} of {num_steps:,} steps in all; warm up shorter")
    identity = {
        **{"data": _identity(tokens), "shape": shape.to_json(), "weights": config.model.weights, "num_steps": num_steps},
        **{name: getattr(config, name) for name in ("seed", "length", "batch", "segments", "shuffle_tokens")},
        **{"optimizer": dataclasses.asdict(config.step.optimizer), "schedule": dataclasses.asdict(config.schedule)},
        **{"faults": dataclasses.asdict(config.faults)},
    }
    measured = heldout or (TokenShards.open(config.heldout, getattr(tokens, "tokenizer_sha256", None)) if config.heldout else None)
    folder = getattr(tokens, "folder", None)
    if config.shuffle_tokens:
        tokens = shuffled(tokens, num_steps * config.batch * config.length, config.seed)
        measured = shuffled(measured, measured.num_tokens, config.seed) if measured else None
    return Plan(
        shape,
        num_steps,
        Batches(tokens, config.batch, config.length, config.segments, world),
        Heldout(measured, config.length, config.segments, config.heldout_tokens, config.step.micro_batch or 8) if measured else None,
        folder / TOKENIZER if folder is not None and (folder / TOKENIZER).exists() else None,
        identity,
    )


def _shape(config: TrainConfig, tokens: TokenSource) -> BaichuanConfig:
    if config.model.weights is None:
        shape = dataclasses.replace(config.model.shape(tokens.vocab_size, config.length), eos_token_id=tokens.eos_id)
        origin = "model.vocab_size"
    else:
        folder = Path(config.model.weights)
        shape, origin = read_config(folder), f"{folder}: vocab_size"
        if (folder / TOKENIZER).exists() and _sha256(folder) != getattr(tokens, "tokenizer_sha256", None):
            raise InputError(f"{config.data}: was packed with another tokenizer than {folder / TOKENIZER}; pack it with that one")
    if not tokens.vocab_size <= shape.vocab_size <= tokens.vocab_size + MOST_PADDING:
        raise ConfigError(
            f"{origin}: the model has {shape.vocab_size:,} rows, and {config.data} was packed with a tokenizer of {tokens.vocab_size:,} "
            f"ids; take the pack's own tokenizer's size, or up to {MOST_PADDING} more"
        )
    return shape


def _num_steps(config: TrainConfig, tokens: TokenSource) -> int:
    in_step = config.batch * config.length
    if config.tokens is None:
        if tokens.num_tokens < in_step:
            raise ConfigError(
                f"{config.data}: holds {tokens.num_tokens:,} tokens, less than one step of batch {config.batch} x length {config.length} = "
                f"{in_step:,}; lower batch or length, or pack more epochs: corpus pack --epochs"
            )
        return tokens.num_tokens // in_step
    num_steps = config.tokens // in_step
    if num_steps * in_step > tokens.num_tokens:
        epochs = -(-num_steps * in_step // tokens.num_tokens)
        raise SettingError(
            "tokens",
            f"the budget is {config.tokens:,} tokens and {config.data} holds {tokens.num_tokens:,}; lower it, or pack {epochs} times as "
            "many epochs: corpus pack --epochs",
        )
    return num_steps


def _identity(tokens: TokenSource) -> dict[str, Any]:
    """What the tokens are: digests of a pack's shards."""
    facts: dict[str, Any] = {"num_tokens": tokens.num_tokens, "vocab_size": tokens.vocab_size}
    if isinstance(tokens, TokenShards):
        content = json.dumps([tokens.header["tokenizer"], tokens.header["shards"]], sort_keys=True)
        facts["sha256"] = hashlib.sha256(content.encode()).hexdigest()
    return facts


def _sha256(path: str | Path) -> str:
    file = Path(path)
    file = file / TOKENIZER if file.is_dir() else file
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"tokenizer: {file}: cannot be read: {error.strerror}") from None

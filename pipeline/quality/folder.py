"""The folder of a model that is being made: `model.bin`, `README.md`, and `model.json`, which comes last."""

import os
import shutil
from pathlib import Path
from typing import Any

import orjson
from xxhash import xxh3_128_hexdigest

from configs.errors import RunError
from pipeline import storage
from pipeline.quality.card import write_card
from stages.quality.model import BIN, JSON, KIND


def output_folder(output: str) -> Path:
    """Raises `RunError` unless it is on this machine."""
    if not storage.is_local(output):
        raise RunError(f"output: got {output}; a model is written to a folder of this machine, and may be copied from there")
    return Path(os.path.abspath(storage.local_path(output)))


def what_is_there(output: Path) -> dict[str, Any]:
    """What a model in the folder says of itself; nothing if there is none."""
    try:
        found = orjson.loads((output / JSON).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def is_whole(output: Path, card: dict[str, Any]) -> bool:
    """Whether the folder's `model.bin` is the one that its `model.json` describes."""
    try:
        data = (output / BIN).read_bytes()
    except OSError:
        return False
    return card.get("model") == described(data)


def described(data: bytes) -> dict[str, Any]:
    """What `model.json` says of the bytes of `model.bin`."""
    return {"bytes": len(data), "xxh3": xxh3_128_hexdigest(data)}


def refuse_other_files(output: Path, card: dict[str, Any]) -> None:
    """Raise `RunError` if the folder holds anything but a model of the same name, languages and kind as the `card` of the new one."""
    there = what_is_there(output)
    if there.get("kind") != KIND:
        if output.is_dir() and any(output.iterdir()):
            raise RunError(f"{output}: holds files that are no quality model; choose a new folder, or replace them with --overwrite")
    elif _who(there) != _who(card):
        raise RunError(f"{output}: holds the model {_who(there)}, not {_who(card)}; choose a new folder, or replace it with --overwrite")


def _who(card: dict[str, Any]) -> str:
    return f"'{card.get('name')}' for {card.get('safety') or 'quality'} in {', '.join(card.get('languages', ()))}"


def write_model(output: Path, model: Path, card: dict[str, Any]) -> None:
    """Write the three files; a model without `model.json` is none."""
    output.mkdir(parents=True, exist_ok=True)
    (output / JSON).unlink(missing_ok=True)
    partial = output / f"{BIN}.tmp"
    shutil.copyfile(model, partial)
    partial.replace(output / BIN)
    write_card(output / "README.md", card)
    partial = output / f"{JSON}.tmp"
    partial.write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2))
    partial.replace(output / JSON)

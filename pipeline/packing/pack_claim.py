"""Whose folder it is: one pack's, of one input, tokenizer and version of the program; as `pipeline.claim` for runs of a corpus."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from configs.errors import RunError
from pipeline import storage
from pipeline.claim import first_difference
from pipeline.config import as_settings
from pipeline.manifest import identity
from pipeline.packing.pack_config import PackConfig
from pipeline.storage import FileInfo
from tokenizer.codec import MODEL_NAME
from tokenizer.megatron import HEADER

PREFIX = "train"
ENDINGS = (".bin", ".idx", ".documents.parquet")
"""Of the files of a shard."""

BEGUN = "begun.json"
"""Says whose the folder is until `pack.json` does."""

_DECIDES = (
    "tokenizer/*.py",
    "stages/text/*.py",
    "pipeline/packing/*.py",
    "pipeline/readers/*.py",
    "pipeline/texts.py",
    "pipeline/arrow_files.py",
)
_COMPUTES = ("fastwarc", "numba", "numpy", "orjson", "pyarrow", "resiliparse", "sentencepiece")


def record(config: PackConfig, tokenizer_sha256: str, files: Sequence[FileInfo]) -> dict[str, Any]:
    """What tells packs apart: settings, tokenizer, input and program."""
    settings = {key: value for key, value in as_settings(config).items() if key not in ("engine", "output")}
    ours = {
        "settings": identity({key: value for key, value in settings.items() if key not in ("input", "tokenizer")}),
        "input": identity([(file.relative, file.fingerprint) for file in files]),
        "tokenizer": tokenizer_sha256,
        "code": packing_code(),
    }
    return {"identity": ours, "settings": settings}


@cache
def packing_code() -> str:
    """Stands for what decides ids and their order: our sources that read, encode and order, and the libraries under them."""
    root = Path(__file__).parents[2]
    files = [file for pattern in _DECIDES for file in sorted(root.glob(pattern))]
    return identity([hashlib.sha256(file.read_bytes()).hexdigest() for file in files], [metadata.version(name) for name in _COMPUTES])


def claim(output: str, ours: Mapping[str, Any], overwrite: bool) -> dict[str, Any] | None:
    """Make the folder ours; the header if this very pack is finished.

    Refuses a folder that holds anything else, or the pack of another configuration, input or version unless told to overwrite.
    """
    names = storage.list_names(output) - {".lock"}
    if HEADER in names or BEGUN in names:
        theirs = _read(storage.join(output, HEADER if HEADER in names else BEGUN))
        if theirs.get("identity") == ours["identity"]:
            shards = {f"{shard['prefix']}{ending}" for shard in theirs.get("shards", ()) for ending in ENDINGS}
            if HEADER in names and shards <= names:
                return theirs
        elif not overwrite:
            what = _difference(theirs, ours)
            raise RunError(f"{output}: holds {what}; choose another output, or replace it with --overwrite")
        else:
            for name in filter(_is_ours, names):
                storage.remove(storage.join(output, name))
    elif names - {"work"} or (names and storage.list_names(storage.join(output, "work")) - {".lock"}):
        raise RunError(f"{output}: holds files that no pack of ours wrote ({', '.join(sorted(names)[:3])}); choose a new folder")
    storage.remove(storage.join(output, HEADER))
    storage.write_bytes(storage.join(output, BEGUN), orjson.dumps(ours))
    return None


def _is_ours(name: str) -> bool:
    return name in (HEADER, BEGUN, MODEL_NAME) or (name.startswith(f"{PREFIX}-") and name.endswith(ENDINGS))


def _read(uri: str) -> dict[str, Any]:
    try:
        found = orjson.loads(storage.read_bytes(uri))
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """In words, what the folder holds: the first thing in which two packs differ."""
    if not {"settings", "identity"} <= set(theirs):
        return "a pack whose header is damaged"
    place = first_difference(theirs["settings"], ours["settings"], "")
    what = {"tokenizer": "another tokenizer", "input": "other input files", "code": "another version of the program"}
    different = [text for key, text in what.items() if theirs["identity"].get(key) != ours["identity"][key]]
    return f"a pack of another configuration ({place})" if place else f"a pack of {' and '.join(different)}"

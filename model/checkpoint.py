"""Folders in Hugging Face's layout: `config.json` and weights under the official names, read strictly, written whole.

Read: `model.safetensors`, its shards with `model.safetensors.index.json`, or the older `pytorch_model.bin` in the same two forms, always
with `weights_only=True`, so that a file cannot run code. Every parameter must be there in its shape; what is missing, left over or
of another shape is named, all at a time. Baichuan-7B's files carry `rotary_emb.inv_freq`, which is computed here and passed over.

Written: safetensors, in shards of at most 5 GB. All shards are on disk before the first older file goes, and `config.json` comes last, so
that a folder with a configuration is complete.
"""

import json
import os
import pickle
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from configs.errors import InputError
from model.config import BaichuanConfig

CONFIG, SAFETENSORS, BIN = "config.json", "model.safetensors", "pytorch_model.bin"
SHARD_BYTES = 5_000_000_000
_NAMED_AT_MOST = 8
_VOCABULARY = ("model.embed_tokens.weight", "lm_head.weight")


def read_config(folder: Path) -> BaichuanConfig:
    """The configuration of a folder. Raises `InputError` if there is none, `ConfigError` if it is of another architecture."""
    return BaichuanConfig.from_json(_read_json(folder / CONFIG), str(folder / CONFIG))


def load_weights(model: nn.Module, folder: Path, dtype: torch.dtype | None, device: torch.device) -> None:
    """Give a model, which may be on the meta device, the tensors of a folder, in their own type or in `dtype`. Raises `InputError`."""
    wanted = {name: tuple(p.shape) for name, p in model.named_parameters()}
    found: dict[str, nn.Parameter] = {}
    extra, unfit = [], {}
    for name, tensor in _tensors(folder):
        if name.endswith("rotary_emb.inv_freq"):
            continue
        if name not in wanted:
            extra.append(name)
        elif problem := _problem(name, tensor, wanted[name]):
            unfit[name] = problem
        else:
            found[name] = nn.Parameter(tensor.to(device, dtype))
    missing = [name for name in wanted if name not in found and name not in unfit]
    problems = [f"missing: {_listed(missing)}"] if missing else []
    problems += [f"not of this model: {_listed(extra)}"] if extra else []
    problems += [_listed(list(unfit.values()))] if unfit else []
    if problems:
        raise InputError(f"{folder}: these weights do not fit {CONFIG}: {'; '.join(problems)}")
    model.load_state_dict(found, assign=True)


def save(config: Mapping[str, Any], state: Mapping[str, Tensor], folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
    """Write `config.json` and weights; older safetensors of a model in this folder are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = list(_shards(state, shard_bytes))
    names = [SAFETENSORS] if len(shards) == 1 else [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    for file, shard in zip(names, shards, strict=True):
        tensors = {name: state[name].detach().cpu().contiguous() for name in shard}
        save_file(tensors, folder / f"{file}.tmp", {"format": "pt"})
    for stale in (folder / CONFIG, *folder.glob("model-*-of-*.safetensors"), folder / SAFETENSORS, folder / f"{SAFETENSORS}.index.json"):
        stale.unlink(missing_ok=True)
    for file in names:
        os.replace(folder / f"{file}.tmp", folder / file)
    if len(shards) > 1:
        where = {name: file for file, shard in zip(names, shards, strict=True) for name in shard}
        total = sum(t.numel() * t.element_size() for t in state.values())
        _write_json(folder / f"{SAFETENSORS}.index.json", {"metadata": {"total_size": total}, "weight_map": where})
    types = {str(tensor.dtype).removeprefix("torch.") for tensor in state.values()}
    _write_json(folder / CONFIG, dict(config) | ({"torch_dtype": types.pop()} if len(types) == 1 else {}))


def _problem(name: str, tensor: Tensor, shape: tuple[int, ...]) -> str | None:
    """Why a tensor cannot be this parameter."""
    if not tensor.is_floating_point():
        return f"{name} is {str(tensor.dtype).removeprefix('torch.')}: quantised weights are not read"
    if tensor.shape == shape:
        return None
    if name in _VOCABULARY and tensor.shape[1:] == shape[1:]:
        return f"{name} has a vocabulary of {tensor.shape[0]}, {CONFIG} one of {shape[0]}"
    return f"{name} has shape {tuple(tensor.shape)}, wanted {shape}"


def _tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """All tensors of a folder, a shard at a time."""
    for file, names in _files(folder):
        try:
            if file.suffix == ".safetensors":
                with safe_open(file, "pt") as opened:
                    held = set(opened.keys())
                    _check_index(file, names, held)
                    for name in sorted(held):
                        yield name, opened.get_tensor(name)
            else:
                content = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zipfile(file))
                if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
                    raise InputError(f"{file}: wanted a dictionary of tensors by name")
                _check_index(file, names, set(content))
                yield from content.items()
        except FileNotFoundError:
            raise InputError(f"{file}: missing, but the folder's index names it") from None
        except pickle.UnpicklingError as error:
            raise InputError(f"{file}: is not weights alone, and nothing else is read: {str(error).splitlines()[0]}") from None
        except (SafetensorError, RuntimeError, OSError, EOFError, ValueError) as error:
            raise InputError(f"{file}: cannot be read: {error}") from None


def _files(folder: Path) -> Iterable[tuple[Path, set[str] | None]]:
    """The weight files, each with the names that an index says are in it."""
    for whole in (folder / SAFETENSORS, folder / BIN):
        index = folder / f"{whole.name}.index.json"
        if whole.exists():
            return [(whole, None)]
        if index.exists():
            where = _read_json(index).get("weight_map")
            if not isinstance(where, dict) or not where:
                raise InputError(f"{index}: wanted 'weight_map', from names to files")
            return [(folder / Path(file).name, {name for name in where if where[name] == file}) for file in sorted(set(where.values()))]
    raise InputError(f"{folder}: no weights; wanted {SAFETENSORS} or {BIN}, or their shards with .index.json")


def _check_index(file: Path, indexed: set[str] | None, held: set[str]) -> None:
    if indexed is not None and indexed - held:
        raise InputError(f"{file}: lacks what the folder's index says is in it: {_listed(sorted(indexed - held))}")


def _shards(state: Mapping[str, Tensor], limit: int) -> Iterator[list[str]]:
    """Names in order, cut where a file would exceed `limit` bytes."""
    shard: list[str] = []
    size = 0
    for name, tensor in state.items():
        num_bytes = tensor.numel() * tensor.element_size()
        if shard and size + num_bytes > limit:
            yield shard
            shard, size = [], 0
        shard.append(name)
        size += num_bytes
    yield shard


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return ", ".join(names[:_NAMED_AT_MOST]) + more


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read: {error.strerror if isinstance(error, OSError) else error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: wanted a JSON object")
    return cast(dict[str, Any], content)


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    temporary = file.with_name(f"{file.name}.tmp")
    temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, file)

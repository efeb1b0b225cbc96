"""A pack from start to end: encode, count, order, and a header that says what the shards hold.

Each phase is a set of units that commit by themselves, as in a run of a corpus: the same call continues a pack that was killed, and does
nothing on one that is finished. `pack.json` comes last. The shards are the same bytes for any number of workers, however the documents
are spread over files and in whatever order these are named; so is the header, but for its identity of the files.
"""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import orjson

from configs.errors import InputError, RunError
from pipeline import storage
from pipeline.claim import locked
from pipeline.engine import InProcess, OnRay, Statistics, peak_memory_bytes, run_phase
from pipeline.kernels import drop_stale_kernels
from pipeline.manifest import identity
from pipeline.packing.encode_unit import EncodeWork, encode_file, warm_up
from pipeline.packing.order_unit import CountWork, OrderWork, count, order
from pipeline.packing.pack_claim import BEGUN, ENDINGS, PREFIX, claim, packing_code, record
from pipeline.packing.pack_config import PackConfig
from pipeline.packing.pack_summary import summarise
from pipeline.plan import WORKER_BYTES
from pipeline.progress import Progress
from pipeline.storage import FileInfo
from pipeline.texts import text_files
from tokenizer.byte_level import BYTES
from tokenizer.codec import MODEL_NAME
from tokenizer.encoder import Encoder, load_encoder
from tokenizer.megatron import HEADER, HEADER_VERSION, token_dtype
from tokenizer.sampling import Sampling

_OURS = re.compile(r"encoded|(start|counted|ordered)-[0-9a-f]{16}")
"""Names of the folders that packs make below `work`."""

SHARD_FACTOR = 2.5
"""Peak bytes of a task that orders a shard, above `WORKER_BYTES`, by the bytes of the shard (measured: docs/packing.md)."""


def pack(config: PackConfig, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Pack as configured, or continue; the header, with `seconds` of each phase and `peak_memory_bytes`, or `already_complete`.

    Raises `CorpusError`.
    """
    encoder = load_encoder(config.tokenizer)
    _check_memory(config, token_dtype(encoder.vocab_size).itemsize)
    files = _files(config)
    work = config.engine.work or storage.join(config.output, "work")
    with locked(config.output):
        ours = record(config, encoder.sha256, files)
        if finished := claim(config.output, ours, overwrite):
            _tidy(config, work)
            return finished | {"already_complete": True}
        with locked(work):
            for folder in (work, config.output):
                storage.sweep(folder)
            drop_stale_kernels()
            progress = Progress(quiet)
            with _executor(config, work, files) as executor:
                packing = _Packing(config, encoder, files, work, executor, progress)
                header = packing.header() | ours
            if encoder.model is not None:
                storage.write_bytes(storage.join(config.output, MODEL_NAME), encoder.model)
            storage.write_bytes(storage.join(config.output, HEADER), orjson.dumps(header, option=orjson.OPT_INDENT_2))
            _tidy(config, work)
        peak = {"driver": peak_memory_bytes(), "worker": packing.peak_memory_bytes}
        return header | {"seconds": progress.seconds, "peak_memory_bytes": peak}


class _Packing:
    """One pack with its executor and progress; the methods are the phases."""

    def __init__(
        self, config: PackConfig, encoder: Encoder, files: Sequence[FileInfo], work: str, executor: InProcess | OnRay, progress: Progress
    ) -> None:
        self.config, self.encoder, self.files, self.work = config, encoder, files, work
        self.executor, self.progress = executor, progress
        self.dtype = token_dtype(encoder.vocab_size).name
        self.peak_memory_bytes = 0
        """Of the largest worker so far."""

    def header(self) -> dict[str, Any]:
        """All phases; what `pack.json` says."""
        config, encoder = self.config, self.encoder
        encoded, sent = self._encode()
        total = sum(unit["tokens"] for unit in encoded)
        if not total:
            raise InputError(f"{', '.join(config.input)}: no document is left to pack; check the input and the weights")
        ordered = self._order(encoded, sent, -(-total // config.shard_tokens))
        if not any(unit["rows"] for unit in ordered):
            raise InputError(f"max_tokens: got {config.max_tokens}, the first document of the stream is longer; raise it")
        if config.max_tokens is None or total <= config.max_tokens:
            sums = [sum(unit["id_sum"] for unit in units) % (1 << 64) for units in (encoded, ordered)]
            assert sums[0] == sums[1], "the shards hold other documents than were encoded"
        shards = [
            {"prefix": _prefix(number), "num_tokens": unit["tokens"], "num_documents": unit["rows"]}
            | {name: unit[name] for name in ("bin_sha256", "idx_sha256")}
            for number, unit in enumerate(ordered)
            if unit["rows"]
        ]
        return {
            "version": HEADER_VERSION,
            "tokenizer": {
                "name": encoder.name,
                "sha256": encoder.sha256,
                "vocab_size": encoder.vocab_size,
                "bos_id": encoder.bos_id,
                "eos_id": encoder.eos_id,
            },
            "dtype": self.dtype,
            "seed": config.seed,
            "epochs": config.epochs,
            "window": config.window,
            **summarise(encoded, ordered),
            "shards": shards,
        }

    def _encode(self) -> tuple[list[Statistics], tuple[str, ...]]:
        """What the units reported, and the files of sorted runs."""
        config, encoder = self.config, self.encoder
        sampling = Sampling(config.seed, config.languages, config.domains, config.epochs)
        tokenizer = (encoder.name, encoder.sha256)
        self._phase("start", f"start-{identity(time.time())}", warm_up, {str(i): tokenizer for i in range(self.executor.workers)})
        decided = identity(packing_code(), encoder.sha256, sampling, config.max_epochs)
        works = {}
        for file in self.files:
            key = identity(decided, file.uri, file.fingerprint)
            uri = storage.join(self.work, "encoded", f"{key}.arrow")
            works[key] = EncodeWork(file, tokenizer, sampling, config.max_epochs, self.dtype, uri, config.engine.split_bytes)
        encoded = self._phase("encode", "encoded", encode_file, works)
        return encoded, tuple(work.uri for work in works.values())

    def _order(self, encoded: Sequence[Statistics], sent: tuple[str, ...], num_shards: int) -> list[Statistics]:
        """The shards, up to the one in which `max_tokens` are reached."""
        key = identity(sent, num_shards)
        counted = self._phase("count", f"counted-{key}", count, {str(i): CountWork(uri, num_shards) for i, uri in enumerate(sent)})
        rows, tokens = (_added([unit[name] for unit in counted]) for name in ("rows", "tokens"))
        assert sum(rows) == sum(unit["rows"] for unit in encoded), "the files of ids hold other numbers of documents than were encoded"
        assert sum(tokens) == sum(unit["tokens"] for unit in encoded), "the files of ids hold other numbers of ids than were encoded"
        config = self.config
        folder = f"ordered-{identity(key, config.max_tokens, config.window, config.output)}"
        there = storage.list_names(config.output)
        works, left = {}, config.max_tokens
        for shard in range(num_shards):
            limit = left if left is not None and left < tokens[shard] else None
            output = storage.join(config.output, _prefix(shard))
            start = sum(tokens[:shard])
            works[str(shard)] = OrderWork(sent, shard, num_shards, self.dtype, limit, start, config.window, output)
            if not {f"{_prefix(shard)}{ending}" for ending in ENDINGS} <= there:
                storage.remove(storage.join(self.work, folder, f"{shard}.json"))
            left = None if left is None else left - tokens[shard]
            if left is not None and left <= 0:
                break
        ordered = self._phase("order", folder, order, works)
        assert [unit["received"] for unit in ordered] == rows[: len(ordered)], "other numbers of documents came than were sent"
        return ordered

    def _phase(self, name: str, folder: str, function: Callable[[Any], Statistics], works: Mapping[str, Any]) -> list[Statistics]:
        uri = storage.join(self.work, folder)
        found = list(run_phase(self.executor, self.progress, name, uri, function, works).values())
        self.peak_memory_bytes = max([self.peak_memory_bytes, *(unit["peak_memory_bytes"] for unit in found)])
        return found


def _tidy(config: PackConfig, work: str) -> None:
    """Remove what a finished pack needs no more."""
    for name in filter(_OURS.fullmatch, storage.list_names(work)):
        storage.remove(storage.join(work, name))
    if config.engine.work is None:
        storage.remove(work)
    storage.remove(storage.join(config.output, BEGUN))


def _files(config: PackConfig) -> list[FileInfo]:
    """The input, in an order of its own. Raises `InputError` for a file that is named twice: its documents would count twice."""
    files = [file for name in config.input for file in text_files(name)]
    files.sort(key=lambda file: (file.relative, file.fingerprint, file.uri))
    uris = [file.uri for file in files]
    if len(set(uris)) < len(uris):
        twice = next(uri for uri in uris if uris.count(uri) > 1)
        raise InputError(f"{twice}: is named twice by the input; to repeat documents set epochs, domains or languages")
    return files


def _added(lists: Sequence[Sequence[int]]) -> list[int]:
    """The sums of columns."""
    return [sum(column) for column in zip(*lists, strict=True)]


def _prefix(shard: int) -> str:
    return f"{PREFIX}-{shard:05d}"


def _executor(config: PackConfig, work: str, files: Sequence[FileInfo]) -> AbstractContextManager[InProcess | OnRay]:
    if config.engine.executor == "inprocess":
        return InProcess()
    named = [] if config.tokenizer == BYTES else [config.tokenizer]
    paths = [config.output, work, *named, *(file.uri for file in files[:1])]
    return OnRay(config.engine, tuple(os.path.abspath(path) for path in paths if storage.is_local(path)))


def _check_memory(config: PackConfig, itemsize: int) -> None:
    need = WORKER_BYTES + int(SHARD_FACTOR * config.shard_tokens * itemsize)
    if need > config.engine.memory_per_worker:
        fits = int(max(0, config.engine.memory_per_worker - WORKER_BYTES) / SHARD_FACTOR / itemsize)
        raise RunError(
            f"shard_tokens: got {config.shard_tokens:,}; a shard of so many needs about {need:,} bytes, but engine.memory_per_worker is "
            f"{config.engine.memory_per_worker:,}: raise it, or set shard_tokens to at most {fits:,}"
        )

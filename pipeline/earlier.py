"""Earlier runs as the index of a new one: what they kept takes part in the new run's dedup, and stays.

An earlier run's shards hold its texts and band keys, its ledger the fates and the ids: nothing is written twice for this. New documents
that equal or resemble a kept one are rejected with its id; nothing of the earlier run changes. So `kept(1) + kept(2 given 1)` is what one
run over both would keep if it preferred documents of 1 to those of 2. The same holds for passages (`pipeline.passages.texts`): a new
document loses those that stand in the earlier corpus, and its cuts name the document there.

What an earlier run held out takes part where the new one has a mixture and compares documents: copies of it and what resembles it are held
out too, and its hosts are drawn again (`pipeline.mixture.held_out`). It keeps nobody out as a duplicate.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import orjson

from configs.errors import ConfigError, InputError, RunError
from pipeline import storage
from pipeline.dedup.found import Found
from pipeline.judge import Shard
from pipeline.manifest import identity, signature_identity
from pipeline.record import config_of, read_record
from stages.dedup.sentence_stage import SentenceDedup
from stages.dedup.stage import DocumentDedup, ExactDedup
from stages.mixture.stage import HELD_OUT
from stages.normalize import Normalize
from stages.stage import Stage


class EarlierRun(NamedTuple):
    """A finished run whose kept documents are known."""

    folder: str
    shards: tuple[Shard, ...]
    identity: str
    num_held_out: int
    """Documents that it held out to measure models on."""
    seed: int


def earlier_runs(folders: Sequence[str], stages: Sequence[Stage]) -> tuple[EarlierRun, ...]:
    """Read what finished runs left. Raises `RunError` if one is not finished or was signed in another way than `stages` do."""
    if folders and not any(isinstance(stage, ExactDedup | DocumentDedup | SentenceDedup) for stage in stages):
        raise ConfigError(
            "earlier: no stage of this run compares documents with earlier ones; add exact_dedup, document_dedup or sentence_dedup"
        )
    return tuple(_read(folder, stages) for folder in folders)


def _read(folder: str, stages: Sequence[Stage]) -> EarlierRun:
    record = read_record(folder)
    try:
        data, summary = (orjson.loads(storage.read_bytes(storage.join(folder, name))) for name in ("found.json", "summary.json"))
    except (ValueError, InputError):
        data, summary = {}, {}
    if not data or data.get("identity") != record["identity"] or summary.get("identity") != record["identity"]:
        raise RunError(f"earlier: {folder} is no finished run; let `corpus run` come to its end there first")
    if data.get("signatures") != signature_identity():
        raise RunError(f"earlier: {folder} was made by a version of the program that signs documents in another way; run it again")
    theirs, ours = _signed_by(config_of(folder, record["settings"]).stages), _signed_by(stages)
    for key in (Normalize.key, DocumentDedup.key):
        if theirs.get(key) != ours.get(key):
            raise ConfigError(
                f"earlier: {folder} has other settings of stages.{key} than this run: {theirs.get(key)} there, {ours.get(key)} here"
            )
    work = data["work"] or storage.join(folder, "work")
    own = Found.from_json(data, work).own
    shards = tuple(replace(s, earlier=storage.join(folder, "ledger", f"part-{s.index:06d}.parquet")) for s in own)
    for shard in shards:
        if not storage.exists(shard.uri):
            raise RunError(f"earlier: {shard.uri} is gone; an earlier run must keep its intermediates ({work}): run it again")
    held_out = summary["reasons"].get(HELD_OUT, [0])[0]
    return EarlierRun(folder, shards, identity(record["identity"]), held_out, record["settings"]["seed"])


def _signed_by(stages: Sequence[Stage]) -> dict[str, object]:
    """The settings that signatures and contents depend on."""
    return {stage.key: stage.computed_by() for stage in stages if isinstance(stage, Normalize | DocumentDedup)}

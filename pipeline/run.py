"""A run from start to end: open, annotate, find duplicates, select, write, check, summarise.

Each phase is a set of units that commit by themselves, so that the same call continues a run that was killed, and a call on a finished
run does nothing. The output folder belongs to one configuration: `run.json` says which.
"""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import orjson
import pyarrow as pa

from configs.errors import RunError
from configs.loader import CONFIGS, find_file
from pipeline import output, storage
from pipeline.card import write_card
from pipeline.check import CheckWork, check_part
from pipeline.claim import claim, locked
from pipeline.config import RunConfig, as_settings
from pipeline.contamination import know_common
from pipeline.dedup.found import Found
from pipeline.dedup.rounds import decide, find_duplicates
from pipeline.engine import InProcess, OnRay, Statistics, peak_memory_bytes, run_phase
from pipeline.hosts import cap_hosts
from pipeline.judge import Shard
from pipeline.kernels import drop_stale_kernels
from pipeline.local import LocalWork, annotate_split
from pipeline.manifest import code_identity, identity, signature_identity
from pipeline.mixture.held_out import hold_out
from pipeline.mixture.mix import mix
from pipeline.passages.rounds import find_passages
from pipeline.plan import Plan, make_plan
from pipeline.progress import Progress
from pipeline.readers import load_kernels
from pipeline.report.attempt import try_report
from pipeline.splits import open_files, open_works, pack, record_bases
from pipeline.summary import summarise
from stages.batch import Batch
from stages.schema import DOCUMENT

_OURS = re.compile(r"shards|inflated|[a-z]+-[0-9a-f]{16}")
"""Names of the folders that runs make below `work`."""


class Runner:
    """One run with its plan, executor and progress; the methods are the phases, in order."""

    def __init__(self, plan: Plan, executor: InProcess | OnRay, progress: Progress) -> None:
        self.plan, self.executor, self.progress = plan, executor, progress
        self.memory = plan.config.engine.memory_per_worker
        self.statistics: dict[str, list[Statistics]] = {}
        self.folders: set[str] = set()
        self.mixture: dict[str, Any] = {}

    def phase(
        self, name: str, folder: str, function: Callable[[Any], Statistics], works: Mapping[str, Any], drop: Sequence[str] = ()
    ) -> list[Statistics]:
        """Run what is not done of a phase; statistics in the order of `works`. Units in `drop` are done again."""
        self.folders.add(folder)
        uri = storage.join(self.plan.work, folder)
        for key in drop:
            storage.remove(storage.join(uri, f"{key}.json"))
        found = list(run_phase(self.executor, self.progress, name, uri, function, works).values())
        self.statistics.setdefault(name, []).extend(found)
        return found

    def find(self) -> Found:
        """All that does not depend on a threshold: shards, repeated ids, copies and the true overlap of pairs."""
        own = self._annotate()
        earlier = [shard for run in self.plan.earlier for shard in run.shards]
        shards = [*own, *(replace(shard, index=len(own) + i) for i, shard in enumerate(earlier))]
        key = identity(code_identity(), [s.uri.rpartition("/")[2] for s in own], [run.identity for run in self.plan.earlier])
        mean_bytes = sum(s["bytes"] for s in self.statistics["annotate"]) / max(1, sum(s.num_rows for s in own))
        return find_duplicates(self, shards, key, mean_bytes)

    def _annotate(self) -> list[Shard]:
        plan, engine = self.plan, self.plan.config.engine
        local = tuple(stage for stage in plan.stages if stage.adds())
        self.phase("start", f"start-{identity(time.time())}", warm_up, {str(i): local for i in range(self.executor.workers)})
        works = open_works(plan.inputs, plan.work, engine.split_bytes)
        self.folders.add("inflated")
        opened = self.phase("open", f"opened-{code_identity()}", open_files, works)
        splits = pack(works, dict(zip(works, opened, strict=True)))
        keys = [identity(plan.local_identity, as_settings(s.source), s.input_identity) for s in splits]
        uris = [storage.join(plan.work, "shards", f"{key}.arrow") for key in keys]
        units = {k: LocalWork(s, local, engine.batch_rows, uri) for k, s, uri in zip(keys, splits, uris, strict=True)}
        done = self.phase("annotate", "shards", annotate_split, units)
        bases = record_bases(splits, done)
        return [
            Shard(i, uri, tuple(found["rows"]), tuple(base)) for i, (uri, found, base) in enumerate(zip(uris, done, bases, strict=True))
        ]

    def select(self, found: Found) -> list[Statistics]:
        """Survivors, decisions, output files, and a check of the files as they lie. Counts of each shard."""
        self.plan = know_common(self, found)
        plan = self.plan = hold_out(self, found)
        own = found.own
        named = found.ids.folder.rpartition("/")[2]  # after what was found, and after what earlier runs kept and held out
        key = identity(plan.select_identity, named, [s.uri for s in found.shards], plan.config.output)
        capped = cap_hosts(self, found, key)
        survivors = decide(self, found, capped, key)
        passages = find_passages(self, found, capped, survivors, key)
        writes = {
            str(s.index): output.WriteWork(s, plan.stages, found.ids, capped, survivors, passages, plan.config.output, plan.config.rejected)
            for s in own
        }
        there = [storage.list_names(storage.join(plan.config.output, folder)) for folder in plan.folders]
        lost = [str(s.index) for s in own if not all(f"part-{s.index:06d}.parquet" in names for names in there)]
        counts = self.phase("write", f"write-{key}", output.write, writes, drop=lost)
        self.mixture = mix(self, counts, sorted(_parts(len(own))), key)
        checks = {str(s.index): CheckWork(s.index, s.num_rows, plan.config.output, s.uri, "edits" in plan.folders) for s in own}
        self.phase("check", f"check-{key}", check_part, checks, drop=list(checks))
        for folder in plan.folders:
            if strange := storage.list_names(storage.join(plan.config.output, folder)) - _parts(len(own)):
                raise RunError(f"{storage.join(plan.config.output, folder)}: '{min(strange)}' is not of this run; remove it and run again")
        return counts

    def prune(self) -> None:
        """Remove intermediates that no finished run needs: raw shards, and those of earlier configurations."""
        for name in filter(_OURS.fullmatch, storage.list_names(self.plan.work)):
            if name not in self.folders or name == "inflated" or name.startswith(("opened-", "start-")):
                storage.remove(storage.join(self.plan.work, name))


def warm_up(stages: Sequence[Any]) -> Statistics:
    """Load the kernels in a worker, compiling them if no cache holds them, so that no unit's time has it."""
    batch = Batch(pa.RecordBatch.from_pylist([dict.fromkeys(DOCUMENT.names) | {"text": "The text. 正文。", "source": "s",
        "domain": "d", "path": "p", "record": 1}], schema=DOCUMENT))  # fmt: skip
    for stage in stages:
        batch = stage.annotate(batch)
    load_kernels()
    return {}


def _executor(plan: Plan) -> AbstractContextManager[InProcess | OnRay]:
    engine = plan.config.engine
    if engine.executor == "inprocess":
        return InProcess()
    storage.make_folder(plan.work)
    named = [
        str(find_file(file).absolute())
        for stage in plan.stages
        for file in stage.files()
        if CONFIGS not in find_file(file).absolute().parents
    ]
    paths = [plan.config.output, plan.work, *named, *(f.uri for _, files in plan.inputs for f in files[:1])]
    return OnRay(engine, tuple(os.path.abspath(path) for path in paths if storage.is_local(path)))


def run(config: RunConfig, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Run a configuration, or continue it; the summary that is written to `OUTPUT/summary.json`.

    Raises `CorpusError` in any case that a user can cause.
    """
    plan = make_plan(config)
    with locked(config.output):
        record = claim(plan, overwrite)
        if finished := _finished(plan, record):
            return finished | {"already_complete": True}
        with locked(plan.work):
            _sweep(plan)
            drop_stale_kernels()
            with _executor(plan) as executor:
                runner = Runner(plan, executor, Progress(quiet))
                found = runner.find()
                write_found(plan, record, found)
                counts = runner.select(found)
            return finish(runner, found, counts, record, prune=config.engine.work is None)


def write_found(plan: Plan, record: dict[str, Any], found: Found) -> None:
    """Write `found.json`: what a selection needs, where it is, and to which run it belongs."""
    own = storage.join(plan.config.output, "work")
    work = None if plan.work == own else os.path.abspath(plan.work) if storage.is_local(plan.work) else plan.work
    content = {"identity": record["identity"], "work": work, "signatures": signature_identity()} | found.as_json(plan.work)
    storage.write_bytes(storage.join(plan.config.output, "found.json"), orjson.dumps(content))


def _finished(plan: Plan, record: dict[str, Any]) -> dict[str, Any] | None:
    """The summary of this very run, if it is complete and all its files are there."""
    uris = [storage.join(plan.config.output, name) for name in ("summary.json", "found.json")]
    try:
        summary, found = (orjson.loads(storage.read_bytes(uri)) for uri in uris if storage.exists(uri))
    except ValueError:  # missing, or damaged
        return None
    if summary.get("identity") != record["identity"]:
        return None
    parts = _parts(sum(not shard["earlier"] for shard in found["shards"]))
    complete = all(storage.list_names(storage.join(plan.config.output, folder)) == parts for folder in plan.folders)
    return dict(summary) if complete else None


def _parts(num_shards: int) -> set[str]:
    return {f"part-{index:06d}.parquet" for index in range(num_shards)}


def finish(runner: Runner, found: Found, counts: list[Statistics], record: dict[str, Any], prune: bool) -> dict[str, Any]:
    """Summary, card, tidying and report; `summary.json` says that the run is complete; what follows can be made again."""
    config = runner.plan.config
    summary = summarise(runner.plan, counts, runner.statistics, runner.progress.seconds, peak_memory_bytes(), found.counts)
    if runner.mixture:
        summary["mixture"] = runner.mixture
    summary["identity"] = record["identity"]
    write_card(config, summary)
    if prune:
        runner.prune()
    storage.write_bytes(storage.join(config.output, "summary.json"), orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    try_report(config.output)
    return summary


def _sweep(plan: Plan) -> None:
    """Remove what killed workers left half-written."""
    for folder in (plan.work, *(storage.join(plan.config.output, name) for name in plan.folders)):
        storage.sweep(folder)

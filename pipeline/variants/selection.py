"""The corpus of each variant: a selection from the base run where it only leaves stages out or decides otherwise, else a run of its own.

The base run annotates every document once with all stages. A variant's selection asks some of its stages for their reasons, and its dedup
compares what those leave. Whoever is held out, or resembles what is, stands on a takedown list, so is no survivor of duplicates either.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import ConfigError
from pipeline import storage
from pipeline.claim import claim, locked
from pipeline.config import RunConfig, load_run
from pipeline.dedup.found import Found
from pipeline.engine import InProcess, OnRay
from pipeline.manifest import identity
from pipeline.mixture.learned import PROXIES
from pipeline.plan import Plan, check_stages, complete_stages
from pipeline.progress import Progress
from pipeline.run import Runner, finish, write_found
from pipeline.run import run as run_corpus
from pipeline.variants.config import Variant, VariantsConfig
from pipeline.variants.held_out import KINDS
from stages.dedup.sentence_stage import SentenceDedup
from stages.dedup.stage import DocumentDedup, ExactDedup
from stages.mixture.stage import Mixture, check_copies
from stages.normalize import Normalize
from stages.select import Select
from stages.stage import Stage

TAKEDOWN = "takedown"


def base_run(config: VariantsConfig) -> RunConfig:
    """The run that annotates: all stages but those that only select, with both dedups, since held-out text is compared by them."""
    run = load_run(config.base, config.settings)
    stages = [stage for stage in run.stages if not isinstance(stage, Mixture | SentenceDedup)]
    place = next((i for i, stage in enumerate(stages) if isinstance(stage, DocumentDedup | Select)), len(stages))
    keys = {stage.key for stage in stages}
    stages[place:place] = [made() for made in (ExactDedup, DocumentDedup) if made.key not in keys]
    return replace(run, name=f"{config.name}: base", output=storage.join(config.output, "base"), stages=tuple(stages))


def variant_runs(config: VariantsConfig) -> dict[str, RunConfig]:
    """The run that each variant would be by itself. Raises `ConfigError` for a stage that the base run has not, and for a bad setting."""
    base = load_run(config.base)
    known, sources = [stage.key for stage in base.stages], [source.name for source in base.sources]
    chosen: dict[str, tuple[list[str], tuple[str, ...]]] = {}
    for variant in config.variants:
        if strange := [name for name in variant.sources if name not in sources]:
            raise ConfigError(f"variants: '{variant.name}' names the source '{strange[0]}'; the base run has {', '.join(sources)}")
        keys, settings = chosen[variant.like] if variant.like else (known, config.settings)
        keys = [key for key in known if key in _keys(variant, keys, known)]
        chosen[variant.name] = keys, (*settings, *variant.settings)
    runs = {}
    for name, (keys, settings) in chosen.items():
        run = load_run(config.base, settings)
        stages = tuple(stage for stage in run.stages if stage.key in keys)
        check_copies(stages, f"variants: '{name}'")
        runs[name] = replace(run, name=f"{config.name}: {name}", output=storage.join(config.output, "variants", name), stages=stages)
    return runs


def _keys(variant: Variant, like: Sequence[str], known: Sequence[str]) -> set[str]:
    for key in (*(variant.stages or ()), *variant.add, *variant.without):
        if key not in known:
            raise ConfigError(f"variants: '{variant.name}' names the stage '{key}', which the base run has not; it has {', '.join(known)}")
    keys = set(like if variant.stages is None else variant.stages)
    return (keys | set(variant.add)) - set(variant.without) | {Normalize.key}


def read_found(folder: str) -> tuple[dict[str, Any], Found]:
    """The record of a run's `found.json`, and what it says."""
    data: dict[str, Any] = orjson.loads(storage.read_bytes(storage.join(folder, "found.json")))
    return data, Found.from_json(data, data["work"] or storage.join(folder, "work"))


def write_taken(base: RunConfig, sources: Sequence[str], taken: str, uri: str) -> None:
    """A longer list of documents to take out: those of `taken`, and all that are of none of `sources`."""
    parts = [storage.read_bytes(taken)]
    folder = storage.join(base.output, "ledger")
    for name in sorted(storage.list_names(folder)):
        with storage.open_input(storage.join(folder, name)) as file:
            rows = pq.read_table(file, columns=["id", "source"])
        others = rows.filter(pc.invert(pc.is_in(rows["source"], value_set=pa.array(sources))))["id"].to_pylist()
        parts.append("".join(f"{name}\n" for name in others).encode())
    storage.write_bytes(uri, b"".join(parts))


def make_corpus(run: RunConfig, base: RunConfig, taken: str, executor: InProcess | OnRay, quiet: bool) -> dict[str, Any]:
    """Write a variant's corpus into `run.output`; the summary of the run. Nothing is done again if it is there.

    `taken` is a list of documents that no variant may hold, as `select: {takedown_ids}` takes it.
    """
    stages = tuple(_with_list(stage, taken) for stage in complete_stages(run.stages))
    if not _is_selection(stages, complete_stages(base.stages)):
        return run_corpus(replace(run, stages=stages), overwrite=True, quiet=quiet)
    check_stages(stages)
    data, found = read_found(base.output)
    plan = Plan(replace(run, stages=stages, engine=replace(run.engine, work=_work(base, data))), stages, [])
    with locked(run.output):
        record = claim(plan, True, selected_from=identity([shard.uri for shard in found.shards], data["identity"]))
        uri = storage.join(run.output, "summary.json")
        if storage.exists(uri) and (summary := orjson.loads(storage.read_bytes(uri)))["identity"] == record["identity"]:
            return dict(summary)
        found = _seen_by(found, stages)
        runner = Runner(plan, executor, Progress(quiet))
        write_found(plan, record, found)
        known = storage.list_names(plan.work)
        summary = finish(runner, found, runner.select(found), record, prune=False)
        for folder in sorted(runner.folders - known):
            if not folder.startswith(PROXIES):
                storage.remove(storage.join(plan.work, folder))
        return summary


def _work(base: RunConfig, data: dict[str, Any]) -> str:
    return data["work"] or storage.join(base.output, "work")


def _with_list(stage: Stage, taken: str) -> Stage:
    if isinstance(stage, Select):
        if stage.takedown_ids is not None:
            raise ConfigError("stages.select.takedown_ids: held-out documents are taken out by it; give the list of your own as block_urls")
        return replace(stage, takedown_ids=taken)
    return stage


def _is_selection(stages: Sequence[Stage], base: Sequence[Stage]) -> bool:
    computed = {stage.key: stage.computed_by() for stage in base}
    return all(stage.computed_by() == computed.get(stage.key, {}) for stage in stages)


def _seen_by(found: Found, stages: Sequence[Stage]) -> Found:
    """What a run with these stages alone would have found: no pairs without near-dedup, no copies without any."""
    near = any(isinstance(stage, DocumentDedup) for stage in stages)
    exact = next((stage for stage in stages if isinstance(stage, ExactDedup)), None)
    return replace(
        found,
        contents=found.contents if near or exact else None,
        urls=found.urls if exact and exact.urls else None,
        overlaps=found.overlaps if near else None,
    )


def removed_shares(folder: str, removed: pa.Table) -> dict[str, Any]:
    """What a variant rejected, and what it would have kept if it had nothing to do with held-out text.

    `removed` is `removed.parquet` of the held-out documents. `{"documents", "kept", "bytes", "kept_bytes", "apart": {kind: documents}}`.
    """
    counts = {"documents": 0, "kept": 0, "bytes": 0, "kept_bytes": 0}
    apart: list[pa.Table] = []
    for name in sorted(storage.list_names(storage.join(folder, "ledger"))):
        with storage.open_input(storage.join(folder, "ledger", name)) as file:
            rows = pq.read_table(file, columns=["id", "fate", "reasons", "num_bytes"])
        kept = np.asarray(pc.equal(rows["fate"], "kept"))
        sizes = rows["num_bytes"].to_numpy()
        reasons = pc.list_value_length(rows["reasons"])
        alone = pc.and_(pc.equal(reasons, 1), pc.equal(pc.list_element(_never_empty(rows["reasons"]), 0), TAKEDOWN))
        apart.append(rows.filter(alone).select(["id"]))
        for key, number in (("documents", len(rows)), ("kept", kept.sum()), ("bytes", sizes.sum()), ("kept_bytes", sizes[kept].sum())):
            counts[key] += int(number)
    kinds = pa.concat_tables(apart).join(removed, "id")["kind"]
    return counts | {"apart": {kind: pc.sum(pc.equal(kinds, kind)).as_py() or 0 for kind in KINDS}}


def _never_empty(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists with a null where they are empty, so that their first element can be asked for."""
    return pc.if_else(pc.equal(pc.list_value_length(lists), 0), pa.scalar([None], lists.type), lists)

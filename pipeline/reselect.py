"""Decide a finished run again with other thresholds, lists or duplicate policy, into a new folder, from its intermediates."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from configs.errors import RunError
from pipeline import storage
from pipeline.claim import claim, locked
from pipeline.config import as_settings
from pipeline.dedup.found import Found
from pipeline.engine import InProcess
from pipeline.manifest import identity
from pipeline.plan import Plan, check_stages, complete_stages
from pipeline.progress import Progress
from pipeline.record import config_of, read_record
from pipeline.run import Runner, finish, write_found
from stages.mixture.stage import check_domains
from stages.quality.stage import check_thresholds


def select(run_folder: str, output_folder: str, overrides: Sequence[str], quiet: bool = False, overwrite: bool = False) -> dict[str, Any]:
    """Select again; the new folder's summary. It refers to the intermediates of `run_folder`, which must stay.

    `run.json` holds no engine, as none of it changes a byte: what the run was given, `pipeline.record.MEMORY` may be given again.

    Raises `RunError` if an override would change what was computed, if the intermediates are gone, and if `output_folder` holds
    anything but this selection (or, with `overwrite`, another run of ours).
    """
    if os.path.abspath(run_folder) == os.path.abspath(output_folder):
        raise RunError(f"--output: {output_folder} is the run itself; a selection needs a folder of its own")
    settings, data = _read(run_folder)
    before = config_of(run_folder, settings)
    config = config_of(run_folder, settings, overrides)
    engine = replace(config.engine, executor="inprocess", work=data["work"] or storage.join(run_folder, "work"))
    config = replace(config, output=output_folder, engine=engine)
    stages = complete_stages(config.stages)
    check_stages(stages)
    domains = [source.domain or source.name for source in config.sources]
    check_domains(config.stages, domains)
    check_thresholds(config.stages, domains)
    for old, new in zip(before.stages, stages, strict=True):
        if (old.key, old.computed_by()) != (new.key, new.computed_by()):
            raise RunError(f"stages.{new.key}: this setting changes what is computed, not only what is selected; use `corpus run`")
    if as_settings(before.sources) != as_settings(config.sources):
        raise RunError("sources: they cannot change when selecting again; use `corpus run`")
    plan = Plan(config, stages, [])
    found = Found.from_json(data, plan.work)
    with locked(output_folder):
        record = claim(plan, overwrite, selected_from=identity([shard.uri for shard in found.shards], data["identity"]))
        runner = Runner(plan, InProcess(), Progress(quiet))
        write_found(plan, record, found)
        known = storage.list_names(plan.work)
        summary = finish(runner, found, runner.select(found), record, prune=False)
        for folder in sorted(runner.folders - known):  # those of the run, and of a selection that was killed, stay
            storage.remove(storage.join(plan.work, folder))
        return summary


def _read(run_folder: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a run, and what it left for its selection."""
    record, uri = read_record(run_folder), storage.join(run_folder, "found.json")
    try:
        data: dict[str, Any] = orjson.loads(storage.read_bytes(uri)) if storage.exists(uri) else {}
    except orjson.JSONDecodeError:
        data = {}
    if data.get("identity") != record["identity"]:
        raise RunError(f"{run_folder}: this run did not get as far as its selection; run `corpus run` first")
    return record["settings"], data

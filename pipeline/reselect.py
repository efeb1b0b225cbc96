"""Decide a finished run again with other thresholds, lists or duplicate policy, into a new folder, from its intermediates."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from configs.errors import ConfigError, RunError
from configs.loader import load, override, parse_yaml
from pipeline import storage
from pipeline.claim import claim, locked
from pipeline.config import Engine, RunConfig, as_settings
from pipeline.engine import InProcess
from pipeline.plan import Plan, check_stages, complete_stages
from pipeline.progress import Progress
from pipeline.run import Found, Runner, finish


def select(run_folder: str, output_folder: str, overrides: Sequence[str], quiet: bool = False) -> dict[str, Any]:
    """Select again; the new folder's summary. It refers to the intermediates of `run_folder`, which must stay.

    Raises `RunError` if an override would change what was computed.
    """
    settings_uri, found_uri = storage.join(run_folder, "run.json"), storage.join(run_folder, "found.json")
    if not (storage.exists(settings_uri) and storage.exists(found_uri)):
        raise RunError(f"{run_folder}: holds no run that got as far as its selection; run `corpus run` first")
    settings = orjson.loads(storage.read_bytes(settings_uri))["settings"]
    before = _load(settings, ())
    engine = Engine(executor="inprocess", work=before.engine.work or storage.join(run_folder, "work"))
    config = replace(_load(settings, overrides), output=output_folder, engine=engine)
    stages = complete_stages(config.stages)
    check_stages(stages)
    for old, new in zip(before.stages, stages, strict=True):
        if (old.key, old.computed_by()) != (new.key, new.computed_by()):
            raise RunError(f"stages.{new.key}: this setting changes what is computed, not only what is selected; use `corpus run`")
    if as_settings(before.sources) != as_settings(config.sources):
        raise RunError("sources: they cannot change when selecting again; use `corpus run`")
    plan = Plan(config, stages, [])
    with locked(output_folder):
        record = claim(plan, overwrite=True)
        runner = Runner(plan, InProcess(), Progress(quiet))
        counts = runner.select(Found.from_json(orjson.loads(storage.read_bytes(found_uri))))
        storage.write_bytes(storage.join(output_folder, "found.json"), storage.read_bytes(found_uri))
        return finish(runner, counts, record | {"selected_from": run_folder}, prune=False)


def _load(settings: dict[str, Any], overrides: Sequence[str]) -> RunConfig:
    node = parse_yaml(orjson.dumps(settings).decode(), "run.json")
    for assignment in overrides:
        if assignment.startswith("engine"):
            raise ConfigError(f"--set {assignment}: a selection has no engine settings")
        override(node, assignment)
    return load(RunConfig, node)

"""What a run's folder says of itself: `run.json` holds whose outputs they are and the settings that made them."""

import json
from collections.abc import Sequence
from typing import Any

import yaml

from configs.errors import ConfigError, RunError
from configs.loader import load, override, parse_yaml
from pipeline import storage
from pipeline.config import RunConfig

MEMORY = ("engine.memory_per_worker", "engine.components_memory")
"""What a selection may be told of the engine: it runs in this process, beside the intermediates of its run."""


def read_record(folder: str) -> dict[str, Any]:
    """What `run.json` holds. Raises `RunError` if there is none, or it is damaged."""
    uri = storage.join(folder, "run.json")
    if not storage.exists(uri):
        raise RunError(f"{folder}: holds no run; run `corpus run` first")
    try:
        record: dict[str, Any] = json.loads(storage.read_bytes(uri))
        return {"identity": record["identity"], "settings": record["settings"]}
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{uri}: is damaged; choose another output, or delete {folder}") from None


def config_of(folder: str, settings: dict[str, Any], overrides: Sequence[str] = ()) -> RunConfig:
    """The configuration that `run.json` holds, with overrides; its output is `folder`. Raises `ConfigError` for a bad override."""
    node = parse_yaml(yaml.safe_dump(settings | {"output": folder}, allow_unicode=True), "run.json")
    for assignment in overrides:
        if assignment.startswith("engine") and assignment.partition("=")[0] not in MEMORY:
            raise ConfigError(f"--set {assignment}: a selection has no engine settings but {' and '.join(MEMORY)}")
        override(node, assignment)
    return load(RunConfig, node)

"""One comparison for many tests: two domains in Chinese and English, copies and noise among them, models of 7,000 parameters."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.variants.config import VariantsConfig, load_variants
from tests.pipeline.conftest import prose, zh_prose

SETTINGS: dict[str, Any] = {
    "name": "test",
    "variants": [
        {"name": "raw", "stages": []},
        {"name": "no_copies", "like": "raw", "add": ["exact_dedup", "document_dedup"]},
        {"name": "without_noise", "like": "raw", "sources": ["law", "news"]},
    ],
    "held_out": {"share": 0.2, "domains": ["law", "news"], "curated": ["law"], "min_bytes": 500, "min_clusters": 1,
                 "max_bytes": 3000},
    "training": {
        "tokenizer": "bytes",
        "model": {"preset": "nano", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2},
        "tokens": 8000, "length": 128, "batch": 8, "learning_rates": [0.01, 0.02], "schedule": {"warmup_steps": 2},
    },
}  # fmt: skip

Make = Callable[..., VariantsConfig]


def documents() -> dict[str, list[dict[str, Any]]]:
    """Law and news in both languages, 60 documents each; noise of random letters, with 20 copies of a page of law."""
    rng = random.Random(1)
    found: dict[str, list[dict[str, Any]]] = {"law": [], "news": [], "noise": []}
    for domain, first in (("law", 0), ("news", 1000)):
        for i in range(60):
            text = zh_prose(first + i, 4) if i % 2 else prose(first + i, 8)
            found[domain].append({"id": f"{domain}-{i}", "text": text})
    for i in range(40):
        copied = found["law"][2 * (i % 4)]["text"]
        noise = " ".join("".join(rng.choices("qxzjkv", k=6)) for _ in range(90))
        found["noise"].append({"id": f"noise-{i}", "text": copied if i < 20 else noise})
    return found


def write_comparison(folder: Path, **settings: Any) -> Path:
    """The YAML of a comparison over `documents()`, with settings changed."""
    sources = []
    for name, rows in documents().items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        sources.append({"name": name, "path": str(path), "domain": name})
    base = {
        "name": "base", "output": str(folder / "unused"), "sources": sources,
        "stages": [{"normalize": {}}, {"exact_dedup": {}}, {"document_dedup": {}}, {"select": {}}],
        "engine": {"executor": "inprocess"},
    }  # fmt: skip
    (folder / "base.yaml").write_text(yaml.safe_dump(base))
    path = folder / "variants.yaml"
    path.write_text(yaml.safe_dump(SETTINGS | {"base": str(folder / "base.yaml"), "output": str(folder / "out")} | settings))
    return path


@pytest.fixture(scope="session")
def finished(comparison: tuple[Path, VariantsConfig, dict[str, Any]]) -> tuple[VariantsConfig, dict[str, Any]]:
    """A finished comparison and its result. Tests only read its folder."""
    _, config, result = comparison
    return config, result


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A comparison with settings changed, not started."""

    def made(**settings: Any) -> VariantsConfig:
        return load_variants(write_comparison(tmp_path, **settings))

    return made

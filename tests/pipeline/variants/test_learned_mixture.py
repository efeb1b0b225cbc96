"""A variant that asks for a mixture: learned on its own text, frozen, or by rule."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.config import load_run
from pipeline.variants.config import VariantsConfig, load_variants
from pipeline.variants.steps import prepared
from tests.pipeline.variants.conftest import Make

LEARNED = [
    "stages.mixture.method=learned",
    "stages.mixture.learn={targets: [law, news], bootstrap: 2, min_rank_correlation: -1}",
    "stages.mixture.held_out={share: 0.15, max_share: 0.2}",  # of what the comparison draws a fifth of as well
    "stages.mixture.proxy={tokens: 2048, held_out_tokens: 1024, hidden_size: 16, intermediate_size: 32, heads: 2, layers: 1}",
]
VARIANTS: list[dict[str, Any]] = [
    {"name": "copies_dropped", "without": ["mixture"]},
    {"name": "learned", "like": "copies_dropped", "add": ["mixture"], "settings": LEARNED},
    {"name": "stiffer", "like": "learned", "settings": ["stages.mixture.learn.kl=1"]},
    {"name": "unimax", "like": "copies_dropped", "add": ["mixture"], "settings": ["stages.mixture.held_out.share=0"]},
]


def mixture(config: VariantsConfig, variant: str) -> dict[str, Any]:
    path = Path(config.output) / "variants" / variant / "summary.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["mixture"]
    return found


@pytest.fixture
def config(make: Make, tmp_path: Path) -> VariantsConfig:
    """Variants of a base run that ends in a mixture."""
    config = make(variants=VARIANTS)
    base = yaml.safe_load((tmp_path / "base.yaml").read_text(encoding="utf-8"))
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base | {"stages": [*base["stages"], {"mixture": {}}]}), encoding="utf-8")
    return config


def test_a_variant_learns_its_mixture_on_its_own_text_with_proxies_that_are_kept(config: VariantsConfig, tmp_path: Path) -> None:
    assert load_run(config.base).seed == config.draw  # and yet they draw other documents
    with prepared(config, quiet=True) as comparison:
        selections = comparison.selections
        measured = {row["text"] for row in pq.read_table(comparison.documents).to_pylist()}
    assert selections["learned"]["kept"] < selections["copies_dropped"]["kept"]  # the mixture holds out text of its own
    learned = mixture(config, "learned")
    assert (learned["method"], learned["learned"]["proxies"], learned["learned"]["abstained"]) == ("learned", 12, False)
    assert mixture(config, "unimax")["method"] == "unimax"
    assert mixture(config, "stiffer")["by_domain"] != learned["by_domain"]
    proxies = list((Path(config.output) / "base" / "work").glob("proxies-*/*.json"))
    assert len(proxies) == 12  # both learned variants have the same text, so the same proxies
    for part in (Path(config.output) / "variants" / "learned" / "heldout").iterdir():
        learned_from = [row["text"] for row in pq.read_table(part).to_pylist() if not row["reasons"]]
        assert learned_from
        assert measured.isdisjoint(learned_from)

    frozen = tmp_path / "mixture.yaml"
    frozen.write_bytes((Path(config.output) / "variants" / "learned" / "mixture.yaml").read_bytes())
    before = {path: path.stat().st_mtime_ns for path in proxies}
    manual = [f"stages.mixture.{name}" for name in ("method=manual", f"file={frozen}", "held_out={share: 0.15, max_share: 0.2}")]
    again = {"name": "frozen", "like": "copies_dropped", "add": ["mixture"], "settings": manual}
    path = tmp_path / "variants.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"variants": [*VARIANTS[:2], again]}), encoding="utf-8")
    with prepared(load_variants(path), quiet=True):
        pass
    assert {path: path.stat().st_mtime_ns for path in proxies} == before
    assert mixture(config, "frozen")["by_domain"] == learned["by_domain"]

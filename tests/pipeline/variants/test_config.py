from pathlib import Path

import pytest

from configs.errors import ConfigError
from configs.loader import CONFIGS
from pipeline.config import load_run
from pipeline.variants.checks import check_before_reading
from pipeline.variants.config import load_variants
from pipeline.variants.selection import base_run, variant_runs
from tests.pipeline.variants.conftest import SETTINGS, Make

SHIPPED = sorted((CONFIGS / "variants").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_comparisons_can_start(path: Path) -> None:
    config = load_variants(path, ("training.tokenizer=bytes",))
    base = base_run(config)
    assert list(variant_runs(config)) == [variant.name for variant in config.variants]
    parameters = check_before_reading(config, base)
    assert parameters >= 15_000_000 or config.tier == "smoke"
    assert {source.domain for source in base.sources} >= {*config.held_out.domains, *config.held_out.curated}


def test_variants_are_differences_from_the_base_run_or_from_each_other(make: Make) -> None:
    config = make(
        variants=[
            {"name": "all"},
            {"name": "raw", "stages": []},
            {"name": "copies", "like": "raw", "add": ["exact_dedup"], "settings": ["stages.exact_dedup.urls=true"]},
            {"name": "near", "like": "copies", "add": ["document_dedup"], "without": ["exact_dedup"]},
            {"name": "again", "like": "copies", "settings": ["stages.exact_dedup.urls=false"]},
        ]
    )
    runs = variant_runs(config)
    assert {name: [stage.key for stage in run.stages] for name, run in runs.items()} == {
        "all": ["normalize", "exact_dedup", "document_dedup", "select"],
        "raw": ["normalize"],
        "copies": ["normalize", "exact_dedup"],
        "near": ["normalize", "document_dedup"],
        "again": ["normalize", "exact_dedup"],
    }
    urls = {name: getattr(run.stages[1], "urls", None) for name, run in runs.items() if len(run.stages) == 2}
    assert urls == {"copies": True, "near": None, "again": False}


def test_the_base_run_has_both_dedups_and_no_stage_that_only_selects(make: Make, tmp_path: Path) -> None:
    config = make()
    path = tmp_path / "base.yaml"
    path.write_text(path.read_text().replace("- exact_dedup: {}\n- document_dedup: {}\n", "- sentence_dedup: {}\n"))
    assert [stage.key for stage in load_run(path).stages] == ["normalize", "sentence_dedup", "select"]
    assert [stage.key for stage in base_run(config).stages] == ["normalize", "exact_dedup", "document_dedup", "select"]


@pytest.mark.parametrize("name", ["leak", "half_a", "bucket_1", "a/b", ""])
def test_names_of_controls_and_folders_are_refused(make: Make, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"variants: the name '{name}' is not free, empty, or has a '/'"):
        make(variants=[{"name": "raw"}, {"name": name}])


def test_only_the_smoke_tier_reads_pieces_unless_told(make: Make) -> None:
    training = SETTINGS["training"]
    assert make().piece_bytes == 256
    assert make(tier="decision").piece_bytes == 0
    assert make(training=training | {"piece_bytes": 0}).piece_bytes == 0
    assert make(tier="decision", training=training | {"piece_bytes": 16}).piece_bytes == 16
    with pytest.raises(ConfigError, match=r"piece_bytes: got 15, wanted at least 16, or 0 for whole documents"):
        make(training=training | {"piece_bytes": 15})


def test_a_mixture_is_not_learned_beside_copies_of_what_it_is_measured_on(make: Make, tmp_path: Path) -> None:
    def runs(*without: str) -> list[str]:
        learned = {"name": "learned", "without": [*without], "settings": ["stages.mixture.method=learned"]}
        config = make(variants=[{"name": "all"}, learned])
        path = tmp_path / "base.yaml"
        path.write_text(path.read_text().replace("- select: {}\n", "- select: {}\n- mixture: {}\n"))
        return list(variant_runs(config))

    with pytest.raises(ConfigError, match=r"variants: 'learned': a mixture is learned by .* no stage compares documents"):
        runs("exact_dedup", "document_dedup")
    assert runs("exact_dedup") == runs("document_dedup") == ["all", "learned"]

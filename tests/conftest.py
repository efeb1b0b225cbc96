"""What tests of several folders share: a place like the project's root in which `make corpus` was run once on the bundled sample."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import load_run
from pipeline.quality.config import load_training
from pipeline.quality.train import train
from pipeline.run import run

ROOT = Path(__file__).parents[1]
TINY_PROXY = {"tokens": 2048, "held_out_tokens": 2048, "hidden_size": 16, "intermediate_size": 32, "heads": 2, "layers": 1}


@pytest.fixture(scope="session")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, dict[str, Any]]:
    """A finished comparison of variants: its YAML, its settings and its result. Tests only read its folder."""
    from pipeline.variants.compare import compare_variants  # loads torch, which other tests need not wait for
    from pipeline.variants.config import load_variants
    from tests.pipeline.variants.conftest import write_comparison

    path = write_comparison(tmp_path_factory.mktemp("variants"))
    config = load_variants(path)
    return path, config, compare_variants(config, quiet=True)


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `configs/`, `data/sample/` and `out/sample`, to change into. Tests may add to it, and leave `out/sample` as it is.

    The run is that of `make corpus` but for the documents of the Python environment, the size of the proxies, and Ray.
    """
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "data").mkdir()
    (folder / "configs").symlink_to(ROOT / "configs")
    for name in ("sample", "evaluation", "quality", "building_blocks"):
        (folder / "data" / name).symlink_to(ROOT / "data" / name)
    settings = yaml.safe_load((ROOT / "configs/sample.yaml").read_text(encoding="utf-8"))
    settings["sources"] = [source for source in settings["sources"] if source["name"] != "python_docs"]
    settings["engine"]["executor"] = "inprocess"
    (mixture,) = [stage["mixture"] for stage in settings["stages"] if "mixture" in stage]
    mixture["proxy"] = TINY_PROXY
    (folder / "sample.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(load_training(Path("configs/quality/sample.yaml")))
        run(load_run(Path("sample.yaml")), quiet=True)
    return folder

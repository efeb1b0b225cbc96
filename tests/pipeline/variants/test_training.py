import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import RunError
from pipeline.variants.checks import check_budgets
from pipeline.variants.config import TrainingSettings
from pipeline.variants.training import PackWork, TrainWork, pack_slice, read_nats
from tests.pipeline.variants.conftest import Make


def trained(folder: Path, nats: list[float]) -> TrainWork:
    """A finished training that measured so much."""
    np.save(folder / "nats.npy", np.array(nats))
    return TrainWork("pack", "documents", TrainingSettings(), 3, 0.02, False, True, str(folder))


def test_nats_are_those_that_a_training_left(tmp_path: Path) -> None:
    assert read_nats(trained(tmp_path, [1.5, 2.0]), "raw").tolist() == [1.5, 2.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_training_that_went_astray_is_named_and_judges_nothing(tmp_path: Path, value: float) -> None:
    with pytest.raises(RunError, match=r"'garbage', seed 3, learning rate 0.02: .* no finite number of nats for 1 of 3 held-out documents"):
        read_nats(trained(tmp_path, [1.5, value, 2.0]), "garbage")


def test_nats_that_are_gone_or_damaged_are_an_error_with_their_file(tmp_path: Path) -> None:
    work = trained(tmp_path, [1.5])
    file = tmp_path / "nats.npy"
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(RunError, match=rf"{re.escape(str(file))}: is missing or damaged; delete .* and run again"):
        read_nats(work, "raw")
    file.unlink()
    with pytest.raises(RunError, match="is missing or damaged"):
        read_nats(work, "raw")


def slice_of(folder: Path, weights: list[float]) -> str:
    """A document of 999 bytes for each weight, which are 1000 tokens with the end."""
    path = folder / "one.documents"
    path.mkdir()
    texts = [chr(ord("a") + i) * 999 for i in range(len(weights))]
    columns = {"id": [str(i) for i in range(len(weights))], "text": pa.array(texts, pa.large_string()), "weight": weights}
    pq.write_table(pa.table(columns), path / "part-000000.parquet")
    return str(path)


@pytest.mark.parametrize(
    ("budget", "tokens", "enough"),
    [(4000, 5000, True), (5500, 6000, True), (6500, 7000, True), (7500, 8000, True), (8500, 8000, False)],
)
def test_epochs_are_raised_until_the_budget_is_there_though_a_heavy_document_comes_no_more_often(
    tmp_path: Path, budget: int, tokens: int, enough: bool
) -> None:
    work = PackWork(slice_of(tmp_path, [4.0, 1.0]), "bytes", 1, budget, 4.0, str(tmp_path / "pack.tokens"))
    found = pack_slice(work)
    assert (found["tokens"], found["one_pass"], found["enough"]) == (tokens, 5000, enough)


@pytest.mark.parametrize(("name", "told"), [("good", "variant 'good'"), ("half_a", "'half_a', a part of 'raw'")])
def test_a_corpus_of_too_little_text_is_named_and_the_reference_with_it(make: Make, name: str, told: str) -> None:
    config = make(variants=[{"name": "raw"}, {"name": "good"}])
    short = {"enough": False, "one_pass": 500, "tokens": 2000}
    with pytest.raises(RunError, match=rf"^{told}, seed 2: 500 tokens give 2,000 in 4 epochs, .* each half of those of .*, 'raw'"):
        check_budgets(config, {("raw", 2): short | {"enough": True}, (name, 2): short})

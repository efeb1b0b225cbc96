import re
from pathlib import Path

import numpy as np
import pytest

from configs.errors import RunError
from pipeline.variants.config import TrainingSettings
from pipeline.variants.training import TrainWork, read_nats


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

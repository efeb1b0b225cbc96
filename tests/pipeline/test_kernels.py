"""Compiled kernels go when a source that they may take something from changes, and stay when none does."""

from pathlib import Path

import pytest

from pipeline.kernels import MARKS, ROOT, drop_stale_kernels


@pytest.mark.parametrize("folder", ["stages/text", "tokenizer"])
@pytest.mark.parametrize("changed", ["stages/constants.py", "tokenizer/merging.py"])
def test_kernels_are_dropped_when_a_source_of_theirs_changes(tmp_path: Path, folder: str, changed: str) -> None:
    compiled = tmp_path / folder / "__pycache__" / "a.py311.nbi"
    compiled.parent.mkdir(parents=True)
    (tmp_path / folder / "a.py").write_text("@kernel\ndef a(): ...\n")
    compiled.write_bytes(b"old")
    assert drop_stale_kernels(tmp_path) == 1
    compiled.write_bytes(b"new")
    assert drop_stale_kernels(tmp_path) == 0
    assert compiled.exists()
    (tmp_path / changed).parent.mkdir(exist_ok=True)
    (tmp_path / changed).write_text("@njit\ndef b(): ...\n")
    assert drop_stale_kernels(tmp_path) == 1
    assert not compiled.exists()


def test_a_file_without_kernels_outside_of_stages_drops_none(tmp_path: Path) -> None:
    compiled = tmp_path / "stages" / "__pycache__" / "a.py311.nbi"
    compiled.parent.mkdir(parents=True)
    drop_stale_kernels(tmp_path)
    compiled.write_bytes(b"new")
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "table.py").write_text("x = 1\n")
    assert drop_stale_kernels(tmp_path) == 0
    assert compiled.exists()


def test_no_other_folder_of_the_package_holds_kernels() -> None:
    others = [path for folder in ("configs", "model") for path in (ROOT / folder).rglob("*.py")]
    assert others
    assert not [path for path in others if any(mark in path.read_bytes() for mark in MARKS)]

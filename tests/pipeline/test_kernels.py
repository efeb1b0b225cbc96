"""Compiled kernels go when any source changes, and stay when none does."""

from pathlib import Path

from pipeline.kernels import drop_stale_kernels


def test_kernels_are_dropped_when_any_source_changes(tmp_path: Path) -> None:
    source, compiled = tmp_path / "text" / "a.py", tmp_path / "text" / "__pycache__" / "a.py311.nbi"
    compiled.parent.mkdir(parents=True)
    source.write_text("x = 1\n")
    compiled.write_bytes(b"old")
    assert drop_stale_kernels(tmp_path) == 1
    compiled.write_bytes(b"new")
    assert drop_stale_kernels(tmp_path) == 0
    assert compiled.exists()
    (tmp_path / "b.py").write_text("y = 2\n")
    assert drop_stale_kernels(tmp_path) == 1
    assert not compiled.exists()

"""Compiled kernels that no longer match their sources are dropped before a run.

Numba keeps compiled kernels beside their sources and looks only at the file that a kernel stands in. A kernel that calls one of another
file keeps the old machine code of that when the other file changes, as `git pull` does it: results would be those of no version. Kernels
stand mostly in `stages/`, and take functions and constants from there alone; so a change there, or in a file with kernels elsewhere,
drops them all.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("stages", "pipeline", "tokenizer")
"""Where kernels stand."""
MARKS = (b"njit", b"@kernel")
"""What a file with kernels holds."""
STAMP = "kernels.sha256"


def drop_stale_kernels(root: Path = ROOT) -> int:
    """Delete the compiled kernels of the project at `root` unless they were compiled from these very sources; how many files that were.

    An installation that cannot be written to is left as it is.
    """
    digest = hashlib.sha256()
    for file, source in _sources(root):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + source)
    folder, now = root / "stages" / "__pycache__", digest.hexdigest()
    stamp = folder / STAMP
    try:
        if stamp.is_file() and stamp.read_text() == now:
            return 0
        stale = list(_compiled(root))
        for file in stale:
            file.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        stamp.write_text(now)
    except OSError:
        return 0
    return len(stale)


def _sources(root: Path) -> Iterator[tuple[Path, bytes]]:
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.py")):
            source = file.read_bytes()
            if folder == "stages" or any(mark in source for mark in MARKS):
                yield file, source


def _compiled(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for ending in ("nbi", "nbc"):
            yield from (root / folder).rglob(f"*.{ending}")

"""Compiled kernels that no longer match their sources are dropped before a run.

Numba keeps compiled kernels beside their sources and looks only at the file that a kernel stands in. A kernel that calls one of another
file keeps the old machine code of that when the other file changes, as `git pull` does it: results would be those of no version.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

STAGES = Path(__file__).parent.parent / "stages"
STAMP = "kernels.sha256"


def drop_stale_kernels(root: Path = STAGES) -> int:
    """Delete the compiled kernels below `root` unless they were compiled from these very sources; how many files that were.

    An installation that cannot be written to is left as it is.
    """
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    folder, now = root / "__pycache__", digest.hexdigest()
    stamp = folder / STAMP
    try:
        if stamp.is_file() and stamp.read_text() == now:
            return 0
        stale = list(_compiled(root))
        for file in stale:
            file.unlink(missing_ok=True)
        folder.mkdir(exist_ok=True)
        stamp.write_text(now)
    except OSError:
        return 0
    return len(stale)


def _compiled(root: Path) -> Iterator[Path]:
    for ending in ("nbi", "nbc"):
        yield from root.rglob(f"*.{ending}")

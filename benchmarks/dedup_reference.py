"""What the measurements of document dedup are judged by: shingles in plain Python, the fates of a run, and closure as peers do it.

Nothing here is used by the pipeline or uses its kernels: the shingles go by Unicode names and categories, tuples and sets. Only the list of
simplified characters is the pipeline's own.
"""

import io
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from stages.text import fold

DATA = Path("../shared/data")
Shingles = set[tuple[str, ...]]

_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "THAI", "LAO", "TIBETAN", "MYANMAR", "KHMER")


def shingles(text: str, size: int = 5) -> Shingles:
    """Sets of `size` tokens in a row, as `stages.text.shingles` defines tokens on the view of `stages.text.fold`."""
    found: list[str] = []
    run = ""
    for character in text:
        for kind, folded in _read(character):
            if kind == "letter":
                run += folded
            elif kind != "ignored":
                if run:
                    found.append(run)
                    run = ""
                if kind == "alone":
                    found.append(folded)
    if run:
        found.append(run)
    return set(zip(*(found[i:] for i in range(size)), strict=False))


@cache
def _read(character: str) -> tuple[tuple[str, str], ...]:
    """What a character is folded to, each with its class: compatibility form, case, Han simplified one by one."""
    folded = character
    for _ in range(3):
        folded = unicodedata.normalize("NFKC", folded).casefold()
    if len(folded) > 1 and folded[0] == " ":  # spacing marks stay
        folded = character
    return tuple((_class(c), c) for c in (_simplified().get(c, c) for c in folded))


def _class(character: str) -> str:
    category, name = unicodedata.category(character), unicodedata.name(character, "")
    if category == "Cf" or "VARIATION SELECTOR" in name:
        return "ignored"
    if category == "Co":
        return "alone"
    if category[0] not in "LMN":
        return "separator"
    return "alone" if name.startswith(_UNSPACED) else "letter"


@cache
def _simplified() -> dict[str, str]:
    lines = Path(fold.__file__).with_name("simplified.txt").read_text("utf-8").splitlines()
    return {pair[0]: pair[1] for line in lines if line[0] != "#" for pair in line.split()}


def jaccard(left: Shingles, right: Shingles) -> float:
    """Shared over all; 0 if either is empty."""
    return len(left & right) / len(left | right) if left and right else 0.0


def documents(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a `.jsonl.zst` file."""
    with file.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            yield json.loads(line)


@dataclass(frozen=True)
class Fates:
    """A finished run's documents in the order of its shards, each (n,)."""

    ids: list[str]
    kept: npt.NDArray[np.bool_]
    duplicate_of: list[str | None]
    similarity: list[float | None]
    reasons: list[list[str]]
    root: npt.NDArray[np.int64]
    """Position of the first document of the same component of candidates: bands and transitive closure, nothing verified."""
    texts: dict[str, str]


def fates(folder: Path) -> Fates:
    """Read a run's ledger, texts and components. Its intermediates must be there."""
    parts = sorted((folder / "ledger").glob("*.parquet"))
    tables = [pq.read_table(part, columns=["id", "fate", "reasons", "duplicate_of", "similarity"]) for part in parts]
    bases = np.cumsum([0, *(table.num_rows for table in tables)])
    ledger = pa.concat_tables(tables)
    root = np.arange(ledger.num_rows)
    (components,) = (folder / "work").glob("components-*/answers-000000.arrow")
    answers = pa.ipc.open_file(pa.memory_map(str(components))).read_all()
    docs = answers["doc"].to_numpy()
    root[bases[docs >> 32] + (docs & 0xFFFFFFFF)] = answers["root"].to_numpy()
    texts: dict[str, str] = {}
    for part in (*(folder / "corpus").glob("*.parquet"), *(folder / "rejected").glob("*.parquet")):
        table = pq.read_table(part, columns=["id", "text"])
        texts |= dict(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))
    columns = {name: ledger[name].to_pylist() for name in ("id", "fate", "reasons", "duplicate_of", "similarity")}
    return Fates(
        ids=columns["id"],
        kept=np.array([fate == "kept" for fate in columns["fate"]]),
        duplicate_of=columns["duplicate_of"],
        similarity=columns["similarity"],
        reasons=columns["reasons"],
        root=root,
        texts=texts,
    )

"""The books are balanced: read the output files back, and compare them by id with what went in.

For each part, the ids of corpus and rejected are disjoint and together are those of the ledger, which has a row for every document
that the local pass read. From the text and the cuts of each edited document the normalised text is rebuilt, and its hash is the one that
was taken before any decision; where something is hidden, the same cuts of the shard's text must give the text that was written. Ids
are unique across parts because the id exchange made them so. A failure here is a defect of ours, so it is an assertion, and the run does
not finish.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from xxhash import xxh3_128_digest

from configs.errors import RunError
from pipeline import arrow_files, storage
from stages.edits import Span, rebuild, remove


@dataclass(frozen=True)
class CheckWork:
    """One part of the output and how many documents it must hold."""

    index: int
    num_rows: int
    output: str
    shard: str
    """The shard that the part was made from."""
    edits: bool = False
    """Whether the part has a file of edits."""


def check_part(work: CheckWork) -> dict[str, Any]:
    """Raises `AssertionError` if a document is missing, is there twice, has two fates, or cannot be rebuilt from its edits."""
    ids = {folder: _read(work, folder, ["id"])["id"].to_pylist() for folder in ("corpus", "rejected", "ledger")}
    kept, rejected = set(ids["corpus"]), set(ids["rejected"])
    assert len(ids["ledger"]) == work.num_rows, f"part {work.index}: {work.num_rows} documents were read, the ledger has another number"
    assert len(kept) + len(rejected) == len(ids["corpus"]) + len(ids["rejected"]) == work.num_rows, f"part {work.index}: repeated ids"
    assert not kept & rejected, f"part {work.index}: ids both kept and rejected: {sorted(kept & rejected)[:3]}"
    assert kept | rejected == set(ids["ledger"]), f"part {work.index}: ids in the ledger and in neither corpus nor rejected, or the reverse"
    return {"documents": work.num_rows, "kept": len(kept), "rejected": len(rejected), "rebuilt": _rebuild(work) if work.edits else 0}


def _rebuild(work: CheckWork) -> int:
    """Rebuild each edited document; how many there are."""
    cuts: dict[str, list[dict[str, Any]]] = {}
    for row in _read(work, "edits", ["id", "start", "end", "rule", "removed", "replacement"]).to_pylist():
        cuts.setdefault(row["id"], []).append(row)
    if not cuts:
        return 0
    masked = {name for name, rows in cuts.items() if any(row["removed"] is None for row in rows)}
    originals = _texts(work, masked) if masked else {}
    corpus = _read(work, "corpus", ["id", "text", "content_hash"])
    corpus = corpus.filter(pc.is_in(corpus["id"], value_set=pa.array(list(cuts), pa.string())))
    assert corpus.num_rows == len(cuts), f"part {work.index}: edits of documents that are not in the corpus"
    for row in corpus.to_pylist():
        name, text = row["id"], row["text"].encode()
        if name in masked:
            spans = [Span(cut["start"], cut["end"], cut["rule"], replacement=cut["replacement"]) for cut in cuts[name]]
            right = remove(originals[name], spans) == text
        else:
            rebuilt = rebuild(text, [(cut["start"], cut["removed"].encode(), cut["replacement"].encode()) for cut in cuts[name]])
            right = xxh3_128_digest(rebuilt) == row["content_hash"]
        assert right, f"part {work.index}: '{name}' cannot be rebuilt from its edits"
    return len(cuts)


def _texts(work: CheckWork, names: set[str]) -> dict[str, bytes]:
    """Normalised texts of some documents; the ledger has the shard's rows in their order."""
    ids = _read(work, "ledger", ["id"])["id"]
    rows = pc.indices_nonzero(pc.is_in(ids, value_set=pa.array(sorted(names), pa.string())))
    texts = arrow_files.read_table(work.shard, ["text"])["text"].take(rows).to_pylist()
    return dict(zip(ids.take(rows).to_pylist(), (text.encode() for text in texts), strict=True))


def _read(work: CheckWork, folder: str, columns: list[str]) -> pa.Table:
    uri = storage.join(work.output, folder, f"part-{work.index:06d}.parquet")
    with storage.open_input(uri) as file:
        try:
            return pq.read_table(file, columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise RunError(f"{uri}: is damaged: {error}; delete it and run `corpus run` again") from None

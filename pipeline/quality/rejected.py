"""Documents that a finished run rejected, as bad ones to train on.

Of each source those with the smallest hashes of their ids are taken, as many as the bounds let in, so the choice depends on no order of
files. These are read one by one, and no more texts than that are held: a run may have rejected a thousand times as many.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from xxhash import xxh3_64_intdigest

from configs.errors import InputError, RunError
from pipeline import storage
from pipeline.quality.config import RejectedBy, TrainConfig
from stages.filters.rules import primary_subtag

COLUMNS = ("source", "domain", "lang", "text")


class _Document(NamedTuple):
    place: int
    """In the run, for the order of documents."""
    source: str
    domain: str
    lang: str
    text: str
    num_bytes: int


@dataclass
class Smallest:
    """Documents of one source by the smallest hashes: at most `max_documents`, and none behind those that hold `max_bytes`."""

    max_documents: int
    max_bytes: int
    heap: list[tuple[int, int, _Document]] = field(default_factory=list)
    """The largest hash first, as minus the hash and minus the place."""
    num_bytes: int = 0
    bound: int = 1 << 64
    """Hashes from here on are out."""

    def offer(self, hashed: int, document: _Document) -> None:
        """Take a document in if it belongs to them; places ascend."""
        if hashed >= self.bound:
            return
        heappush(self.heap, (-hashed, -document.place, document))
        self.num_bytes += document.num_bytes
        while len(self.heap) > self.max_documents or self.num_bytes - self.heap[0][2].num_bytes >= self.max_bytes:
            largest, _, last = heappop(self.heap)
            self.bound = -largest
            self.num_bytes -= last.num_bytes


def rejected_documents(rejected: RejectedBy, config: TrainConfig) -> pa.Table:
    """Those in the model's languages, in the order of the run, with `COLUMNS`.

    Raises `InputError` if none was rejected for the reasons, and `RunError` if one comes from a source that is called as a positive is.
    """
    chosen: dict[str, Smallest] = {}
    positives = {source.name for source in config.positives}
    folder = storage.join(rejected.run, "rejected")
    num_found = place = 0
    for name in sorted(storage.list_names(folder)):
        with storage.open_input(storage.join(folder, name)) as file:
            table = pq.read_table(file, columns=["id", "reasons", *COLUMNS])
        wanted = [not set(reasons).isdisjoint(rejected.reasons) for reasons in table.column("reasons").to_pylist()]
        table = table.filter(pc.and_(pa.array(wanted, pa.bool_()), table["text"].is_valid()))
        num_found += table.num_rows
        languages = [bool(code) and primary_subtag(code) in config.languages for code in table["lang"].to_pylist()]
        table = table.filter(pa.array(languages, pa.bool_()))
        if both := positives & set(table["source"].to_pylist()):
            raise RunError(f"{config.name}: rejected: {rejected.run} has a source '{min(both)}', and so have the positives; call that one "
                           "otherwise, since a source is wholly trained on or held out")  # fmt: skip
        hashes = [xxh3_64_intdigest(document.encode()) for document in table["id"].to_pylist()]
        owners = [chosen.setdefault(source, Smallest(rejected.max_documents, config.max_bytes_per_source))
                  for source in table["source"].to_pylist()]  # fmt: skip
        rows = [row for row, (hashed, own) in enumerate(zip(hashes, owners, strict=True)) if hashed < own.bound]
        taken = table.select(COLUMNS).take(pa.array(rows, pa.int64()))
        sizes = pc.binary_length(taken["text"]).to_pylist()
        for row, num_bytes, values in zip(rows, sizes, taken.to_pylist(), strict=True):
            owners[row].offer(hashes[row], _Document(place=place + row, num_bytes=num_bytes, **values))
        place += table.num_rows
    if not num_found:
        raise InputError(f"{rejected.run}: no rejected document there has its text and one of the reasons {', '.join(rejected.reasons)}")
    documents = sorted(document for own in chosen.values() for _, _, document in own.heap)
    return pa.table({name: pa.array([getattr(document, name) for document in documents], pa.large_string()) for name in COLUMNS})

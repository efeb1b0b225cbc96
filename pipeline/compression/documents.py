"""The documents that are measured, and the phrases that no piece should hold."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from stages.batch import Batch
from stages.language import identify
from stages.safety.stage import read_list
from tokenizer.heldout import part

SPAM_LISTS = ("safety/porn.txt", "safety/gambling.txt", "safety/fraud.txt")


def held_out(batches: Iterable[pa.RecordBatch], share: float, seed: int) -> Iterator[pa.RecordBatch]:
    """The texts that are measured: id, text, domain, and lang, decided by their characters where none was given."""
    for batch in part(batches, share, seed, held_out=True):
        if batch.num_rows == 0:
            continue
        columns = {name: batch[name] for name in ("id", "text", "domain") if name in batch.schema.names}
        given = batch["lang"] if "lang" in batch.schema.names else pa.nulls(batch.num_rows, pa.string())
        if given.null_count:
            found = Batch(batch.select(["text"]))
            given = pc.coalesce(given.cast(pa.string()), identify(found.profile, found.text.lengths(), found.code.code))
        yield pa.RecordBatch.from_pydict(columns | {"lang": given})


def spam_phrases() -> tuple[str, ...]:
    """What advertising says, of the lists of the stage `safety`, as far as it is short enough to be a piece."""
    return tuple(phrase for phrase, weight in read_list(SPAM_LISTS).items() if weight > 0)

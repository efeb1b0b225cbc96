"""The documents that are measured, and the phrases that no piece should hold."""

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError
from stages.batch import Batch
from stages.language import identify
from stages.safety.stage import read_list
from tokenizer.compression.measure import Measurement, Table
from tokenizer.foreign import Measured
from tokenizer.heldout import part
from tokenizer.train import Say

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


def measured(batches: Iterable[pa.RecordBatch], tokenizers: Mapping[str, Measured], say: Say, round_trip: bool = True) -> Table:
    """What tokenizers make of the texts that `held_out` gives. Raises `InputError` if there are none."""
    measurement = Measurement(tokenizers, round_trip)
    done = 0
    for batch in batches:
        measurement.add(batch)
        done += batch.num_rows
        say("measure documents", done, 0)
    table = measurement.table()
    if not table.documents_read:
        raise InputError("there is no document to measure; check `texts`, and `held_out`: a larger share holds out more")
    return table


def spam_phrases() -> tuple[str, ...]:
    """What advertising says: the phrases of the lists of the stage `safety` that count for it."""
    return tuple(phrase for phrase, weight in read_list(SPAM_LISTS).items() if weight > 0)

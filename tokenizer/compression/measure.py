"""Counts of what tokenizers make of texts, document by document, so that groups, ratios and intervals all come from the same rows.

The rate that Baichuan published is most likely tokens per character (BAICHUAN.md, 2): lower is better. Beside it stands bytes per token,
which compares across languages: a Han character has three bytes. A word is a run of characters without ASCII white space, and only of
languages that write spaces between words: Chinese, Japanese, Thai and others have no such figure, nor has code or mixed text.

Every ratio is over the same documents for all tokenizers: a document that one of them refuses counts for none, and is named with its row
and the reason.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer.foreign import Encoded, Measured
from tokenizer.model_file import BYTE, UNKNOWN

WITHOUT_WORDS = frozenset({"zh", "ja", "yue", "th", "lo", "km", "my", "bo", "code", "mixed", "other", "none", ""})
"""Values of `lang`, up to the first hyphen, for which words are not counted."""

MOST_NAMED = 20
"""So many refused or changed documents are named for each tokenizer; all are counted."""

CHARACTERS, BYTES, WORDS = range(3)
"""Columns of `Table.texts`; words are -1 where they are not counted."""
TOKENS, BYTE_TOKENS, UNKNOWN_TOKENS, CHANGED = range(4)
"""Columns of `Use.counts`: byte tokens are a byte or another part of a character, changed is 1 for a text that comes back otherwise."""

Numbers = npt.NDArray[np.int64]
Rows = npt.NDArray[np.bool_]


@dataclass
class Use:
    """What one tokenizer made of all texts."""

    counts: Numbers
    """(documents, 4)."""
    pieces: Numbers
    """How often each id was used, (number of ids,)."""
    seconds: float = 0.0
    """Processor time to encode all texts."""
    refused: int = 0
    named: list[dict[str, Any]] = field(default_factory=list)
    """Documents that were refused or did not come back: row, id, why."""


@dataclass
class Table:
    """All documents that every tokenizer takes, and what each makes of them."""

    langs: list[str]
    """Of each document, up to the first hyphen."""
    domains: list[str]
    texts: Numbers
    """(documents, 3)."""
    uses: dict[str, Use]
    documents_read: int
    """With those that were refused."""


class Measurement:
    """Reads batch after batch; `table` is what was counted."""

    def __init__(self, tokenizers: Mapping[str, Measured], round_trip: bool = True) -> None:
        """Without `round_trip` nothing is decoded."""
        self._tokenizers = dict(tokenizers)
        self._round_trip = round_trip
        self._langs: list[str] = []
        self._domains: list[str] = []
        self._texts = [np.empty((0, 3), np.int64)]
        self._counts = {name: [np.empty((0, 4), np.int64)] for name in tokenizers}
        self._uses = {
            name: Use(np.empty((0, 4), np.int64), np.zeros(len(found.pieces.kinds), np.int64)) for name, found in tokenizers.items()
        }
        self._documents_read = 0
        for found in self._tokenizers.values():  # kernels are compiled before the clock runs
            found.encode(pa.array(["warm up 1 中文"], pa.large_string()))

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the texts of a batch: columns `id`, `text`, and where there are such `lang` and `domain`. A null counts as empty."""
        column = pc.fill_null(batch["text"].cast(pa.large_string()), "")
        kept = np.ones(len(column), np.bool_)
        encoded = {}
        for name, found in self._tokenizers.items():
            started = time.process_time()  # of all threads: neither other programs nor a package's own threads count in its favour
            encoded[name] = found.encode(column)
            self._uses[name].seconds += time.process_time() - started
            for row, why in encoded[name].refused.items():
                kept[row] = False
                self._uses[name].refused += 1
                self._name(name, batch, row, f"refused: {why}")
        langs = [lang.partition("-")[0] for lang in _strings(batch, "lang")]
        words = pc.count_substring_regex(column, r"\S+").to_numpy().astype(np.int64)
        words[[lang in WITHOUT_WORDS for lang in langs]] = -1
        self._texts.append(np.column_stack([pc.utf8_length(column), pc.binary_length(column), words]).astype(np.int64)[kept])
        self._langs += [lang for lang, keep in zip(langs, kept, strict=True) if keep]
        self._domains += [domain for domain, keep in zip(_strings(batch, "domain"), kept, strict=True) if keep]
        for name, ids in encoded.items():
            self._count(name, batch, column, ids, kept)
        self._documents_read += int(batch.num_rows)

    def table(self) -> Table:
        """Everything so far."""
        for name, use in self._uses.items():
            use.counts = np.concatenate(self._counts[name])
        return Table(self._langs, self._domains, np.concatenate(self._texts), self._uses, self._documents_read)

    def _count(self, name: str, batch: pa.RecordBatch, column: pa.Array, found: Encoded, kept: Rows) -> None:
        changed = np.zeros(len(column), np.int64)
        if self._round_trip:
            wanted = column.cast(pa.large_binary()).to_pylist()
            changed[:] = [text != back for text, back in zip(wanted, self._tokenizers[name].decode(found), strict=True)]
            for row in np.flatnonzero(changed.astype(np.bool_) & kept).tolist():
                self._name(name, batch, row, "does not come back as it was")
        kinds = self._tokenizers[name].pieces.kinds[found.ids]
        flagged = (np.diff(_sums_before(kinds == kind)[found.offsets]) for kind in (BYTE, UNKNOWN))
        sizes = np.diff(found.offsets)
        self._counts[name].append(np.column_stack([sizes, *flagged, changed])[kept])
        self._uses[name].pieces += np.bincount(found.ids[np.repeat(kept, sizes)], minlength=len(self._uses[name].pieces))

    def _name(self, name: str, batch: pa.RecordBatch, row: int, why: str) -> None:
        named = self._uses[name].named
        if len(named) < MOST_NAMED:
            named.append({"row": self._documents_read + row, "id": str(batch["id"][row]), "why": why})


def figures(table: Table, name: str, rows: Rows) -> dict[str, Any]:
    """The ratios of a tokenizer over a group of documents, `None` for what the group has none of."""
    counts, texts = table.uses[name].counts[rows], table.texts[rows]
    tokens, byte_tokens, unknown_tokens, changed = counts.sum(axis=0).tolist()
    worded = texts[:, WORDS] >= 0
    return {
        "tokens": tokens,
        "tokens_per_char": _ratio(tokens, int(texts[:, CHARACTERS].sum())),
        "bytes_per_token": _ratio(int(texts[:, BYTES].sum()), tokens),
        "tokens_per_word": _ratio(int(counts[worded, TOKENS].sum()), int(texts[worded, WORDS].sum())),
        "byte_share": _ratio(byte_tokens, tokens),
        "unknown_tokens": unknown_tokens,
        "round_trip_failures": changed,
    }


def groups(table: Table) -> list[tuple[str | None, str | None, Rows]]:
    """(language, domain, rows): all documents, those of each language, and those of each domain with its most frequent language."""
    langs, domains = np.array(table.langs, np.str_), np.array(table.domains, np.str_)
    found: list[tuple[str | None, str | None, Rows]] = [(None, None, np.ones(len(langs), np.bool_))]
    found += [(str(lang), None, langs == lang) for lang in np.unique(langs)]
    for domain in np.unique(domains):
        names, numbers = np.unique(langs[domains == domain], return_counts=True)
        found.append((str(names[np.argmax(numbers)]), str(domain), domains == domain))
    return found


def _ratio(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


def _sums_before(flags: Rows) -> Numbers:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(flags)])


def _strings(batch: pa.RecordBatch, name: str) -> list[str]:
    if name not in batch.schema.names:
        return [""] * int(batch.num_rows)
    values: list[str] = pc.fill_null(batch[name], "").to_pylist()
    return values

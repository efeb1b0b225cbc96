"""Rows are gathered as Python values, then turned into one Arrow batch: 1.1 us a row, and no copy of the text but Arrow's own."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.config import Source
from pipeline.readers.piece import Piece, Rows
from stages.schema import DOCUMENT, RAW_BYTES

BATCH_TEXT_BYTES = 4 << 20
"""A batch is closed when its texts have reached this size: stages read them again and again, and of 16 MiB less stays in the cache."""

_FAULT_COLUMNS = {name: DOCUMENT.field(name).type for name in ("fault", "fault_detail", "raw")}


def record_limit(source: Source) -> int:
    """Bytes of the largest record that is held in memory: a document of the largest size with escapes and other fields."""
    return 2 * source.max_document_bytes + (1 << 20)


class RowBuilder:
    """Gathers the documents of one piece. `full` says that it is time to `flush`."""

    def __init__(self, piece: Piece, source: Source, batch_rows: int) -> None:
        self._constant = {
            "source": source.name,
            "domain": source.domain or source.name,
            "licence": source.licence,
            "path": piece.relative,
        }
        self._lang = None if source.lang == "auto" else source.lang
        self._max_document_bytes = source.max_document_bytes
        self._before = 0 if piece.first_record is None else piece.first_record - 1
        self._batch_rows = batch_rows
        self._clear()

    def _clear(self) -> None:
        self._documents: list[tuple[Any, ...]] = []
        self._faults: dict[int, tuple[str, str, bytes]] = {}
        self._text_bytes = 0

    @property
    def full(self) -> bool:
        """Whether the batch has its number of rows or bytes."""
        return len(self._documents) >= self._batch_rows or self._text_bytes >= BATCH_TEXT_BYTES

    def document(
        self,
        record: int,
        text: str,
        num_bytes: int,
        *,
        id: str | None = None,  # noqa: A002  the column's name
        url: str | None = None,
        lang: str | None = None,
        meta: bytes | None = None,
    ) -> None:
        """Add a document. `record` counts from 1 in the piece; `num_bytes` is an upper bound of the text in UTF-8."""
        if num_bytes > self._max_document_bytes and len(encoded := text.encode()) > self._max_document_bytes:
            detail = f"{len(encoded)} bytes of text; max_document_bytes is {self._max_document_bytes}"
            self.fault(record, "document_too_large", detail, encoded, id=id, url=url)
            return
        self._text_bytes += num_bytes
        self._documents.append((id, text, url, lang or self._lang, meta, record))

    def fault(
        self,
        record: int,
        fault: str,
        detail: str,
        raw: bytes,
        *,
        id: str | None = None,  # noqa: A002  the column's name
        url: str | None = None,
    ) -> None:
        """Add a row for a record that could not be read; the first RAW_BYTES of `raw` are kept."""
        self._faults[len(self._documents)] = (fault, detail, raw[:RAW_BYTES])
        self._documents.append((id, "", url, self._lang, None, record))
        self._text_bytes += min(len(raw), RAW_BYTES)

    def flush(self, records: int) -> Rows:
        """The rows since the last flush, and the count of records that goes with them."""
        num_rows = len(self._documents)
        ids, texts, urls, langs, metas, numbers = zip(*self._documents, strict=True) if num_rows else ((),) * 6
        columns = {"id": ids, "text": texts, "url": urls, "lang": langs, "meta": metas}
        arrays = {name: pa.array(values, DOCUMENT.field(name).type) for name, values in columns.items()}
        if self._faults:
            faults = [self._faults.get(row, (None, None, None)) for row in range(num_rows)]
            arrays |= {name: pa.array([fault[i] for fault in faults], kind) for i, (name, kind) in enumerate(_FAULT_COLUMNS.items())}
        batch = self.batch(arrays, np.array(numbers, np.int64))
        self._clear()
        return Rows(batch, records)

    def batch(self, columns: dict[str, pa.Array], records: npt.NDArray[np.int64]) -> pa.RecordBatch:
        """Rows of these columns and of what is the same for all rows of the piece. `records` count from 1 in the piece."""
        constant = {name: pa.repeat(pa.scalar(value, pa.string()), len(records)) for name, value in self._constant.items()}
        faultless = {name: pa.nulls(len(records), kind) for name, kind in _FAULT_COLUMNS.items()}
        arrays = faultless | columns | constant | {"record": pa.array(records + self._before)}
        return pa.RecordBatch.from_arrays([arrays[name] for name in DOCUMENT.names], schema=DOCUMENT)

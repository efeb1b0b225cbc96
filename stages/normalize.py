r"""Text in one form: Unicode NFC, `\n` as the only line end, no invisible characters, no white space at line ends.

Equal texts must be equal bytes before hashes, n-grams and rules look at them. NFC changes nothing that a reader sees. NFKC also
folds full-width letters, ligatures and circled numbers; it damages formulas (x² becomes x2) and Chinese punctuation (， becomes a
comma), so it is offered and not the default. Nothing is mended by guessing: mojibake stays and is counted by
`replacement_char_share`.

A kernel does the byte work and finds the few documents that may not be in the normal form (`stages.text.rewrite`); only these pass
through `unicodedata`. A batch without changes is handed on as it is. What exactly is removed is said in `stages.text.rewrite`.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar, Literal, cast
from unicodedata import normalize

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from configs.loader import SettingError
from stages.batch import Batch
from stages.stage import Stage
from stages.text.buffers import TextBuffer, string_array
from stages.text.characters import HAN_END, HAN_FIRST
from stages.text.rewrite import CHECK, actions, rewrite, unlike_normal_form


@dataclass(frozen=True, kw_only=True)
class Normalize(Stage):
    """Settings of the text form. A run without this stage keeps texts as they were read."""

    key: ClassVar[str] = "normalize"
    judges: ClassVar[bool] = False

    form: Literal["NFC", "NFKC", "none"] = "NFC"
    """Unicode normal form; `none` leaves characters as they are, and still removes the invisible ones."""
    simplify: bool = False
    """Write traditional Chinese in simplified characters (OpenCC t2s, by phrases). Needs the `opencc` extra."""

    def __post_init__(self) -> None:
        if self.simplify and find_spec("opencc") is None:
            raise SettingError("simplify", "needs OpenCC, which is not installed; run: pip install 'baichuan-corpus[opencc]'")

    def adds(self) -> tuple[pa.Field, ...]:
        """`normalized_chars`: characters of the input that were removed or replaced.

        The byte work counts each such character once. Normal form and simplification add the characters, counted with repeats, that
        the text held before and does not hold after.
        """
        return (pa.field("normalized_chars", pa.int32()),)

    def annotate(self, batch: Batch) -> Batch:
        """Rewrite `text` where needed; keep the very buffer where not."""
        text, changed, to_check = rewrite(batch.text, _table(self.form, self.simplify))
        converted: dict[int, bytes] = {}
        if self.form != "none" or self.simplify:
            for index in np.flatnonzero(to_check).tolist():
                before = text.document(index).decode()
                after = self._convert(before)
                if after != before:
                    changed[index] += (Counter(before) - Counter(after)).total()
                    converted[index] = after.encode()
        columns = {"normalized_chars": pa.array(changed)}
        if converted or text is not batch.text:
            columns["text"] = string_array(*_replace(text, converted))
        return batch.with_columns(columns)

    def _convert(self, text: str) -> str:
        if self.form != "none":
            text = normalize(self.form, text)
        return cast(str, _opencc().convert(text)) if self.simplify else text


@lru_cache
def _table(form: str, simplify: bool) -> npt.NDArray[np.uint8]:
    """Actions of `stages.text.rewrite`, with `CHECK` for each character that normal form or simplification may change."""
    table = actions().copy()
    if form != "none":
        table[unlike_normal_form(form)] |= CHECK
    if simplify:
        for code in range(HAN_FIRST, HAN_END):
            if _opencc().convert(chr(code)) != chr(code):
                table[code] |= CHECK
    table.flags.writeable = False
    return table


@lru_cache(maxsize=1)
def _opencc() -> Any:
    return import_module("opencc").OpenCC("t2s")


def _replace(text: TextBuffer, documents: dict[int, bytes]) -> TextBuffer:
    """The texts with some documents exchanged; `documents` is in ascending order."""
    lengths = text.lengths()
    pieces = []
    done = 0
    for index, document in documents.items():
        pieces += [text.data[text.offsets[done] : text.offsets[index]], np.frombuffer(document, np.uint8)]
        lengths[index] = len(document)
        done = index + 1
    pieces.append(text.data[text.offsets[done] : text.offsets[-1]])
    offsets = np.zeros(len(text) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return TextBuffer(np.concatenate(pieces), offsets)

"""The stage `pii`: masks what names or exposes a person, and counts it by kind."""

import string
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from configs.loader import Between, SettingError
from stages.batch import Batch
from stages.edits import spans_column
from stages.pii import KINDS, NAMES, Found
from stages.pii import anchors as places
from stages.pii.addresses import emails, ipv4, ipv6
from stages.pii.numbers import numbers
from stages.pii.secrets import assigned, keys, private_keys
from stages.stage import Stage
from stages.text.buffers import TextBuffer

MASKS = pa.list_(
    pa.struct(
        [
            pa.field("start", pa.int64()),
            pa.field("end", pa.int64()),
            pa.field("rule", pa.string()),
            pa.field("replacement", pa.string()),
        ]
    )
)

BEFORE_BYTES = 96
AFTER_BYTES = (280, 40, 40, 40, 280, 280, 8192)
"""What of a text is looked at before an anchor, and behind one of each kind."""


def _dotted(window: str, start: int, end: int) -> Iterator[Found]:
    """An address, and numbers before it: 13812345678 39.156.66.10."""
    yield from ipv4(window, start, end)
    yield from numbers(window, start, end)


_FINDERS: dict[int, Callable[[str, int, int], Iterator[Found]]] = {
    places.AT: emails,
    places.NUMBER: numbers,
    places.DOTTED: _dotted,
    places.COLONS: ipv6,
    places.KEY: keys,
    places.ASSIGNED: assigned,
    places.BLOCK: private_keys,
}
_WIDE = {
    ord("＠"): "@",
    ord("．"): ".",
    ord("－"): "-",
    ord("＿"): "_",
    ord("＋"): "+",
    ord("（"): "(",
    ord("）"): ")",
    ord("　"): " ",
} | {ord(sign) + 0xFEE0: sign for sign in string.digits + string.ascii_letters}
"""Signs that numbers and addresses are written with; not ，and ： and the like, which end them."""


@dataclass(frozen=True, kw_only=True)
class Pii(Stage):
    """What is masked, and from how many on a document goes. What was masked stays out of `edits/` too."""

    key: ClassVar[str] = "pii"
    proposes: ClassVar[bool] = True

    mask: tuple[Literal["email", "ip", "phone", "id_card", "bank_card", "passport", "api_key", "private_key"], ...] = NAMES  # type: ignore[assignment]
    """Kinds that are replaced by a placeholder such as `<EMAIL>`; the others are only counted, and hide none that is masked."""
    drop_from: dict[str, Annotated[int, Between(1)]] | None = None
    """Kind -> number of hits from which on a document is rejected as `pii_<kind>`: a leaked table of customers is no text."""

    def __post_init__(self) -> None:
        if unknown := [kind for kind in self.drop_from or () if kind not in NAMES]:
            raise SettingError("drop_from", f"got '{unknown[0]}', wanted one of {', '.join(NAMES)}")

    def adds(self) -> tuple[pa.Field, ...]:
        """`pii_spans`, the masks, and `pii_<kind>`, how many of each kind a document holds."""
        return (pa.field(spans_column(self.key), MASKS), *(pa.field(f"pii_{name}", pa.int32()) for name in NAMES))

    def annotate(self, batch: Batch) -> Batch:
        """Look at each anchor of each text."""
        counts = {name: np.zeros(len(batch), np.int32) for name in NAMES}
        rows: list[int] = []
        spans: list[dict[str, Any]] = []
        masks: dict[str, str] = {kind.name: kind.mask for kind in KINDS if kind.name in self.mask}
        every = list(_hits(batch.text))
        for document, kind, _, _ in _disjoint(every):
            counts[kind][document] += 1
        for document, kind, start, end in _disjoint(hit for hit in every if hit.kind in masks):
            rows.append(document)
            spans.append({"start": start, "end": end, "rule": f"pii_{kind}", "replacement": masks[kind]})
        offsets = np.searchsorted(np.array(rows, np.int64), np.arange(len(batch) + 1)).astype(np.int32)
        columns: dict[str, pa.Array] = {
            spans_column(self.key): pa.ListArray.from_arrays(pa.array(offsets), pa.array(spans, MASKS.value_type))
        }
        return batch.with_columns(columns | {f"pii_{name}": pa.array(counted) for name, counted in counts.items()})

    def reasons(self, columns: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
        """`pii_<kind>` where a document holds as many as `drop_from` says."""
        found = {}
        for kind, number in (self.drop_from or {}).items():
            mask = np.asarray(pc.greater_equal(columns[f"pii_{kind}"], number))
            if mask.any():
                found[f"pii_{kind}"] = mask
        return found

    def computed_by(self) -> dict[str, Any]:
        """Which kinds are masked."""
        return {"mask": sorted(self.mask)}

    def describe(self) -> tuple[str, ...]:
        """What is masked and what drops a document."""
        drops = ", ".join(f"{number} {kind}" for kind, number in (self.drop_from or {}).items()) or "none"
        return (f"masks {', '.join(sorted(self.mask)) or 'nothing'}; hits from which a document goes: {drops}",)


class Hit(NamedTuple):
    """Bytes `start` to `end` of a document."""

    document: int
    kind: str
    start: int
    end: int


def find(text: TextBuffer) -> list[Hit]:
    """All personal data, in the order of the text and disjoint."""
    return _disjoint(_hits(text))


def _hits(text: TextBuffer) -> Iterator[Hit]:
    """What is found at each anchor; a number may be part of an address or a key."""
    found = places.anchors(text)
    for document, start, end, anchor in zip(*(column.tolist() for column in found), strict=True):
        low, high = int(text.offsets[document]), int(text.offsets[document + 1])
        window_start = max(low, start - BEFORE_BYTES)
        while window_start > low and text.data[window_start] & 0xC0 == 0x80:
            window_start -= 1
        window, at = _decoded(text.data[window_start : min(high, end + AFTER_BYTES[anchor])].tobytes())
        begin, stop = _position(at, start - window_start), _position(at, end - window_start)
        for kind, hit_start, hit_end in _FINDERS[anchor](window, begin, stop):
            yield Hit(document, kind, window_start - low + _byte(at, hit_start), window_start - low + _byte(at, hit_end))


def _disjoint(hits: Iterable[Hit]) -> list[Hit]:
    """Of hits that overlap the longest, and what it leaves room for."""
    chosen: list[Hit] = []
    together: list[Hit] = []
    end = (-1, 0)
    for hit in sorted(hits, key=lambda hit: (hit.document, hit.start)):
        if (hit.document, hit.start) >= end:
            chosen += _longest(together)
            together = []
        together.append(hit)
        end = max(end, (hit.document, hit.end))
    return chosen + _longest(together)


def _longest(together: list[Hit]) -> list[Hit]:
    chosen: list[Hit] = []
    for hit in sorted(together, key=lambda hit: hit.start - hit.end):
        if all(hit.end <= other.start or other.end <= hit.start for other in chosen):
            chosen.append(hit)
    return sorted(chosen, key=lambda hit: hit.start)


def _decoded(window: bytes) -> tuple[str, list[int] | None]:
    """The window with full-width signs as ASCII, and the byte where each character begins; None if all are one byte."""
    if window.isascii():
        return window.decode(), None
    text = window.decode(errors="surrogateescape")
    starts = list(accumulate(map(_width, text), initial=0))
    return (text.translate(_WIDE) if b"\xef" in window else text), starts


def _width(character: str) -> int:
    """Bytes of a character; a byte that is no UTF-8 stands for itself."""
    return (
        1
        if character < "\x80" or "\udc80" <= character <= "\udcff"
        else 2
        if character < "\u0800"
        else 3
        if character < "\U00010000"
        else 4
    )


def _position(starts: list[int] | None, byte: int) -> int:
    """The character that begins at a byte, or the next."""
    return byte if starts is None else bisect_left(starts, byte)


def _byte(starts: list[int] | None, position: int) -> int:
    return position if starts is None else starts[position]

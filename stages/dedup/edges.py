"""Edge boilerplate: what stands at the begin or the end of many documents, hardly anywhere else, and says nothing about their text.

`央视网消息（新闻联播）：` opens 3,794 of 4,126 items of a news programme, 457 times on a line of its own; `LONDON (Reuters) -` and `（完）`
are of the kind, and no list knows them all. A piece is a short sentence, the opening of one, or the bracket that closes one. An edge is the
first and the last `EDGE_LINES` lines. A piece is boilerplate if `EDGE_OCCURRENCES` of its occurrences anywhere are at edges, so that
子曰： stays, which also begins sentences in mid-text, and

- if it opens prose at the edge of `min_documents` documents: it ends in a colon or a dash, or is all in brackets, and the sentence that
  follows ends like one. Labels shorter than `MIN_OPENING` (`答：`, `Note:`) are part of the text;
- or if it stands at the edge of so many documents that are `min_share` of those of one source: the header or footer of a site.

Counting documents alone is not enough. On the real data it would have cut the names of 300 poets and tunes, which stand above thousands
of poems, `This act shall expire after 225 days …` and reviews that say `好吃！`; a share of 2 % of a source is no frame.
All copies go: no document is the one that a dateline belongs to, so these cuts name no partner.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer
from stages.text.characters import decode
from stages.text.fold import token_classes
from stages.text.kernel import kernel
from stages.text.shingles import most_shingles
from stages.text.units import Units, folded, num_characters

EDGE_LINES = 3
"""Lines from the top and from the bottom, blank ones not counted: a title, a line below it, and the begin of the text."""
EDGE_OCCURRENCES = 0.9
"""Of all occurrences of a piece, what share is at edges."""
MAX_BYTES = 120
"""Longer pieces are text: 40 Chinese characters, 120 English letters."""
MIN_OPENING = 4
"""Han characters of an opening; a word counts as two."""
MAX_OPENINGS = 3
"""`上海（记者 张三）：` could end three times; the longest opening that is boilerplate is cut."""

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]


class Pieces(NamedTuple):
    """Candidates of a batch, each (m,), ordered by sentence; `start` and `end` are offsets into the buffer's data."""

    hashes: UInt64s
    unit: Int64s
    start: Int64s
    end: Int64s
    at_edge: npt.NDArray[np.bool_]
    opens: npt.NDArray[np.bool_]
    """Opens prose, at an edge."""


class Counts(NamedTuple):
    """How often each piece occurs in the documents of a source, each (m,)."""

    hashes: UInt64s
    source: Int64s
    openings: Int64s
    """Documents at whose edge it opens prose."""
    documents: Int64s
    """Documents at whose edge it stands."""
    at_edge: Int64s
    occurrences: Int64s


def pieces(text: TextBuffer, units: Units) -> Pieces:
    """The pieces of all sentences that are free."""
    text = text.read_only()
    most = int(units.free.sum()) * (MAX_OPENINGS + 2)
    places, hashes, flags = np.empty((3, most), np.int64), np.empty(most, np.uint64), np.empty((2, most), np.bool_)
    scratch = np.empty(most_shingles(2 * MAX_BYTES), np.uint64)
    fields = (units.start, units.end, units.hashes, units.free, units.opens, units.closes, units.from_top, units.from_bottom)
    found = _pieces(text.data, *fields, token_classes(), _signs(), scratch, places, hashes, flags)
    return Pieces(hashes[:found], *places[:, :found], *flags[:, :found])


def count(pieces: Pieces, document: Int64s, source: int) -> Counts:
    """Count the pieces of documents of one source; `document` is that of each piece, ascending."""
    order = np.argsort(pieces.hashes, kind="stable")
    hashes, document = pieces.hashes[order], document[order]
    starts = _starts(hashes)
    group = np.cumsum(starts) - 1
    size = int(starts.sum())

    def documents(mask: npt.NDArray[np.bool_]) -> Int64s:
        """In how many documents each piece has the property."""
        at = np.flatnonzero(mask[order])
        new = np.ones(len(at), np.bool_)
        new[1:] = (np.diff(group[at]) > 0) | (np.diff(document[at]) > 0)
        return np.bincount(group[at][new], minlength=size)

    at_edge = np.bincount(group[pieces.at_edge[order]], minlength=size)
    counted = (documents(pieces.opens), documents(pieces.at_edge), at_edge, np.bincount(group, minlength=size))
    return Counts(hashes[starts], np.full(size, source, np.int64), *counted)


def boilerplate(counts: Counts, documents_of_source: Int64s, min_documents: int, min_share: float) -> UInt64s:
    """Hashes of the pieces that are boilerplate, ascending. `counts` come from batches that share no document, in any order."""
    order = np.lexsort((counts.source, counts.hashes))
    hashes, source = counts.hashes[order], counts.source[order]
    if not len(hashes):
        return hashes
    first = np.flatnonzero(_starts(hashes))
    openings, at_edge, occurrences = (np.add.reduceat(f[order], first) for f in (counts.openings, counts.at_edge, counts.occurrences))
    both = _starts(hashes)
    both[1:] |= np.diff(source) != 0
    site = np.flatnonzero(both)
    documents = np.add.reduceat(counts.documents[order], site)
    framed = (documents >= min_documents) & (documents >= min_share * documents_of_source[source[site]])
    frame = np.logical_or.reduceat(framed, np.searchsorted(site, first))
    mask = (at_edge >= EDGE_OCCURRENCES * occurrences) & ((openings >= min_documents) | frame)
    return hashes[first][mask]


def _starts(ordered: UInt64s) -> npt.NDArray[np.bool_]:
    starts = np.ones(len(ordered), np.bool_)
    starts[1:] = ordered[1:] != ordered[:-1]
    return starts


_CLOSERS = tuple(map(ord, ")）]］】〕〗"))
_OPENERS = tuple(map(ord, "(（[［【〔〖"))
_COLONS = tuple(map(ord, ":："))
_DASHES = tuple(map(ord, "-–—─"))
_STOPS = tuple(map(ord, ".。！!…"))  # a question is a title
_WHITE = (0x20, 0x09, 0xA0, 0x3000)


@lru_cache(maxsize=1)
def _signs() -> npt.NDArray[np.bool_]:
    """For each byte, whether a character that it starts may be one of these signs, or has four bytes, (256,)."""
    signs = np.zeros(256, np.bool_)
    signs[[chr(code).encode()[0] for code in (*_CLOSERS, *_OPENERS, *_COLONS, *_DASHES, *_STOPS, 0x3000)]] = True
    signs[0xF0:] = True
    return signs


_CLOSING_QUOTES = tuple(map(ord, "”’」』\"'"))


@kernel
def _pieces(  # type: ignore[no-untyped-def]
    data, starts, ends, units, free, opens, closes, from_top, from_bottom, classes, signs, scratch, places, hashes, flags
):
    found = 0
    for unit in range(len(starts)):
        if not free[unit]:
            continue
        start, end = starts[unit], ends[unit]
        top = opens[unit] and from_top[unit] < EDGE_LINES
        bottom = closes[unit] and from_bottom[unit] < EDGE_LINES
        if end - start <= MAX_BYTES:
            places[0, found], places[1, found], places[2, found] = unit, start, end
            hashes[found], flags[0, found], flags[1, found] = units[unit], top or bottom, False
            found += 1
        prose = _is_prose(data, start, end)
        at = start
        for _ in range(MAX_OPENINGS):
            at = _opening(data, start, at, min(end, start + MAX_BYTES), end, signs)
            if at < 0 or at >= end:
                break
            value, num_tokens = folded(data, start, at, classes, scratch)
            if 2 * num_tokens - num_characters(data, start, at) >= MIN_OPENING:
                places[0, found], places[1, found], places[2, found] = unit, start, at
                hashes[found], flags[0, found], flags[1, found] = value, top, top and prose
                found += 1
        at = _closing(data, start, end)
        if start < at < end:
            value, num_tokens = folded(data, at, end, classes, scratch)
            if num_tokens:
                places[0, found], places[1, found], places[2, found] = unit, at, end
                hashes[found], flags[0, found], flags[1, found] = value, bottom, False
                found += 1
    return found


@kernel
def _is_prose(data, start, end):  # type: ignore[no-untyped-def]
    """Whether the sentence ends like one, closers left out."""
    at = _before(data, start, end)
    code, _ = decode(data, at, end)
    while at > start and (code in _CLOSING_QUOTES or code in _CLOSERS):
        end = at
        at = _before(data, start, end)
        code, _ = decode(data, at, end)
    return code in _STOPS


@kernel
def _opening(data, start, at, limit, end, signs):  # type: ignore[no-untyped-def]
    """Behind the first place from `at` on where an opening may end, and behind the signs and spaces there; -1 if there is none.

    After a colon that stands in no number or address, after a dash between spaces or a double one, and after brackets that open the
    sentence or follow one of these.
    """
    outside = False  # something stands outside brackets
    depth = 0
    before = np.int64(0)
    place = start
    while place < limit:
        byte = data[place]
        if not signs[byte]:  # Han and letters: nearly all there is
            outside |= depth == 0 and byte > 0x20
            before = np.int64(byte)
            place += 1 if byte < 0xE0 else 3
            continue
        code, width = decode(data, place, end)
        after = place + width
        stops = False
        if code in _OPENERS:
            depth += 1
        elif code in _CLOSERS:
            depth -= 1
            stops = depth == 0 and not outside
        elif code in _STOPS and code != 0x2E:
            return -1
        elif code in _COLONS:
            stops = after < end and data[after] != 0x2F and not (0x30 <= before <= 0x39 and 0x30 <= data[after] <= 0x39)
        elif code in _DASHES:
            stops = (before in _WHITE and after < end and data[after] in (0x20, 0x2D, 0xE2)) or (code == 0x2014 and before == 0x2014)
        else:
            outside |= depth == 0
        if stops:
            while after < end:
                code, width = decode(data, after, end)
                if not (code in _WHITE or code in _COLONS or code in _DASHES):
                    break
                after += width
            if after > at:
                return after
            outside = False  # brackets may follow
        before = code
        place = after
    return -1


@kernel
def _closing(data, start, end):  # type: ignore[no-untyped-def]
    """Where the bracket begins that the sentence ends with; `end` if it ends with none."""
    at = _before(data, start, end)
    closer, _ = decode(data, at, end)
    opener = 0
    for kind in range(len(_CLOSERS)):
        if _CLOSERS[kind] == closer:
            opener = _OPENERS[kind]
    while opener > 0 and at > start and end - at <= MAX_BYTES:
        at = _before(data, start, at)
        code, _ = decode(data, at, end)
        if code == opener:
            return at
        if code == closer:
            break
    return end


@kernel
def _before(data, start, at):  # type: ignore[no-untyped-def]
    """Where the character begins that ends at `at`, which is behind `start`."""
    at -= 1
    while at > start and data[at] & 0xC0 == 0x80:
        at -= 1
    return at

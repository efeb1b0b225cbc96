"""Training texts of equal length on both sides: documents are cut into windows, and windows are drawn.

A good source of long articles and a bad one of short comments would teach a model length, and one of laws beside a hundred of spam would
teach it law. So each document is cut into runs of whole sentences whose lengths are drawn from one distribution, single sentences to
`max_tokens`; of each language and octave of length as many good as bad windows are taken; and within a class each domain gives the same
number, as far as it has them.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.quality.config import Windows
from stages.quality.tokens import UNENDED, spaced
from stages.text.buffers import TextBuffer, text_buffer
from stages.text.sentences import Sentences, sentences

Numbers = npt.NDArray[np.int64]


class Cut(NamedTuple):
    """m windows of a table of documents; the last four are (m,)."""

    text: TextBuffer
    sentences: Sentences
    """Of all documents."""
    tokens: TextBuffer
    """Of each sentence, as `spaced` gives them."""
    document: Numbers
    first: Numbers
    last: Numbers
    """Sentences `first:last`."""
    length: Numbers
    """Tokens."""

    def line(self, window: int, marked: bool = True) -> bytes:
        """The tokens of one window, each followed by a space; with `UNENDED` or without."""
        offsets = self.tokens.offsets
        tokens = self.tokens.data[offsets[self.first[window]] : offsets[self.last[window]]].tobytes()
        return tokens if marked else tokens.replace(f"{UNENDED} ".encode(), b"")

    def take(self, windows: Numbers) -> "Cut":
        """Some of the windows."""
        return self._replace(**{name: getattr(self, name)[windows] for name in ("document", "first", "last", "length")})


def cut(texts: pa.ChunkedArray, settings: Windows, rng: np.random.Generator) -> Cut:
    """Cut each text from its beginning to its end; what is left at the end is a window too if it has `min_tokens`."""
    text = text_buffer(texts.combine_chunks()).read_only()
    found = sentences(text)
    tokens, counts = spaced(text, found)
    targets = np.exp(rng.uniform(np.log(settings.min_tokens), np.log(settings.max_tokens), len(counts)))
    document = np.repeat(np.arange(len(text)), np.diff(found.offsets))
    until = np.cumsum(counts)
    starts, stops = np.empty(len(counts), np.int64), np.empty(len(counts), np.int64)
    number = _cut(found.offsets, until, targets, starts, stops)
    starts, stops = starts[:number], stops[:number]
    padded = np.append(0, until)
    length = padded[stops] - padded[starts]
    keep = length >= settings.min_tokens
    return Cut(text, found, tokens, document[starts[keep]], starts[keep], stops[keep], length[keep])


def draw(found: Cut, lang: Numbers, good: npt.NDArray[np.bool_], domain: Numbers, settings: Windows, rng: np.random.Generator) -> Numbers:
    """Numbers of the windows to train on, shuffled; a number may come up to `max_repeats` times. The arrays tell of each document."""
    octave = np.log2(found.length).astype(np.int64)
    octaves = len(np.unique(octave))
    good, domain = good[found.document], domain[found.document]
    taken = []
    for rows in _groups(lang[found.document] * 64 + octave):
        sides = [[side[at] for at in _groups(domain[side])] for side in (rows[good[rows]], rows[~good[rows]])]
        there = [sum(map(len, side)) for side in sides]
        wanted = min(min(there) * settings.max_repeats, max(there), -(-settings.max_windows // octaves))
        taken += [windows for side in sides for windows in _shared_out(side, wanted, settings.max_repeats, rng)]
    return rng.permutation(np.concatenate(taken)) if taken else np.zeros(0, np.int64)


def _groups(key: Numbers) -> list[Numbers]:
    """Places of each value, in the order of the values."""
    order = np.argsort(key, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(key[order])) + 1) if len(key) else []


def _shared_out(domains: Sequence[Numbers], wanted: int, max_repeats: int, rng: np.random.Generator) -> Iterator[Numbers]:
    """`wanted` windows, the same number from each domain; domains that have fewer, repeats counted, leave theirs to the others."""
    left = wanted
    for place, windows in enumerate(sorted(domains, key=len)):
        number = min(left // (len(domains) - place), len(windows) * max_repeats)
        left -= number
        rounds = [rng.permutation(windows) for _ in range(-(-number // max(len(windows), 1)))]
        if rounds:
            yield np.concatenate(rounds)[:number]


@njit(cache=True, nogil=True)
def _cut(offsets, until, targets, starts, stops):  # type: ignore[no-untyped-def]
    """Write first and last sentence of each window; return their number. `until` is the running sum of tokens."""
    number = 0
    for document in range(len(offsets) - 1):
        at = offsets[document]
        while at < offsets[document + 1]:
            before = until[at - 1] if at > 0 else 0
            stop = at + 1
            while stop < offsets[document + 1] and until[stop - 1] - before < targets[at]:
                stop += 1
            starts[number] = at
            stops[number] = stop
            number += 1
            at = stop
    return number

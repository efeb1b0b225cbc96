"""The tokens of a text with their places: what questions and documents are compared by.

As in `stages.text.shingles` a run of letters and digits is a token, and so is a character of a script written without spaces; all are
folded (`stages.text.fold`: width, case, traditional to simplified), everything else only separates. So re-punctuated, re-wrapped and
traditional copies have the same tokens. One core, real text: docs/decontamination.md.
"""

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer, read_only
from stages.text.fold import ALONE, CLASS_SHIFT, CODE, EXPANDED, IGNORED, LETTER, SEPARATOR, entry_at, token_classes
from stages.text.kernel import kernel

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_32 = np.uint64(32)
_LETTER_ENTRY = LETTER << CLASS_SHIFT


def token_hashes(text: TextBuffer) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Tokens of each text: text i has `hashes[offsets[i]:offsets[i + 1]]`.

    >>> data = np.frombuffer("新法, New law".encode(), np.uint8)
    >>> token_hashes(TextBuffer(data, np.array([0, len(data)])))[0].tolist()
    [0, 4]
    """
    most = most_tokens(int(text.lengths().sum()))
    hashes, unused = np.empty(most, np.uint64), np.empty(most, np.int64)
    offsets = np.zeros(len(text) + 1, np.int64)
    _tokenize_all(read_only(text.data), read_only(text.offsets), token_classes(), hashes, unused, unused, offsets)
    return offsets, hashes[: offsets[-1]].copy()


def most_tokens(num_bytes: int) -> int:
    """No text of so many bytes has more tokens: ㌖, of three bytes, is folded to six kana."""
    return 2 * num_bytes + 1


@kernel
def _tokenize_all(data, offsets, classes, hashes, starts, ends, out_offsets):  # type: ignore[no-untyped-def]
    at = 0
    for text in range(len(offsets) - 1):
        at = tokenize(data, offsets[text], offsets[text + 1], classes, hashes, starts, ends, at)
        out_offsets[text + 1] = at


@kernel
def tokenize(data, start, end, classes, hashes, starts, ends, count):  # type: ignore[no-untyped-def]
    """Write the tokens of `data[start:end]` from `hashes[count]` on, with the places of their bytes; return where they end.

    Characters of an expansion (㈱) have the place of the whole character.
    """
    run = _STEP
    in_run = False
    run_start = start
    run_end = start
    at = start
    while at < end:
        entry, width = entry_at(data, at, end, classes)
        kind = entry >> CLASS_SHIFT
        parts, place = np.int64(1), np.int64(0)
        if kind == EXPANDED:
            place = entry & CODE
            parts = np.int64(classes[place])
        for _ in range(parts):
            if place:
                place += 1
                entry = np.int64(classes[place])
                kind = entry >> CLASS_SHIFT
            if kind == IGNORED:
                continue
            if kind == LETTER:
                if not in_run:
                    run_start = at
                run = (run ^ np.uint64(entry & CODE)) * _STEP
                in_run = True
                run_end = at + width
                continue
            if in_run:
                hashes[count] = mixed(run)
                starts[count] = run_start
                ends[count] = run_end
                count += 1
                run = _STEP
                in_run = False
            if kind == ALONE:
                hashes[count] = mixed(np.uint64(entry & CODE) * _STEP)
                starts[count] = at
                ends[count] = at + width
                count += 1
        at += width
        if in_run:  # not needed for the result: English is faster with this loop
            while at < end and data[at] < 0x80 and classes[data[at]] >= _LETTER_ENTRY:
                run = (run ^ np.uint64(classes[data[at]] & CODE)) * _STEP
                at += 1
                run_end = at
    if in_run:
        hashes[count] = mixed(run)
        starts[count] = run_start
        ends[count] = run_end
        count += 1
    return count


@kernel
def mixed(value):  # type: ignore[no-untyped-def]
    """A number of which each bit depends on all lower and upper ones."""
    value ^= value >> _32
    value *= _MIX
    return value ^ (value >> _32)


assert SEPARATOR < IGNORED < LETTER < ALONE < EXPANDED, "an ASCII entry at or above `_LETTER_ENTRY` must be a letter"

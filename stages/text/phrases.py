"""Many phrases looked for at once: an Aho-Corasick automaton over UTF-8 bytes, ASCII letters without regard to case.

Aho, Corasick 1975. The table of moves is complete, so a text costs one look-up a byte whatever the number of phrases: 220 MB/s of text
that is searched with 600 phrases, on one core. Most lines hold no phrase: `first_phrase` tells by the first four bytes of all phrases,
and goes on only where one may begin.
"""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import read_only
from stages.text.characters import DIGIT, HAN, SPACE, class_of, decode
from stages.text.kernel import kernel, last_bytes


class Phrases(NamedTuple):
    """The automaton. State 0 is the beginning."""

    moves: npt.NDArray[np.int32]
    """Next state, (num_states, 256); capital ASCII letters move like small ones."""
    found: npt.NDArray[np.int32]
    """Number of the longest phrase that ends in a state, -1 for none, (num_states,)."""
    shorter: npt.NDArray[np.int32]
    """The state of the next shorter phrase that ends there too, 0 for none, (num_states,)."""
    ends_phrase: npt.NDArray[np.bool_]
    """Whether any phrase ends in a state, (num_states,)."""
    kind: npt.NDArray[np.int32]
    """What the caller gave for each phrase, (num_phrases,)."""
    length: npt.NDArray[np.int64]
    """Bytes, (num_phrases,)."""


def compile_phrases(phrases: Mapping[str, int]) -> Phrases:
    """Phrase -> kind (any number of the caller's) to an automaton. Empty phrases are refused."""
    children: list[dict[int, int]] = [{}]
    found = [-1]
    words = [phrase.lower().encode() for phrase in phrases]
    for number, word in enumerate(words):
        assert word, "an empty phrase is everywhere"
        state = 0
        for byte in word:
            if byte not in children[state]:
                children[state][byte] = len(children)
                children.append({})
                found.append(-1)
            state = children[state][byte]
        found[state] = number
    moves = np.zeros((len(children), 256), np.int32)
    shorter = np.zeros(len(children), np.int32)
    fallback = np.zeros(len(children), np.int32)
    queue = deque([0])
    while queue:
        state = queue.popleft()
        back = fallback[state]
        moves[state] = moves[back]  # of a shorter suffix, so already complete; the beginning stays where it is
        for byte, child in children[state].items():
            fallback[child] = moves[back, byte] if state else 0
            moves[state, byte] = child
            suffix = fallback[child]
            shorter[child] = suffix if found[suffix] >= 0 else shorter[suffix]
            queue.append(child)
    moves[:, 0x41:0x5B] = moves[:, 0x61:0x7B]
    kinds = np.array(list(phrases.values()), np.int32)
    longest = np.array(found, np.int32)
    return Phrases(moves, longest, shorter, (longest >= 0) | (shorter > 0), kinds, np.array([len(word) for word in words], np.int64))


class Openings(NamedTuple):
    """Where a phrase may begin."""

    starts: npt.NDArray[np.uint8]
    """By hash of four bytes in which capital and small ASCII letters are alike: the last three bits of the bytes behind them with which a
    phrase goes on, as bits; all where a phrase ends, 0 where none begins; (65536,)."""
    depth: npt.NDArray[np.int32]
    """Bytes from the beginning to each state of the automaton, (num_states,)."""


class PhraseSearch(NamedTuple):
    """Phrases, ready to search texts of which most hold none."""

    phrases: Phrases
    openings: Openings


def phrase_search(phrases: Mapping[str, int]) -> PhraseSearch:
    """Phrase -> kind, as `compile_phrases` takes them."""
    compiled = compile_phrases(phrases)
    starts = np.zeros(1 << 16, np.uint8)
    depth = np.zeros(len(compiled.found), np.int32)
    for phrase in phrases:
        word = phrase.lower().encode()
        state = 0
        for at, byte in enumerate(word, 1):
            state = compiled.moves[state, byte]
            depth[state] = at
        missing = max(4 - len(word), 0)
        if missing == 3:  # a phrase of one byte: no bytes are worth telling apart
            starts[:] = 0xFF
            continue
        behind = np.arange(256**missing, dtype=np.uint64) << np.uint64(8 * (4 - missing)) if missing else np.zeros(1, np.uint64)
        first = np.uint64(int.from_bytes(word[:4], "little"))
        starts[((first | behind | _FOLD) * _MIX & _FOUR_BYTES) >> _SHIFT] |= 1 << (word[4] & 7) if len(word) > 4 else 0xFF
    return PhraseSearch(compiled, Openings(read_only(starts), read_only(depth)))


_FOLD, _FOUR_BYTES = np.uint64(0x20202020), np.uint64(0xFFFFFFFF)
_MIX, _SHIFT = np.uint64(0x9E3779B1), np.uint64(16)
_32, _7 = np.uint64(32), np.uint64(7)
_STRIDE = 4
"""So many groups of five bytes begin in the first bytes of eight."""


@kernel
def first_phrase(data, chunks, start, end, limit, starts, depth, moves, ends_phrase):  # type: ignore[no-untyped-def]
    """A place in `data[start:end]` up to which no phrase begins, -1 if none is there; `limit`: up to where the data may be read."""
    for at in range(start, end, _STRIDE):
        chunk = chunks[at] if at + 8 <= limit else last_bytes(data, at, limit)
        possible = np.int64(0)  # by bits
        for ahead in range(_STRIDE):
            goes_on = np.int64(starts[np.int64(((chunk | _FOLD) * _MIX & _FOUR_BYTES) >> _SHIFT)])
            possible |= (goes_on >> np.int64(chunk >> _32 & _7) & 1) << ahead
            chunk >>= np.uint64(8)
        if possible:
            for begin in range(at, min(at + _STRIDE, end)):
                if not possible >> begin - at & 1:
                    continue
                state = 0
                for place in range(begin, end):
                    state = moves[state, data[place]]
                    if depth[state] != place + 1 - begin:  # no phrase goes on like this
                        break
                    if ends_phrase[state]:
                        return begin
    return np.int64(-1)


@kernel
def stands_alone(data, start, end, low, high, classes):  # type: ignore[no-untyped-def]
    """Whether `data[start:end]` within `data[low:high]` is no part of a longer word, address, path or option.

    A word written in letters and digits ends where they end; a Han character belongs to the phrase before it if that is Han too.
    """
    if start > low:
        code, _ = decode(data, _character_before(data, start, low), high)
        if _continues(code, decode(data, start, high)[0], classes):
            return False
    if end < high:
        code, _ = decode(data, end, high)
        return not _continues(code, decode(data, _character_before(data, end, start), high)[0], classes)
    return True


@kernel
def full_stop_at(data, at, high, classes):  # type: ignore[no-untyped-def]
    """Whether a full stop stands at `at` < high, behind which no letter or digit goes on as in an address."""
    if at >= high or data[at] != 0x2E:
        return False
    return at + 1 == high or not HAN < class_of(decode(data, at + 1, high)[0], classes) <= DIGIT


@kernel
def _character_before(data, end, low):  # type: ignore[no-untyped-def]
    at = end - 1
    while at > low and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


@kernel
def _continues(outside, inside, classes):  # type: ignore[no-untyped-def]
    own = class_of(inside, classes)
    if own >= SPACE:
        return False
    if own == HAN:
        return class_of(outside, classes) == HAN
    return HAN < class_of(outside, classes) <= DIGIT or outside in (0x2D, 0x2E, 0x2F, 0x3D, 0x40, 0x5F, 0x60)  # - . / = @ _ `

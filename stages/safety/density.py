"""The densest window: the largest sum of weights of different phrases within so many bytes of a text.

One phrase says little: news and laws name what spam advertises. Spam names it in many ways at once, so each phrase counts once in a window.
Phrases of those who write about it (police, courts, research) have weights below 0; a warning stands before what it warns of or behind it,
so they count as far from a window as it is long, on both sides. No word may go on where a phrase begins or ends in letters; Han may stand
beside other Han.

Texts are read as `stages.text.fold` shows them, character by character: 博彩網站 and ＰＫ１０ are 博彩网站 and pk10. A character that is
folded to several stays itself.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer
from stages.text.characters import HAN, character_classes, class_of, decode, decode_last
from stages.text.fold import CLASS_SHIFT, CODE, EXPANDED, token_classes
from stages.text.kernel import kernel
from stages.text.phrases import Phrases, compile_phrases, full_stop_at, stands_alone

MOST_HITS = 4096
"""So many hits of a document are looked at; what has more is decided by then."""
_OPENS = 1 << 24
"""Marks a character with which a phrase begins."""


class Weighted(NamedTuple):
    """The phrases of several lists in one automaton: a text is searched once for all of them."""

    phrases: Phrases
    characters: npt.NDArray[np.int32]
    """What each code point is folded to, | `_OPENS` if a phrase begins with that, (0x110000,)."""
    num_chars: npt.NDArray[np.int64]
    """Of each phrase, (num_phrases,)."""
    weights: npt.NDArray[np.float64]
    """Of each phrase in each list, (num_phrases, num_lists); 0 where a list has it not."""


def compile_weighted(lists: Sequence[Mapping[str, float]]) -> Weighted:
    """Each list is phrase -> weight."""
    folds = single_folds()
    folded = [{"".join(map(chr, folds[list(map(ord, phrase))])): weight for phrase, weight in weights.items()} for weights in lists]
    phrases = list(dict.fromkeys(phrase for weights in folded for phrase in weights))
    characters = folds.copy()
    characters[np.isin(folds, [ord(phrase[0]) for phrase in phrases])] |= _OPENS
    matrix = np.array([[weights.get(phrase, 0.0) for weights in folded] for phrase in phrases], np.float64)
    return Weighted(compile_phrases(dict.fromkeys(phrases, 0)), characters, np.array(list(map(len, phrases)), np.int64), matrix)


@lru_cache(maxsize=1)
def single_folds() -> npt.NDArray[np.int32]:
    """What each code point is folded to, itself if that is several, (0x110000,)."""
    table = token_classes()
    pages = table[0x10000 + 0x100 : 0x10000 + 0x1100]
    entries = np.concatenate([table[:0x10000], table[(pages[:, None] + np.arange(0x100)).ravel()]])
    codes = entries & CODE
    itself = (codes == 0) | (entries >> CLASS_SHIFT == EXPANDED)
    return np.where(itself, np.arange(0x110000, dtype=np.int32), codes)


def densest_window(text: TextBuffer, weighted: Weighted, window_bytes: int) -> npt.NDArray[np.float32]:
    """The score of each document by each list, (n, num_lists); 0 where no window has a sum above 0."""
    text = text.read_only()
    phrases = weighted.phrases
    scores = np.zeros((len(text), weighted.weights.shape[1]), np.float32)
    scratch = np.zeros(len(weighted.weights), np.bool_), np.empty(MOST_HITS, np.int64), np.empty(MOST_HITS, np.int64)
    automaton = phrases.moves, phrases.found, phrases.shorter, phrases.ends_phrase
    classes = character_classes()
    _score(text.data, text.offsets, classes, *automaton, *weighted[1:], window_bytes, *scratch, scores)
    return scores


@kernel
def _score(  # type: ignore[no-untyped-def]
    data, offsets, classes, moves, found, shorter, ends_phrase, characters, num_chars, weights, window, inside, places, phrases, scores
):
    for document in range(len(offsets) - 1):
        low, high = offsets[document], offsets[document + 1]
        count = 0
        state = np.int32(0)
        at = low
        while at < high:
            if data[at] < 0x80:
                while at < high and data[at] < 0x80:
                    state = moves[state, data[at]]
                    at += 1
                    if ends_phrase[state]:
                        break
            else:
                code, width = decode(data, at, high)
                at += width
                if code < 0:
                    state = np.int32(0)
                    continue
                folded = characters[code]
                if state == 0 and folded < _OPENS:
                    continue
                state = _next(moves, state, folded & _OPENS - 1)
            if not ends_phrase[state]:
                continue
            here = state if found[state] >= 0 else shorter[state]
            while here > 0 and count < len(places):
                phrase = found[here]
                begin = at
                for _ in range(num_chars[phrase]):
                    begin -= 1
                    while data[begin] & 0xC0 == 0x80:
                        begin -= 1
                first, last = decode(data, begin, at)[0], decode_last(data, begin, at)[0]
                left = begin if class_of(first, classes) == HAN else low
                right = at if class_of(last, classes) == HAN or full_stop_at(data, at, high, classes) else high
                if stands_alone(data, begin, at, left, right, classes):
                    _insert(places, phrases, count, begin, phrase)
                    count += 1
                here = shorter[here]
        if count:
            for number in range(weights.shape[1]):
                scores[document, number] = _densest(places, phrases, count, weights, number, window, inside)


@kernel
def _next(moves, state, code):  # type: ignore[no-untyped-def]
    """The state after the UTF-8 bytes of a character."""
    if code < 0x80:
        return moves[state, code]
    if code < 0x800:
        return moves[moves[state, 0xC0 | code >> 6], 0x80 | code & 0x3F]
    lead = moves[state, 0xE0 | code >> 12] if code < 0x10000 else moves[moves[state, 0xF0 | code >> 18], 0x80 | code >> 12 & 0x3F]
    return moves[moves[lead, 0x80 | code >> 6 & 0x3F], 0x80 | code & 0x3F]


@kernel
def _insert(places, phrases, count, place, phrase):  # type: ignore[no-untyped-def]
    """Hits come in the order of their ends, and are wanted in that of their beginnings."""
    at = count
    while at > 0 and places[at - 1] > place:
        places[at], phrases[at] = places[at - 1], phrases[at - 1]
        at -= 1
    places[at], phrases[at] = place, phrase


@kernel
def _densest(places, phrases, count, weights, number, window, inside):  # type: ignore[no-untyped-def]
    """`inside` tells which phrases are in the sum; it is all False before and after."""
    best = 0.0
    before = 0  # the first hit that is near enough to count against a window that begins at `first`
    for first in range(count):
        if weights[phrases[first], number] <= 0:
            continue
        while places[first] - places[before] > window:
            before += 1
        total = 0.0
        near = before
        last = first
        while last < count and places[last] - places[first] <= window:
            if weights[phrases[last], number] > 0 and not inside[phrases[last]]:
                inside[phrases[last]] = True
                total += weights[phrases[last], number]
                while near < count and places[near] - places[last] <= window:
                    if weights[phrases[near], number] < 0 and not inside[phrases[near]]:
                        inside[phrases[near]] = True
                        total += weights[phrases[near], number]
                    near += 1
                best = max(best, total)
            last += 1
        for hit in range(before, max(near, last)):
            inside[phrases[hit]] = False
    return best

"""The densest window: the largest sum of weights of different phrases within so many bytes of a text.

One phrase says little: news and laws name what spam advertises. Spam names it in many ways at once, so each phrase counts once in a window.
Phrases of those who write about it (police, courts, research) have weights below 0; a warning stands before what it warns of or behind it,
so they count as far from a window as it is long, on both sides. A phrase in letters must stand alone.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer
from stages.text.characters import HAN, character_classes, class_of, decode
from stages.text.kernel import kernel
from stages.text.phrases import Phrases, compile_phrases, stands_alone

MOST_HITS = 4096
"""So many hits of a document are looked at; what has more is decided by then."""


class Weighted(NamedTuple):
    """The phrases of several lists in one automaton: a text is searched once for all of them."""

    phrases: Phrases
    weights: npt.NDArray[np.float64]
    """Of each phrase in each list, (num_phrases, num_lists); 0 where a list has it not."""


def compile_weighted(lists: Sequence[Mapping[str, float]]) -> Weighted:
    """Each list is phrase -> weight."""
    phrases = list(dict.fromkeys(phrase for weights in lists for phrase in weights))
    matrix = np.array([[weights.get(phrase, 0.0) for weights in lists] for phrase in phrases], np.float64)
    return Weighted(compile_phrases(dict.fromkeys(phrases, 0)), matrix)


def densest_window(text: TextBuffer, weighted: Weighted, window_bytes: int) -> npt.NDArray[np.float32]:
    """The score of each document by each list, (n, num_lists); 0 where no window has a sum above 0."""
    text = text.read_only()
    scores = np.zeros((len(text), weighted.weights.shape[1]), np.float32)
    scratch = np.zeros(len(weighted.weights), np.bool_), np.empty(MOST_HITS, np.int64), np.empty(MOST_HITS, np.int64)
    _score(text.data, text.offsets, character_classes(), *weighted.phrases, weighted.weights, window_bytes, *scratch, scores)
    return scores


@kernel
def _score(  # type: ignore[no-untyped-def]
    data, offsets, classes, moves, found, shorter, ends_phrase, kind, length, weights, window_bytes, inside, places, phrases, scores
):
    for document in range(len(offsets) - 1):
        low, high = offsets[document], offsets[document + 1]
        count = 0
        state = 0
        for at in range(low, high):
            state = moves[state, data[at]]
            if not ends_phrase[state]:
                continue
            here = state if found[state] >= 0 else shorter[state]
            while here > 0 and count < len(places):
                phrase = found[here]
                begin = at + 1 - length[phrase]
                code, _ = decode(data, begin, high)
                if class_of(code, classes) == HAN or stands_alone(data, begin, at + 1, low, high, classes):
                    _insert(places, phrases, count, begin, phrase)
                    count += 1
                here = shorter[here]
        if count:
            for number in range(weights.shape[1]):
                scores[document, number] = _densest(places, phrases, count, weights, number, window_bytes, inside)


@kernel
def _insert(places, phrases, count, place, phrase):  # type: ignore[no-untyped-def]
    """Hits come in the order of their ends, and are wanted in that of their beginnings."""
    at = count
    while at > 0 and places[at - 1] > place:
        places[at], phrases[at] = places[at - 1], phrases[at - 1]
        at -= 1
    places[at], phrases[at] = place, phrase


@kernel
def _densest(places, phrases, count, weights, number, window_bytes, inside):  # type: ignore[no-untyped-def]
    """`inside` tells which phrases are in the sum; it is all False before and after."""
    best = 0.0
    before = 0  # the first hit that is near enough to count against a window that begins at `first`
    for first in range(count):
        if weights[phrases[first], number] <= 0:
            continue
        while places[first] - places[before] > window_bytes:
            before += 1
        total = 0.0
        near = before
        last = first
        while last < count and places[last] - places[first] <= window_bytes:
            if weights[phrases[last], number] > 0 and not inside[phrases[last]]:
                inside[phrases[last]] = True
                total += weights[phrases[last], number]
                while near < count and places[near] - places[last] <= window_bytes:
                    if weights[phrases[near], number] < 0 and not inside[phrases[near]]:
                        inside[phrases[near]] = True
                        total += weights[phrases[near], number]
                    near += 1
                best = max(best, total)
            last += 1
        for hit in range(before, max(near, last)):
            inside[phrases[hit]] = False
    return best

"""The densest window: the largest sum of weights of different phrases within so many bytes of a text.

One phrase says little: news and laws name what spam advertises. Spam names it in many ways at once, so each phrase counts once in a window,
and phrases of those who write about it (police, courts, research) have weights below 0. A phrase in letters must stand alone.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.text.buffers import TextBuffer
from stages.text.characters import HAN, character_classes, class_of, decode
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
    scratch = np.zeros(len(weighted.weights), np.int64), np.empty(MOST_HITS, np.int64), np.empty(MOST_HITS, np.int64)
    _score(text.data, text.offsets, character_classes(), *weighted.phrases, weighted.weights, window_bytes, *scratch, scores)
    return scores


@njit(cache=True, nogil=True)
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
                    places[count] = begin
                    phrases[count] = phrase
                    count += 1
                here = shorter[here]
        if count:
            for number in range(weights.shape[1]):
                scores[document, number] = _densest(places, phrases, count, weights[:, number], window_bytes, inside)


@njit(cache=True, nogil=True)
def _densest(places, phrases, count, weight, window_bytes, inside):  # type: ignore[no-untyped-def]
    """`inside` counts each phrase in the window; it is all zeros before and after."""
    best = 0.0
    total = 0.0
    first = 0
    for last in range(count):
        phrase = phrases[last]
        inside[phrase] += 1
        if inside[phrase] == 1:
            total += weight[phrase]
        while places[last] - places[first] > window_bytes:
            leaving = phrases[first]
            inside[leaving] -= 1
            if inside[leaving] == 0:
                total -= weight[leaving]
            first += 1
        best = max(best, total)
    for hit in range(first, count):
        inside[phrases[hit]] = 0
    return best

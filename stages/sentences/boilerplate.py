"""Lines and sentences that belong to the page and not to the text: menus, cookie and copyright notices, calls to share, read or subscribe.

The phrases are in `configs/sentences/{zh,en}.yaml`, by what they prove (`KINDS`), and are all looked for at once. Only short lines are
searched, and at the edges of a document the first and last sentence of a longer line. A menu is told by how much of a line is menu words:
`国内` is a heading, `首页 | 国内 | 财经` is none. Where a line holds several sentences and less than half of it is boilerplate, only those
sentences are proposed. Source: our lists, after C4's (cookie, terms of use, javascript) and MAP-CC's; rates in docs/sentence_rules.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from configs.loader import SettingError, find_file, load, read_yaml
from stages.sentences import Mask, Proposal, Signals
from stages.text.blocks import MENU_ITEM_BYTES
from stages.text.characters import DIGIT, character_classes, class_of, decode
from stages.text.kernel import eight_bytes, kernel
from stages.text.lines import Lines, one_of
from stages.text.phrases import PhraseSearch, first_phrase, phrase_search, stands_alone

MAX_BYTES = 240
"""Longer lines and sentences are no boilerplate: 80 Chinese characters, 240 English letters."""
OPENING_BYTES = 150
"""The same where only the opening is known: `责任编辑：`, a name, and no more."""

MENU_LINES = 5
"""So many short lines in a row are a menu if half of them are known items."""

KINDS = {"anywhere": 1, "opening": 2, "whole": 4, "menu": 8}
_ANYWHERE, _OPENING, _WHOLE, _MENU = KINDS.values()


@dataclass(frozen=True, kw_only=True)
class PhraseFile:
    """A phrase list; the comments in the shipped files say what each kind proves."""

    anywhere: tuple[str, ...] = ()
    opening: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    menu: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind in KINDS:
            if not all(phrase.strip() for phrase in getattr(self, kind)):
                raise SettingError(kind, "an empty phrase would be found in every line; remove it")


@lru_cache(maxsize=4)
def compile_files(files: Sequence[str]) -> PhraseSearch:
    """The phrases of some files as one automaton; a phrase may be of several kinds."""
    kinds: dict[str, int] = {}
    for file in files:
        lists = load(PhraseFile, read_yaml(find_file(file)))
        for kind, bit in KINDS.items():
            for phrase in getattr(lists, kind):
                kinds[phrase.lower()] = kinds.get(phrase.lower(), 0) | bit
    return phrase_search(kinds)


def propose(signals: Signals) -> Proposal:
    """Boilerplate lines, and boilerplate sentences of lines that are mostly text."""
    line, edge = signals.lines, signals.edge
    size = line.end - line.start
    short = np.flatnonzero(signals.free & line.short & (size <= MAX_BYTES) & (line.first != ord("#")))  # a heading belongs to its text
    found = _Found(signals, line.start[short], line.end[short])
    menu = found.is_menu(edge[short], line.last[short]) | _in_menu(signals, short, found)
    phrase = ~menu & found.is_phrase(edge[short])
    long = np.flatnonzero(signals.free & edge & (size > MAX_BYTES))
    start, end = _sentences(signals, line, short[phrase], long)
    return Proposal(np.concatenate([line.start[short[menu]], start]), np.concatenate([line.end[short[menu]], end]))


def _in_menu(signals: Signals, short: npt.NDArray[np.int64], found: "_Found") -> Mask:
    """Which of the short lines stand in a menu of one item a line: five in a row, half of them known, ends known."""
    line = signals.lines
    known = np.zeros(len(line.start), np.bool_)
    known[short] = found.is_item()
    if not known.any():
        return np.zeros(len(short), np.bool_)
    item = known | (signals.free & line.short & (line.end - line.start <= MENU_ITEM_BYTES) & ~one_of(line.last, _TERMINALS))
    written = np.flatnonzero(~line.blank)
    inside = np.zeros(len(line.start), np.bool_)
    kept = np.zeros(len(written), np.bool_)
    _mark_menus(item[written], known[written], line.document[written], kept)
    inside[written] = kept
    mask: Mask = inside[short]
    return mask


@kernel
def _mark_menus(item, known, document, inside):  # type: ignore[no-untyped-def]
    first = 0
    while first < len(item):
        stop = first
        num_known = 0
        last = -1
        while stop < len(item) and item[stop] and document[stop] == document[first]:
            if known[stop]:
                num_known += 1
                last = stop
            stop += 1
        if last >= 0:
            while not known[first]:
                first += 1
            if last - first + 1 >= MENU_LINES and 2 * num_known >= last - first + 1:
                inside[first : last + 1] = True
        first = max(stop, first + 1)


def _sentences(
    signals: Signals, line: Lines, short: npt.NDArray[np.int64], long: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Boilerplate sentences of the short lines, and among the first and last of the long ones; the whole line if that is half of it."""
    if len(short) + len(long) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows = np.concatenate([short, long])
    begins = signals.sentences.bounds[:-1]
    first = np.searchsorted(begins, line.start[rows], "right") - 1
    last = np.maximum(first, np.searchsorted(begins, line.end[rows], "left") - 1)
    last[len(short) :] = np.where(last[len(short) :] > first[len(short) :], last[len(short) :], first[len(short) :] - 1)
    count = last - first + 1
    row = np.repeat(np.arange(len(rows)), count)
    which = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + first[row]
    outer = (row < len(short)) | (which == first[row]) | (which == last[row])
    row, which = row[outer], which[outer]
    start = np.maximum(begins[which], line.start[rows[row]])
    end = np.minimum(signals.sentences.bounds[which + 1], line.end[rows[row]])
    hit = (end - start <= MAX_BYTES) & _Found(signals, start, end).is_phrase(signals.edge[rows[row]])
    removed = np.bincount(row[hit], (end - start)[hit], len(rows))
    size = line.end[rows] - line.start[rows]
    whole = (np.arange(len(rows)) < len(short)) & ((count == 1) | (2 * removed >= size))
    hit &= ~whole[row]
    return np.concatenate([line.start[rows[whole]], start[hit]]), np.concatenate([line.end[rows[whole]], end[hit]])


class _Found:
    """What was found in some stretches of text."""

    def __init__(self, signals: Signals, start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> None:
        counts = np.zeros((6, len(start)), np.int32)
        data, searched = signals.text.data, signals.boilerplate
        tables = character_classes(), *searched.phrases, *searched.openings
        _search(data, eight_bytes(data), start, end, *tables, np.zeros(MAX_BYTES, np.bool_), counts)
        self.kinds, self.num_menu, self.covered, self.letters, self.separators, self.digits = counts
        self.size = end - start

    def is_phrase(self, edge: Mask) -> Mask:
        """Holds a phrase that proves it, or consists of such."""
        opens = edge & (self.kinds & _OPENING > 0) & (self.size <= OPENING_BYTES)
        only = (self.kinds & _WHOLE > 0) & (self.covered == self.letters) & (self.digits == 0)
        mask: Mask = (self.kinds & _ANYWHERE > 0) | opens | only
        return mask

    def is_item(self) -> Mask:
        """Is one word of a menu, or a phrase that fills a line."""
        mask: Mask = (self.kinds & (_WHOLE | _MENU) > 0) & (self.covered == self.letters) & (self.digits == 0)
        return mask

    def is_menu(self, edge: Mask, last: npt.NDArray[np.int32]) -> Mask:
        """Mostly menu words, or several items between separators, two of which are menu words."""
        mask = np.zeros(len(self.size), np.bool_)
        rows = np.flatnonzero(self.num_menu >= 2)
        edge, num_menu, covered, letters = edge[rows], self.num_menu[rows], self.covered[rows], self.letters[rows]
        share = covered / np.maximum(letters, 1)
        many = (num_menu >= 3) & (share >= np.where(edge, 0.5, 0.9))
        pair = edge & (covered == letters)
        row = edge & (self.separators[rows] >= 3)
        mask[rows] = (many | pair | row) & ~one_of(last[rows], _TERMINALS)
        return mask


_TERMINALS = ".!?。！？；"
_SEPARATORS = tuple(ord(character) for character in "|｜·•>›»/«‹&")


@kernel
def _search(  # type: ignore[no-untyped-def]
    data, chunks, starts, ends, classes, moves, found, shorter, ends_phrase, kind, length, first_bytes, depth, covered, counts
):
    for unit in range(len(starts)):
        start = starts[unit]
        end = min(ends[unit], start + MAX_BYTES)
        at = first_phrase(data, chunks, start, end, len(data), first_bytes, depth, moves, ends_phrase)
        if at < 0:
            continue
        covered[: end - start] = False
        state = 0
        while at < end:
            state = moves[state, data[at]]
            at += 1
            if not ends_phrase[state]:
                continue
            here = state if found[state] >= 0 else shorter[state]
            while here > 0:
                phrase = found[here]
                here = shorter[here]
                begin = at - length[phrase]
                kinds = kind[phrase]
                if kinds & (_WHOLE | _MENU) and not stands_alone(data, begin, at, start, end, classes):
                    kinds &= _ANYWHERE | _OPENING
                if kinds & _OPENING and not _opens(data, start, begin, classes):
                    kinds &= ~_OPENING
                if kinds == 0:
                    continue
                counts[0, unit] |= kinds
                counts[1, unit] += kinds & _MENU > 0 and not covered[begin - start]
                covered[begin - start : at - start] = True
        if counts[0, unit] == 0:
            continue
        all_counts = counts[0, unit] & (_ANYWHERE | _OPENING) > 0 or counts[1, unit] > 1
        at = start
        while at < end:
            code, width = decode(data, at, end)
            character = class_of(code, classes)
            if character < DIGIT:
                counts[3, unit] += 1
                counts[2, unit] += covered[at - start]
                if not all_counts and not covered[at - start]:
                    break  # what is all that matters of a phrase that should fill its line
            counts[4, unit] += character > DIGIT and code in _SEPARATORS
            counts[5, unit] += character == DIGIT
            at += width


@kernel
def _opens(data, start, begin, classes):  # type: ignore[no-untyped-def]
    """Whether no letter or digit stands in `data[start:begin]`."""
    at = start
    while at < begin:
        code, width = decode(data, at, begin)
        if class_of(code, classes) <= DIGIT:
            return False
        at += width
    return True

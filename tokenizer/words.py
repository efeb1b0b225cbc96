"""The words of a training corpus and how often each stands there: all that SentencePiece's trainer needs, at a part of the memory.

BPE counts pairs within words. A corpus has each word many times, so we count words once, in compiled code over Arrow buffers, and hand
the trainer a table `word <tab> count`: no line is too long for it, none is skipped, and the corpus is never held. A word here is what
no piece may reach across:

- a space begins a word (with its spaces before, where pieces of white space alone are wanted); other white space stands alone;
- a decimal digit or other numeral of any script is a word by itself, so no piece holds two digits;
- scripts do not mix: Han with kana, Hangul, Latin, other letters, signs, emoji, private use; as SentencePiece's `split_by_unicode_script`;
- user-defined symbols end a word and are not counted, nor are control characters, U+2581 and U+2585, which the trainer keeps for itself.

Chinese clauses are long and hardly repeat. They are also cut between characters that stand side by side fewer than `least` times: a
piece that holds such a pair would be rarer still, so where the last piece that is learnt is at least that frequent, the cuts change
nothing (SentencePiece logs that frequency; `tokenizer.train` compares). On the real data they save 40 % of the trainer's memory.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.text.buffers import TextBuffer
from stages.text.characters import (
    CONTROL,
    DIGIT,
    EMOJI,
    HAN,
    HANGUL,
    KANA,
    LATIN,
    LETTER,
    PRIVATE,
    REPLACEMENT,
    SPACE,
    character_classes,
    class_of,
    decode,
)
from stages.text.kernel import kernel
from tokenizer.vocabulary import MULTIPLIER, Symbols, symbol_at

MAX_WORD_CHARS = 256
"""A longer run without a cut is no language; it is cut here. The trainer's own limit is 65,535."""

PAIR_SLOTS = 1 << 24
"""Counters of pairs; pairs that share one are counted together, which only spares some cuts. 128 MB."""

_SIGN = 32
_KEPT_BY_TRAINER = (0x2581, 0x2585)


class Counted(NamedTuple):
    """Words, and what was seen on the way."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    """Word w is `data[offsets[w]:offsets[w + 1]]`."""
    counts: npt.NDArray[np.int64]
    num_cut: int
    """How often a word was cut for its length."""


class WordCounter:
    """Counts words of one batch after the other. `num_bytes` says what the table holds."""

    def __init__(self, symbols: Symbols, whitespace_pieces: bool, pairs: npt.NDArray[np.int64] | None = None, least: int = 0) -> None:
        """`pairs` are the counters of `count_pairs`; `None` cuts at no pair."""
        self._symbols, self._runs = symbols, whitespace_pieces
        self._pairs = np.zeros(1, np.int64) if pairs is None else pairs
        self._least = 0 if pairs is None else least
        self._slots = np.full(1 << 16, -1, np.int64)
        self._hashes = np.empty(1 << 15, np.uint64)
        self._counts = np.empty(1 << 15, np.int64)
        self._offsets = np.zeros((1 << 15) + 1, np.int64)
        self._data = np.empty(1 << 19, np.uint8)
        self._state = np.zeros(3, np.int64)  # number of words, of words cut for their length, of characters of words

    @property
    def num_words(self) -> int:
        """Different words so far."""
        return int(self._state[0])

    @property
    def num_bytes(self) -> int:
        """Bytes of the different words so far."""
        return int(self._offsets[self.num_words])

    @property
    def num_chars(self) -> int:
        """Characters of the different words so far."""
        return int(self._state[2])

    def add(self, text: TextBuffer, copies: npt.NDArray[np.int64]) -> None:
        """Count the words of each document so many times."""
        done = np.int64(0)
        while done < len(text):
            done = _count_words(
                *text.read_only(), copies, done, self._symbols, character_classes(), self._runs, self._pairs, self._least,
                self._slots, self._hashes, self._counts, self._offsets, self._data, self._state,
            )  # fmt: skip
            if done < len(text):
                self._grow(int(text.offsets[done + 1] - text.offsets[done]))

    def counted(self) -> Counted:
        """All words, the most frequent first and equals by hash: the order of the texts decides nothing."""
        words = self.num_words
        order = np.lexsort((self._hashes[:words], -self._counts[:words]))
        sizes = np.diff(self._offsets[: words + 1])[order]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        data = np.empty(self.num_bytes, np.uint8)
        _gather(self._data, self._offsets, order, offsets, data)
        return Counted(data, offsets, self._counts[order], int(self._state[1]))

    def _grow(self, most_bytes: int) -> None:
        words, size = self.num_words, self.num_bytes
        entries = max(len(self._counts), 2 * words, words + most_bytes + 1)
        self._hashes, self._counts = np.resize(self._hashes, entries), np.resize(self._counts, entries)
        offsets = np.empty(entries + 1, np.int64)
        offsets[: words + 1] = self._offsets[: words + 1]
        data = np.empty(max(len(self._data), 2 * size, size + most_bytes + 1 + most_bytes), np.uint8)
        data[:size] = self._data[:size]
        self._offsets, self._data = offsets, data
        self._slots = np.full(1 << (2 * entries - 1).bit_length(), -1, np.int64)
        _rehash(self._hashes, words, self._slots)


def count_pairs(
    text: TextBuffer, copies: npt.NDArray[np.int64], symbols: Symbols, whitespace_pieces: bool, pairs: npt.NDArray[np.int64]
) -> int:
    """Count neighbouring characters of words in `pairs`, (PAIR_SLOTS,); returns how many pairs there were."""
    return int(_count_pairs(*text.read_only(), copies, symbols, character_classes(), whitespace_pieces, pairs))


@kernel
def _group(code, classes):  # type: ignore[no-untyped-def]
    """What a character keeps to. Kana keep to Han, and signs of all kinds together."""
    kind = class_of(code, classes)
    if kind == KANA:
        return np.int64(HAN)
    if kind in (HAN, HANGUL, LATIN, LETTER, DIGIT, SPACE, EMOJI, PRIVATE, REPLACEMENT, CONTROL):
        return kind
    return np.int64(_SIGN)


@kernel
def _is_counted(code):  # type: ignore[no-untyped-def]
    """False for control characters, invalid bytes, and what the trainer keeps for itself."""
    return code >= 0x20 and code not in (0x7F, *_KEPT_BY_TRAINER)


@kernel
def _pair_slot(first, second):  # type: ignore[no-untyped-def]
    return np.int64((np.uint64(first << 21 | second) * MULTIPLIER) >> np.uint64(40))


@kernel
def _word(data, at, end, symbols, classes, runs, pairs, least):  # type: ignore[no-untyped-def]
    """Where the first word at or behind `at` begins and ends, and whether it was cut for its length; both are `end` if there is none."""
    while at < end:
        if symbols.starts[data[at]]:
            _, width = symbol_at(data, at, end, symbols)
            if width:
                at += width
                continue
        code, width = decode(data, at, end)
        if _is_counted(code):
            break
        at += width
    if at >= end:
        return end, end, False
    begin, group, last, num_chars = at, _group(code, classes), code, 1
    only_spaces = code == 0x20
    at += width
    while at < end:
        if symbols.starts[data[at]]:
            _, width = symbol_at(data, at, end, symbols)
            if width:
                break
        code, width = decode(data, at, end)
        if not _is_counted(code):
            break
        if code == 0x20:
            if not (only_spaces and runs):
                break
        else:
            kind = _group(code, classes)
            if kind in (DIGIT, SPACE):
                if kind == DIGIT or code != last:
                    break
            elif only_spaces:
                group, only_spaces = kind, False
            elif kind != group:
                break
        if least > 0 and pairs[_pair_slot(last, code)] < least:
            break
        if num_chars == MAX_WORD_CHARS:
            return begin, at, True
        last = code
        num_chars += 1
        at += width
    return begin, at, False


@kernel
def _count_pairs(data, offsets, copies, symbols, classes, runs, pairs):  # type: ignore[no-untyped-def]
    num_pairs = np.int64(0)
    for document in range(len(offsets) - 1):
        if copies[document] == 0:
            continue
        end = offsets[document + 1]
        begin, behind, _ = _word(data, offsets[document], end, symbols, classes, runs, pairs, 0)
        while begin < behind:
            last, width = decode(data, begin, behind)
            at = begin + width
            while at < behind:
                code, width = decode(data, at, behind)
                pairs[_pair_slot(last, code)] += copies[document]
                num_pairs += copies[document]
                last = code
                at += width
            begin, behind, _ = _word(data, behind, end, symbols, classes, runs, pairs, 0)
    return num_pairs


@kernel
def _count_words(  # type: ignore[no-untyped-def]
    data, offsets, copies, document, symbols, classes, runs, pairs, least, slots, hashes, counts, word_offsets, word_data, state
):
    """Count from `document` on; return the first document for whose words there may be no room, or the number of documents."""
    mask = len(slots) - 1
    num_words = state[0]
    while document < len(offsets) - 1:
        at, end = offsets[document], offsets[document + 1]
        most = end - at if copies[document] else 0
        if num_words + most > len(counts) or word_offsets[num_words] + most > len(word_data):
            break
        while at < end and copies[document] > 0:
            begin, at, is_cut = _word(data, at, end, symbols, classes, runs, pairs, least)
            if begin == at:
                break
            state[1] += is_cut
            mixed = np.uint64(at - begin)
            for place in range(begin, at):
                mixed = (mixed ^ np.uint64(data[place])) * MULTIPLIER
                mixed ^= mixed >> np.uint64(29)
            slot = np.int64(mixed >> np.uint64(8)) & mask
            while True:
                word = slots[slot]
                if word < 0:
                    slots[slot] = num_words
                    hashes[num_words], counts[num_words] = mixed, copies[document]
                    start = word_offsets[num_words]
                    for place in range(begin, at):
                        word_data[start + place - begin] = data[place]
                        state[2] += data[place] & 0xC0 != 0x80
                    num_words += 1
                    word_offsets[num_words] = start + at - begin
                    break
                if hashes[word] == mixed and _is_same(data, begin, at, word_data, word_offsets[word], word_offsets[word + 1]):
                    counts[word] += copies[document]
                    break
                slot = (slot + 1) & mask
        document += 1
    state[0] = num_words
    return document


@kernel
def _gather(data, offsets, order, new_offsets, out):  # type: ignore[no-untyped-def]
    for place in range(len(order)):
        start = offsets[order[place]]
        for at in range(new_offsets[place], new_offsets[place + 1]):
            out[at] = data[start + at - new_offsets[place]]


@kernel
def _is_same(data, begin, end, word_data, start, stop):  # type: ignore[no-untyped-def]
    if end - begin != stop - start:
        return False
    for place in range(end - begin):  # noqa: SIM110  a kernel has no generators
        if data[begin + place] != word_data[start + place]:
            return False
    return True


@kernel
def _rehash(hashes, num_words, slots):  # type: ignore[no-untyped-def]
    mask = len(slots) - 1
    for word in range(num_words):
        slot = np.int64(hashes[word] >> np.uint64(8)) & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = word

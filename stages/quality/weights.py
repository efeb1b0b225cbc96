"""A fastText model of two labels as one number for each row, and the kernel that adds them up.

fastText takes the mean of the vectors of a text's words and n-grams, multiplies it by the output matrix and takes the softmax. With two
labels that is the sigmoid of the mean of `vector . (output_good - output_bad)`: one number for each row says all, `dim` numbers collapse
to one, and a text costs one look-up for each word and n-gram. The sums of sentences come from the same pass over the tokens.

Word ids, the hash of a word (FNV-1a over bytes as signed char), that of n-grams and the end of line behind each text are fastText's, so
the result equals `predict` but for rounding (tests/stages/quality). Rejected: `predict` itself, 17 to 38 MB/s a core on text that is
already spaced out, which has no sentences.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from stages.quality.tokens import REPEAT, REPEAT_TOKENS, quality_classes, seen_table, stood_before, write_tokens
from stages.text.buffers import TextBuffer, read_only
from stages.text.sentences import Sentences

GOOD, BAD = "__label__good", "__label__bad"
MAX_NGRAMS = 5

_kernel = njit(cache=True, nogil=True, _nrt=False)  # see `stages.text.sentences`
_FNV_START, _FNV_STEP = np.uint64(2166136261), np.uint64(16777619)
_NGRAM_STEP = np.uint64(116049371)
_SIGN, _EXTENSION = np.uint64(0x80000000), np.uint64(0xFFFFFFFF00000000)
_LOW = np.uint64(0xFFFFFFFF)
_LONG_START, _LONG_STEP = np.uint64(0xCBF29CE484222325), np.uint64(0x9E3779B97F4A7C15)
_29 = np.uint64(29)


class Weights(NamedTuple):
    """A model as the kernel reads it."""

    keys: npt.NDArray[np.uint64]
    """Words as an open hash table of their long hashes, 0 for a free slot; a power of two of slots, at most half of them taken."""
    words: npt.NDArray[np.float32]
    """Weight of the word in each slot."""
    buckets: npt.NDArray[np.float32]
    """Weight of each bucket of n-grams, a power of two; empty for a model of single words."""
    special: npt.NDArray[np.uint64]
    """Hashes of fastText's end of line and of `REPEAT`, (2,)."""
    special_weights: npt.NDArray[np.float64]
    """Theirs; NaN for a `REPEAT` that the model has never seen."""
    ngrams: int
    """Words of the longest n-gram."""


class Sums(NamedTuple):
    """What the kernel found in each text, (n,) each; `total / rows` is the margin: log p(good) - log p(bad) before calibration."""

    total: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    """Words that the model knows, n-grams, and the end of line."""
    tokens: npt.NDArray[np.int64]
    """Without `UNENDED`, which is a row."""

    @property
    def margin(self) -> npt.NDArray[np.float64]:
        """0 for a text without tokens."""
        return np.where(self.tokens > 0, self.total / np.maximum(self.rows, 1), 0.0)

    def over(self, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> "Sums":
        """Of the runs `first:last` of these texts, ascending and none empty.

        Each is added up by itself: differences of a running sum round by all that stands before, and so by the batch.
        """
        ends = np.stack([first, last], axis=1).ravel()
        return Sums(*(np.add.reduceat(np.append(values, 0), ends)[::2] for values in self))


def weights(model: Any) -> Weights:
    """Collapse a fastText model of the labels `GOOD` and `BAD`, whose number of buckets is a power of two."""
    words, (good, bad) = model.get_words(), [model.get_labels().index(label) for label in (GOOD, BAD)]
    output = model.get_output_matrix().astype(np.float64)
    rows = (model.get_input_matrix().astype(np.float64) @ (output[good] - output[bad])).astype(np.float32)
    _, long = hashes(words)
    slots = 1 << (2 * len(words)).bit_length()
    keys, values = np.zeros(slots, np.uint64), np.zeros(slots, np.float32)
    _fill(long, rows[: len(words)], keys, values)
    ids = {word: number for number, word in enumerate(words)}
    special = ("</s>", REPEAT)
    known = np.array([rows[ids[word]] if word in ids else np.nan for word in special], np.float64)
    hashed, _ = hashes(list(special))
    keys, values, buckets, hashed, known = map(read_only, (keys, values, rows[len(words) :], hashed, known))
    return Weights(keys, values, buckets, hashed, known, int(model.f.getArgs().wordNgrams))


def hashes(words: list[str]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """The hash that fastText has of each word, as 32 bits extended by their sign, and one of 64 bits."""
    encoded = [word.encode() for word in words]
    data = np.frombuffer(b"".join(encoded) + b" ", np.uint8)
    ends = np.cumsum([len(word) for word in encoded], dtype=np.int64)
    short, long = np.empty(len(words), np.uint64), np.empty(len(words), np.uint64)
    _hash(data, ends, short, long)
    return short, long


def sums(text: TextBuffer, found: Sentences, model: Weights) -> tuple[Sums, Sums]:
    """Of each document, and of each sentence on its own. N-grams across sentences count for the document alone."""
    text = text.read_only()
    longest = int(np.diff(found.bounds).max(initial=0))
    scratch = np.empty(2 * longest + 5, np.uint8), np.empty(longest + 2, np.int64)
    num_sentences = len(found.lines)
    documents = np.zeros(len(text), np.float64), np.zeros((2, len(text)), np.int64)
    parts = np.zeros(num_sentences, np.float64), np.zeros((2, num_sentences), np.int64)
    _sum_all(text.data, read_only(found.bounds), read_only(found.offsets), quality_classes(), *seen_table(found), *model,
             *scratch, np.zeros(MAX_NGRAMS, np.uint64), *documents, *parts)  # fmt: skip
    return Sums(documents[0], *documents[1]), Sums(parts[0], *parts[1])


@_kernel
def _hash(data, ends, short, long):  # type: ignore[no-untyped-def]
    start = 0
    for word in range(len(ends)):
        short[word], long[word] = hash_word(data, start, ends[word])
        start = ends[word]


@_kernel
def hash_word(data, start, end):  # type: ignore[no-untyped-def]
    """The hash that fastText has of `data[start:end]`, extended by its sign, and one of 64 bits, never 0."""
    short, long = _FNV_START, _LONG_START
    for at in range(start, end):
        byte = np.uint64(data[at])
        signed = byte | np.uint64(0xFFFFFF00) if byte >= np.uint64(0x80) else byte
        short = (short ^ signed) * _FNV_STEP & _LOW
        long = (long ^ byte) * _LONG_STEP
        long ^= long >> _29
    return short | _EXTENSION if short & _SIGN else short, long | np.uint64(1)


@_kernel
def _fill(hashed, values, keys, slots):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(keys) - 1)
    for word in range(len(hashed)):
        slot = hashed[word] >> _29 & mask
        while keys[slot] != 0:
            slot = slot + np.uint64(1) & mask
        keys[slot] = hashed[word]
        slots[slot] = values[word]


@_kernel
def _look_up(hashed, keys, words):  # type: ignore[no-untyped-def]
    """The weight of a word; NaN if the model does not know it."""
    mask = np.uint64(len(keys) - 1)
    slot = hashed >> _29 & mask
    while keys[slot] != 0:
        if keys[slot] == hashed:
            return np.float64(words[slot])
        slot = slot + np.uint64(1) & mask
    return np.nan


@_kernel
def _sum_all(  # type: ignore[no-untyped-def]
    data, bounds, firsts, classes, seen, owner, keys, words, buckets, special, special_weights, ngrams, out, ends, grams,
    totals, counts, parts, part_counts
):  # fmt: skip
    mask = np.uint64(len(buckets) - 1)
    for document in range(len(firsts) - 1):
        total, rows, tokens, before = 0.0, 0, 0, 0
        for sentence in range(firsts[document], firsts[document + 1]):
            at, count, written = write_tokens(data, bounds[sentence], bounds[sentence + 1], classes, out, 0, ends)
            repeats = count >= REPEAT_TOKENS and stood_before(out, 0, at, document, seen, owner)
            part, part_rows = 0.0, 0
            start = 0
            for token in range(written):
                if repeats:
                    short, weight = special[1], special_weights[1]
                else:
                    short, long = hash_word(out, start, ends[token])
                    weight = _look_up(long, keys, words)
                    start = ends[token] + 1
                if not np.isnan(weight):
                    total += weight
                    rows += 1
                    part += weight
                    part_rows += 1
                for length in range(min(ngrams, before + 1), 1, -1):  # grams[k] is the one of k + 1 tokens that ends before this token
                    gram = grams[length - 2] * _NGRAM_STEP + short
                    weight = np.float64(buckets[gram & mask])
                    total += weight
                    rows += 1
                    if token + 1 >= length:
                        part += weight
                        part_rows += 1
                    grams[length - 1] = gram
                grams[0] = short
                before += 1
            tokens += count
            weight, num_grams = _end(grams, min(ngrams, written + 1), buckets, mask, special)
            parts[sentence] = part + weight + special_weights[0]
            part_counts[0, sentence] = part_rows + num_grams + 1
            part_counts[1, sentence] = count
        weight, num_grams = _end(grams, min(ngrams, before + 1), buckets, mask, special)
        totals[document] = total + weight + special_weights[0]
        counts[0, document] = rows + num_grams + 1
        counts[1, document] = tokens


@_kernel
def _end(grams, longest, buckets, mask, special):  # type: ignore[no-untyped-def]
    """Weight and number of the n-grams that end in the end of line."""
    weight = 0.0
    for length in range(2, longest + 1):
        weight += np.float64(buckets[grams[length - 2] * _NGRAM_STEP + special[0] & mask])
    return weight, max(longest - 1, 0)


def row_weights(ngrams: list[str], model: Weights) -> npt.NDArray[np.float64]:
    """Weight of each n-gram, words joined by spaces; NaN for a word that the model does not know. For cards and tests."""
    values = np.full(len(ngrams), np.nan)
    for place, ngram in enumerate(ngrams):
        short, long = hashes(ngram.split(" "))
        if len(short) == 1:
            values[place] = _look_up(long[0], model.keys, model.words)
            continue
        hashed = int(short[0])
        for word in short[1:].tolist():
            hashed = (hashed * int(_NGRAM_STEP) + word) % (1 << 64)
        values[place] = model.buckets[hashed % len(model.buckets)]
    return values

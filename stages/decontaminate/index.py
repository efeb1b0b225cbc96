"""The questions of all benchmarks, prepared once for the search in any number of texts.

A question is cut into units, each looked for by itself:

- its stem, if at least `ngram` tokens of it say something (13 Chinese characters or English words by default, GPT-3's figure), found with
  changes; a longer text than 128 tokens (a reading passage, a problem with its story) in pieces of 64, so that a part of it is found;
- else its stem with all its options, found with changes if together they have as many such tokens, whole if they have fewer;
- else, of a question without options, its stem: with changes if it has `ngram` tokens, whole if it has fewer.

What five tokens in a row occur in more than `max_questions` different questions is boilerplate (下列说法正确的是, which of the following
statements): it finds nothing, and a match of nothing else is none. A question that has fewer than `min_tokens` tokens, or no five in a
row of its own, is not looked for; the plan says how many these are. The same question in several files or sets is one, called by the
first place where it stands.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.decontaminate.benchmarks import Benchmark, Question, read_benchmark
from stages.decontaminate.tokens import mixed, token_hashes
from stages.text.buffers import read_only, text_buffer
from stages.text.kernel import kernel

SEED = 5
"""Tokens in a row that make a candidate. Of 20 tokens with any 3 changed, 5 in a row are left."""
LONG, PIECE = 128, 64
"""A text of more tokens than `LONG` is looked for in pieces of at least `PIECE`."""
PART = r"#(passage|\d+)$"
"""How a unit's place ends where it is not all of a question: a passage, or the n-th piece of a long stem. A question's ends in `:line`."""
SEEDS_PER_BUCKET = 2

Int64s = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_BASE = np.uint64(0xD6E8FEB86659FD93)


START, SIZE, CORE, STEM, WHOLE = range(5)
"""Columns of `Index.units`. A unit's tokens are `tokens[start:start + size]`. Its core is what is looked for; where it is longer than
the stem, options are looked for too. Options behind the core only say how far a match reaches. A whole one is found without changes."""


class Index(NamedTuple):
    """What the kernel reads; u units."""

    tokens: Hashes
    counted: npt.NDArray[np.bool_]
    """Whether a token is part of anything but boilerplate."""
    joined: npt.NDArray[np.bool_]
    """Whether a token and the next one are of the same segment."""
    units: Int64s
    """(u, 5): side by side, for one cache miss a candidate."""
    seeds: Hashes
    """Sorted, each once."""
    seed_start: npt.NDArray[np.int32]
    posting_unit: npt.NDArray[np.int32]
    posting_offset: npt.NDArray[np.int32]
    directory: npt.NDArray[np.int32]
    """Seeds whose first bits are b: `seeds[directory[b]:directory[b + 1]]`."""
    bitmap: Hashes


class Questions(NamedTuple):
    """An index and what its units stand for."""

    arrays: Index
    benchmark: pa.Array
    """Name of the benchmark of each unit."""
    place: pa.Array
    """File and line of the question of each unit, and which part of it the unit is, see `PART`."""
    num_questions: dict[str, int]
    """Of each benchmark, all questions."""
    num_searched: dict[str, int]
    """Of each benchmark, those that are looked for."""


class _Items(NamedTuple):
    """Texts to look for: passages, and questions with their options. The same one in another place is not repeated."""

    question: list[int]
    """Of each item, the first question that has it."""
    is_passage: list[bool]
    segments: Int64s
    """(items + 1,): item i has the segments from `segments[i]` on, the stem first."""
    offsets: Int64s
    """(segments + 1,): where the tokens of each segment begin."""
    tokens: Hashes
    searched: list[int]
    """For each question, its item."""


class _Unit(NamedTuple):
    item: int
    piece: int
    """Of a long text, from 1 on; 0 for one that is looked for as a whole."""
    start: int
    size: int
    core: int
    stem: int
    whole: bool


@lru_cache(maxsize=2)
def questions_of(benchmarks: Sequence[Benchmark], ngram: int, min_tokens: int, max_questions: int) -> Questions:
    """Read and prepare benchmarks; kept, as every batch of a run asks for the same. Raises `ConfigError`, see `read_benchmark`."""
    return prepare([question for benchmark in benchmarks for question in read_benchmark(benchmark)], ngram, min_tokens, max_questions)


def prepare(questions: Sequence[Question], ngram: int, min_tokens: int, max_questions: int) -> Questions:
    """Make the index of some questions."""
    items = _items(questions)
    place, gram = _grams(items.offsets, items.tokens)
    item_of = np.repeat(np.arange(len(items.question), dtype=np.int32), np.diff(items.offsets[items.segments]))
    own = ~_frequent(gram, item_of[place], max_questions)
    place, gram = place[own], gram[own]
    counted = _counted(items, place, max_questions)
    units = list(_units(items, counted, place, ngram, min_tokens))
    names = [question.benchmark for question in questions]
    found = {unit.item for unit in units}
    num_searched = dict.fromkeys(names, 0)
    for name, item in zip(names, items.searched, strict=True):
        num_searched[name] += item in found
    owners = [questions[items.question[unit.item]] for unit in units]
    places = [question.place + _part(items, unit) for question, unit in zip(owners, units, strict=True)]
    return Questions(
        _index(items, units, counted, place, gram),
        pa.array([question.benchmark for question in owners], pa.string()),
        pa.array(places, pa.string()),
        dict(Counter(names)),
        num_searched,
    )


def _part(items: _Items, unit: _Unit) -> str:
    """The end of its place. The pieces of a passage are one: it is quoted as it comes, while a stem quotes first and then asks."""
    return "#passage" if items.is_passage[unit.item] else f"#{unit.piece}" if unit.piece else ""


def _items(questions: Sequence[Question]) -> _Items:
    """Tokenise all texts, and keep each passage and each question once, whatever the order of its options."""
    texts: list[str] = []
    sizes: list[tuple[int, int, bool]] = []  # question, number of texts, whether it is the question itself
    for number, question in enumerate(questions):
        if question.passage:
            sizes.append((number, 1, False))
            texts.append(question.passage)
        sizes.append((number, 1 + len(question.options), True))
        texts += [question.stem, *question.options]
    offsets, tokens = token_hashes(text_buffer(pa.array(texts, pa.large_string())))
    prints = _fingerprints(offsets, tokens).tolist()
    known: dict[tuple[int, ...], int] = {}
    keep: list[int] = []
    owners: list[int] = []
    is_passage: list[bool] = []
    segments, searched, at = [0], list[int](), 0
    for number, num_texts, is_question in sizes:
        identity = (prints[at], *sorted(prints[at + 1 : at + num_texts]))
        if identity not in known:
            known[identity] = len(owners)
            owners.append(number)
            is_passage.append(not is_question)
            keep += range(at, at + num_texts)
            segments.append(len(keep))
        if is_question:
            searched.append(known[identity])
        at += num_texts
    kept = np.array(keep, np.int64)
    lengths = np.diff(offsets)[kept]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    taken = np.repeat(offsets[kept] - starts[:-1], lengths) + np.arange(starts[-1])
    return _Items(owners, is_passage, np.array(segments), starts, tokens[taken], searched)


def _grams(offsets: Int64s, tokens: Hashes) -> tuple[Int64s, Hashes]:
    """Where each `SEED` tokens of one segment begin, and their hash."""
    place, gram = np.empty(len(tokens), np.int64), np.empty(len(tokens), np.uint64)
    size = _hash_grams(offsets, tokens, place, gram)
    return place[:size], gram[:size]


def _frequent(gram: Hashes, item: npt.NDArray[np.integer[Any]], most: int) -> npt.NDArray[np.bool_]:
    """Whether what each gram hashes stands in more than `most` items; `item` ascends."""
    order = np.argsort(gram, kind="stable")
    gram, item = gram[order], item[order]
    new = np.ones(len(gram), np.bool_)
    new[1:] = gram[1:] != gram[:-1]
    other = new.copy()
    other[1:] |= item[1:] != item[:-1]
    group = np.cumsum(new, dtype=np.int32) - 1
    frequent = np.empty(len(gram), np.bool_)
    frequent[order] = (np.bincount(group, weights=other) > most)[group] if len(gram) else False
    return frequent


def _counted(items: _Items, place: Int64s, most: int) -> npt.NDArray[np.bool_]:
    """Tokens that are in a gram which is no boilerplate, or in a segment that is too short for one and stands in few items."""
    edges = np.zeros(len(items.tokens) + SEED + 1, np.int64)
    np.add.at(edges, place, 1)
    np.add.at(edges, place + SEED, -1)
    counted = np.cumsum(edges)[: len(items.tokens)] > 0
    lengths = np.diff(items.offsets)
    short = np.flatnonzero((lengths > 0) & (lengths < SEED))
    owner = np.searchsorted(items.segments, short, "right") - 1
    rare = short[~_frequent(_fingerprints(items.offsets, items.tokens)[short], owner, most)]
    for i in range(SEED - 1):
        counted[items.offsets[rare][lengths[rare] > i] + i] = True
    return counted


def _units(items: _Items, counted: npt.NDArray[np.bool_], place: Int64s, ngram: int, min_tokens: int) -> Iterator[_Unit]:
    """What is looked for of each item; nothing of one that is too short or all boilerplate."""
    until = np.concatenate([[0], np.cumsum(counted)])
    offsets, segments = items.offsets.tolist(), items.segments.tolist()
    seeds = np.searchsorted(place, items.offsets).tolist()
    says_until = until[items.offsets].tolist()
    for item, (first, last) in enumerate(pairwise(segments)):
        start, behind, end = offsets[first], offsets[first + 1], offsets[last]
        stem, size = behind - start, end - start
        says = says_until[first + 1] - says_until[first]
        if stem > LONG:
            cuts = [*range(start, behind - PIECE + 1, PIECE), behind]
            cuts = [*cuts[:-2], behind] if behind - cuts[-2] < PIECE else cuts
            for piece, (low, high) in enumerate(pairwise(cuts), 1):
                if until[high] - until[low] >= ngram:
                    reach = end if high == behind else high
                    yield _Unit(item, piece, low, reach - low, high - low, high - low, False)
        elif says >= ngram:
            yield _Unit(item, 0, start, size, stem, stem, False)
        elif seeds[last] > seeds[first] and size >= min_tokens:
            enough = says_until[last] - says_until[first] >= ngram if size > stem else stem >= ngram
            yield _Unit(item, 0, start, size, size, stem, not enough)


def _index(items: _Items, units: Sequence[_Unit], counted: npt.NDArray[np.bool_], place: Int64s, gram: Hashes) -> Index:
    joined = np.ones(len(items.tokens), np.bool_)
    ends = items.offsets[1:]
    joined[ends[ends > 0] - 1] = False
    rows = np.array([unit[2:] for unit in units], np.int64).reshape(-1, 5)
    start, core = rows[:, START], rows[:, CORE]
    unit = np.searchsorted(start, place, "right") - 1
    inside = (unit >= 0) & (place - start[unit] + SEED <= core[unit]) if len(units) else np.zeros(len(place), np.bool_)
    unit, place, gram = unit[inside], place[inside], gram[inside]
    order = np.argsort(gram, kind="stable")
    unit, place, gram = unit[order], place[order], gram[order]
    seeds, first = np.unique(gram, return_index=True)
    bits = max(1, int(len(seeds) // SEEDS_PER_BUCKET).bit_length())
    buckets = np.arange((1 << bits) + 1, dtype=np.float64) * 2.0 ** (64 - bits)
    directory = np.searchsorted(seeds, buckets[:-1].astype(np.uint64))
    words = 1 << max(0, int(len(seeds) // 4 - 1)).bit_length()
    bitmap = np.zeros(words, np.uint64)
    _mark(seeds, bitmap)
    arrays = Index(
        items.tokens, counted, joined, rows, seeds,
        np.append(first, len(gram)).astype(np.int32), unit.astype(np.int32), (place - start[unit]).astype(np.int32),
        np.append(directory, len(seeds)).astype(np.int32), bitmap,
    )  # fmt: skip
    return Index(*map(read_only, arrays))


def _fingerprints(offsets: Int64s, tokens: Hashes) -> Hashes:
    """A hash of each segment's tokens."""
    found = np.empty(len(offsets) - 1, np.uint64)
    _hash_segments(offsets, tokens, found)
    return found


@kernel
def _hash_segments(offsets, tokens, found):  # type: ignore[no-untyped-def]
    for segment in range(len(offsets) - 1):
        value = np.uint64(offsets[segment + 1] - offsets[segment])
        for at in range(offsets[segment], offsets[segment + 1]):
            value = mixed(value * _BASE + tokens[at])
        found[segment] = value


@kernel
def _hash_grams(offsets, tokens, place, gram):  # type: ignore[no-untyped-def]
    count = 0
    for segment in range(len(offsets) - 1):
        for at in range(offsets[segment], offsets[segment + 1] - SEED + 1):
            value = np.uint64(0)
            for i in range(SEED):
                value = value * _BASE + tokens[at + i]
            place[count] = at
            gram[count] = mixed(value)
            count += 1
    return count


@kernel
def _mark(seeds, bitmap):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(bitmap) - 1)
    for at in range(len(seeds)):
        seed = seeds[at]
        bits = np.uint64(1) << (seed & np.uint64(63)) | np.uint64(1) << ((seed >> np.uint64(6)) & np.uint64(63))
        bitmap[(seed >> np.uint64(12)) & mask] |= bits

"""Train a SentencePiece BPE tokenizer on a corpus of any size within a memory cap.

The texts are read twice or more, in batches, and never held: once to count pairs of neighbouring characters, once to count words
(tokenizer.words). SentencePiece then learns from the table of words, in a process of its own. It skips lines silently that are longer
than 4,192 bytes or hold U+2585, 98 % of Chinese text in one measurement: a word is never so long, and the number of words that it
says it has loaded must be the number that we wrote.

What cannot work is refused before the trainer starts: a vocabulary without room for the characters, too little text, too little memory.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sentencepiece

from configs.errors import InputError, RunError
from stages.text.buffers import TextBuffer, read_only, text_buffer
from stages.text.characters import decode
from stages.text.kernel import kernel
from tokenizer.codec import MODEL_NAME, Tokenizer, available_cores
from tokenizer.model_file import with_dummy_prefix, without_traces
from tokenizer.recipe import LEAST_COVERAGE, Recipe, TrainConfig
from tokenizer.sampling import Sampling, Tally
from tokenizer.trainer import Training, run_trainer
from tokenizer.vocabulary import NUM_CODES, symbols
from tokenizer.words import PAIR_SLOTS, Counted, WordCounter, count_pairs

PAIRS_PER_MERGE = 20
"""Least text: so many pairs of neighbouring characters for each merge to learn. With fewer the last pieces stand but once or twice."""

CUTS_PER_MERGE = 64
"""A pair is rare if it is less than 1 in so many x merges of all pairs: the last pieces learnt stand 3 to 5 times as often."""

TRAINER_BYTES = 300_000_000
BYTES_PER_PAIR = 105
"""What the trainer holds: a part that is always there, and for each pair of neighbours in the words of the table. Measured: 957 MB with 8
million pairs, 2,091 with 22, 3,271 with 40 (benchmarks/tokenizer_memory.py); 1,554 with 12 where rare pairs are not cut."""

OUR_BYTES = 500_000_000
"""What this process holds meanwhile, counters of pairs and libraries; the table of words is less than the trainer's copy of it."""

_WRITE_BYTES = 1 << 24

Batches = Callable[[], Iterable[pa.RecordBatch]]
"""Gives the texts from the start each time it is called: columns id, text, and where there are such lang, domain, weights."""

Say = Callable[[str, int, int], None]
"""Hears what is going on: a phase, how much of it is done, and how much there is, 0 if not known."""


class Trained(NamedTuple):
    """A tokenizer, and what is to be known of its training."""

    model: bytes
    facts: dict[str, Any]
    """What `training.json` holds."""


def train(config: TrainConfig, batches: Batches, say: Say = lambda *_: None) -> Trained:
    """Train as configured on the texts of `batches`. Raises `CorpusError` for what the user can mend."""
    recipe = config.recipe()
    counted, facts = _count(config, recipe, batches, say)
    facts |= _check_vocabulary(recipe, counted)
    with tempfile.TemporaryDirectory(prefix="tokenizer-") as folder:
        table = Path(folder) / "words.tsv"
        facts["data_identity"] = _write_table(counted, table)
        num_words = len(counted.counts)
        del counted
        options = _options(recipe, table, config.threads or available_cores())
        done = run_trainer(options, Path(folder), lambda merges, _: say("learn", merges, facts["merges"]))
    if done.num_loaded != num_words:
        raise RunError(f"the trainer loaded {done.num_loaded} of {num_words} words; this is a defect, please report it")
    model = without_traces(done.model)
    model = with_dummy_prefix(model) if recipe.dummy_prefix else model
    _check_model(Tokenizer(model, MODEL_NAME), recipe)
    return Trained(model, _facts(config, recipe, facts, options, done))


def _count(config: TrainConfig, recipe: Recipe, batches: Batches, say: Say) -> tuple[Counted, dict[str, Any]]:
    """The words of as many texts as the limits allow, and what was counted."""
    trie = symbols({symbol: number for number, symbol in enumerate(recipe.symbols)})
    sampling = Sampling(config.seed, config.languages, config.domains)
    least_memory = OUR_BYTES + TRAINER_BYTES
    if config.memory < least_memory:
        raise RunError(f"memory: {config.memory:,} bytes; the trainer alone takes {least_memory:,}: set at least {2 * least_memory:,}")
    while True:
        pairs, tally, num_pairs = np.zeros(PAIR_SLOTS, np.int64), Tally(), 0
        for batch, copies in _sampled(batches, sampling, tally, "count pairs", say, 0):
            num_pairs += count_pairs(batch, copies, trie, recipe.whitespace_pieces, pairs)
        num_texts = int(tally.total()[2])
        if num_texts > config.max_texts:
            sampling = replace(sampling, share=sampling.share * config.max_texts / num_texts * 0.999)
            continue
        wanted = recipe.vocab_size - recipe.num_fixed
        if num_pairs < PAIRS_PER_MERGE * wanted // 2:  # at most half of the ids go to characters
            _raise_too_little(recipe, tally, num_pairs, sampling.share)
        least = num_pairs // (CUTS_PER_MERGE * wanted)
        counter = WordCounter(trie, recipe.whitespace_pieces, pairs, least)
        done_bytes = 0
        total_bytes = int(tally.total()[3])
        for batch, copies in _sampled(batches, sampling, None, "count words", say, total_bytes):
            counter.add(batch, copies)
            done_bytes += int((batch.lengths() * copies).sum())
            if _memory(counter) > config.memory:
                break
        else:
            return counter.counted(), {
                "share": sampling.share,
                "num_pairs": num_pairs,
                "least_pair_count": least,
                "word_characters": counter.num_chars,
                "estimated_memory_bytes": _memory(counter),
                "tally": tally,
            }
        sampling = replace(sampling, share=sampling.share * 0.9 * done_bytes / total_bytes)
        if num_pairs * 0.9 * done_bytes / total_bytes < PAIRS_PER_MERGE * wanted // 2:
            enough = int(config.memory * PAIRS_PER_MERGE * wanted / 2 / (num_pairs * 0.8 * done_bytes / total_bytes))
            raise RunError(
                f"memory: {config.memory:,} bytes hold the words of {done_bytes:,} bytes of text, too little for "
                f"{recipe.vocab_size:,} ids; set memory to about {enough:,}, or a smaller vocab_size"
            )


def _sampled(
    batches: Batches, sampling: Sampling, tally: Tally | None, phase: str, say: Say, total: int
) -> Iterator[tuple[TextBuffer, npt.NDArray[np.int64]]]:
    """The texts of each batch and how often each counts."""
    done = 0
    for batch in batches():
        if batch.num_rows == 0:
            continue
        copies = sampling.copies(batch)
        text = text_buffer(batch["text"])
        if tally is not None:
            tally.add(batch, copies)
        yield text, copies
        done += int((text.lengths() * copies).sum())
        say(phase, done, total)


def _memory(counter: WordCounter) -> int:
    return OUR_BYTES + TRAINER_BYTES + BYTES_PER_PAIR * (counter.num_chars - counter.num_words)


def _raise_too_little(recipe: Recipe, tally: Tally, num_pairs: int, share: float) -> None:
    texts, size, taken, _ = tally.total().tolist()
    if texts == 0:
        raise InputError("there are no texts to learn from; check `input`")
    fits = max(recipe.num_fixed + 2 * num_pairs // PAIRS_PER_MERGE, 0)
    raise InputError(
        f"{taken:,} texts of {texts:,} ({size:,} bytes, share {share:.3g}) have {num_pairs:,} pairs of neighbouring characters; "
        f"{recipe.vocab_size:,} ids need {PAIRS_PER_MERGE * (recipe.vocab_size - recipe.num_fixed) // 2:,}. "
        f"Give more text, or set vocab_size to at most {fits:,}"
    )


def _check_vocabulary(recipe: Recipe, counted: Counted) -> dict[str, Any]:
    """How many ids characters and merges will have. Raises `RunError` if the characters leave no room for merges."""
    counts = np.zeros(NUM_CODES, np.int64)
    _count_characters(read_only(counted.data), read_only(counted.offsets), read_only(counted.counts), counts)
    ordered = np.sort(counts[counts > 0])[::-1]
    shares = np.cumsum(ordered) / max(1, ordered.sum())
    needed = min(len(ordered), int(np.searchsorted(shares, recipe.character_coverage)) + 1)
    room = recipe.vocab_size - recipe.num_fixed
    if needed >= room:
        half = np.floor(shares[min(room // 2, len(shares) - 1)] * 1e6) / 1e6
        lower = f", or character_coverage to {half}" if half >= LEAST_COVERAGE else ""
        raise RunError(
            f"vocab_size: {recipe.vocab_size:,} ids have no room for merges: a character_coverage of {recipe.character_coverage} takes "
            f"{needed:,} characters of this text, and bytes and special ids {recipe.num_fixed:,}. Set vocab_size to "
            f"{recipe.num_fixed + 2 * needed:,}{lower}"
        )
    return {"characters": needed, "different_characters": len(ordered), "merges": room - needed}


def _write_table(counted: Counted, file: Path) -> str:
    """Write `word <tab> count` lines; returns their SHA-256."""
    digest = hashlib.sha256()
    first, num_words = 0, len(counted.counts)
    with file.open("wb") as out:
        while first < num_words:
            behind = int(np.searchsorted(counted.offsets, counted.offsets[first] + _WRITE_BYTES))
            behind = min(num_words, max(behind, first + 1))
            lines = np.empty(int(counted.offsets[behind] - counted.offsets[first]) + 24 * (behind - first), np.uint8)
            size = _write_lines(read_only(counted.data), read_only(counted.offsets), read_only(counted.counts), first, behind, lines)
            written = lines[:size].tobytes()
            digest.update(written)
            out.write(written)
            first = behind
    return digest.hexdigest()


def _options(recipe: Recipe, table: Path, threads: int) -> dict[str, Any]:
    """SentencePiece's options, all that matter said. The words carry their own spaces, so it adds no prefix."""
    return {
        "input": str(table),
        "input_format": "tsv",
        "model_type": "bpe",
        "vocab_size": recipe.vocab_size,
        "character_coverage": recipe.character_coverage,
        "max_sentencepiece_length": recipe.max_piece_chars,
        "max_sentence_length": 1 << 20,
        "input_sentence_size": 0,
        "normalization_rule_name": "identity",
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
        "escape_whitespaces": True,
        "allow_whitespace_only_pieces": recipe.whitespace_pieces,
        "split_by_whitespace": True,
        "split_by_unicode_script": True,
        "split_by_number": True,
        "split_digits": True,
        "byte_fallback": True,
        "user_defined_symbols": list(recipe.symbols),
        "unk_id": 0,
        "bos_id": 1,
        "eos_id": 2,
        "pad_id": -1,
        "num_threads": threads,
        "train_extremely_large_corpus": True,
    }


def _check_model(made: Tokenizer, recipe: Recipe) -> None:
    pieces = made.model.pieces
    assert len(pieces) == recipe.vocab_size, f"{len(pieces)} pieces"
    assert made.is_exact, "the kernels do not take the model"
    assert pieces[:3] == ("<unk>", "<s>", "</s>"), pieces[:3]
    assert pieces[3 : 3 + len(recipe.symbols)] == recipe.symbols, "special ids"
    assert made.model.add_dummy_prefix == recipe.dummy_prefix


def _facts(config: TrainConfig, recipe: Recipe, facts: dict[str, Any], options: dict[str, Any], done: Training) -> dict[str, Any]:
    """What `training.json` says."""
    tally: Tally = facts.pop("tally")
    texts, size, taken, taken_bytes = tally.total().tolist()
    return {
        "preset": config.preset,
        "recipe": asdict(recipe),
        "config": {key: value for key, value in asdict(config).items() if key not in ("output", "threads")},
        "sentencepiece": sentencepiece.__version__,
        "options": {key: value for key, value in options.items() if key not in ("input", "num_threads")},
        "texts": {"read": texts, "taken": taken, "bytes_read": size, "bytes_taken": taken_bytes},
        "groups": [
            {"lang": lang, "domain": domain, "texts": row[0], "bytes": row[1], "taken": row[2], "bytes_taken": row[3]}
            for (lang, domain), row in sorted((key, values.tolist()) for key, values in tally.groups.items())
        ],
        "words": done.num_loaded,
        **facts,
        "merges": done.num_merges,
        "last_frequency": done.last_frequency,
        "cuts_changed_nothing": done.last_frequency >= facts["least_pair_count"],
        "peak_memory_bytes": done.peak_memory_bytes,
    }


@kernel
def _count_characters(data, offsets, counts, found):  # type: ignore[no-untyped-def]
    for word in range(len(counts)):
        at = offsets[word]
        while at < offsets[word + 1]:
            code, width = decode(data, at, offsets[word + 1])
            found[code] += counts[word]
            at += width


@kernel
def _write_lines(data, offsets, counts, first, behind, out):  # type: ignore[no-untyped-def]
    at = np.int64(0)
    for word in range(first, behind):
        for place in range(offsets[word], offsets[word + 1]):
            out[at] = data[place]
            at += 1
        out[at] = 0x09
        divisor = np.int64(1)
        while counts[word] // divisor >= 10:
            divisor *= 10
        while divisor:
            at += 1
            out[at] = 0x30 + counts[word] // divisor % 10
            divisor //= 10
        out[at + 1] = 0x0A
        at += 2
    return at

"""From text to verified pairs: planted near-duplicates, and the natural ones of the shared data where it is at hand."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xxhash
import zstandard

from stages.dedup.bands import band_keys, candidate_pairs
from stages.dedup.minhash import has_shingles, signatures
from stages.dedup.verify import exact_jaccard
from stages.text.buffers import text_buffer
from stages.text.shingles import shingle_sets

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def verified_pairs(texts: list[str], similarity: float = 0.8) -> dict[tuple[int, int], float]:
    """Pairs of positions with their exact similarity, by the default settings of `document_dedup`."""
    text = text_buffer(pa.array(texts, pa.large_string()))
    lanes = signatures(text, 5, 128, 1)
    keys = band_keys(lanes, 16)[has_shingles(lanes)]
    docs = np.flatnonzero(has_shingles(lanes)).repeat(16)
    num_chars = np.array([len(t) for t in texts], np.int64)[docs]
    contents = np.array([xxhash.xxh3_64_intdigest(t.encode()) for t in texts], np.uint64)[docs]
    left, right = candidate_pairs(keys.ravel(), docs, num_chars, contents, 64)
    exact = exact_jaccard(*shingle_sets(text, 5), left, right)
    found = zip(left.tolist(), right.tolist(), exact.tolist(), strict=True)
    return {(a, b): j for a, b, j in found if j >= similarity}


def planted(separator: str, vocabulary: list[str], num_pairs: int, num_edits: int) -> list[str]:
    """Documents of 300 seeded tokens, each followed by a copy with some tokens replaced, far from each other."""
    rng = np.random.default_rng(11)
    texts = []
    for _ in range(num_pairs):
        tokens = rng.choice(vocabulary, 300)
        copy = tokens.copy()
        copy[np.linspace(20, 280, num_edits).astype(int)] = rng.choice(vocabulary, num_edits)
        texts += [separator.join(tokens), separator.join(copy)]
    return texts


LANGUAGES = {"en": (" ", [f"word{n}" for n in range(3000)]), "zh": ("", [chr(0x4E00 + n) for n in range(3000)])}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_planted_near_duplicates_are_found_and_nothing_else(lang: str) -> None:
    # Three replaced tokens of 300 spoil 15 of 296 shingles on each side: J = 281 / 311 = .904.
    num_pairs = 500
    found = verified_pairs(planted(*LANGUAGES[lang], num_pairs, num_edits=3))
    expected = {(2 * n, 2 * n + 1) for n in range(num_pairs)}
    assert set(found) <= expected
    assert len(found) >= 0.99 * num_pairs
    assert min(found.values()) == pytest.approx(281 / 311)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_pairs_below_the_threshold_are_not_reported(lang: str) -> None:
    # Seven replaced tokens: J = 261 / 331 = .789, which bands often propose.
    assert verified_pairs(planted(*LANGUAGES[lang], 200, num_edits=7)) == {}
    assert len(verified_pairs(planted(*LANGUAGES[lang], 200, num_edits=7), similarity=0.78)) > 150


def test_short_texts_are_never_near_duplicates_of_each_other() -> None:
    assert verified_pairs(["很好", "不错", "good", "ok", "", "一二三四"] * 3) == {}


@pytest.mark.parametrize(("name", "num_wanted"), [("law_zh", 17), ("techdocs_zh", 0)])
def test_natural_near_duplicates_are_found_and_nothing_else(name: str, num_wanted: int) -> None:
    # The truth counts punctuation as characters, we do not: its .70 to .85 may fall on either side of our .8.
    truth, corpus = SHARED / "truth" / f"{name}.pairs.jsonl", SHARED / f"{name}.jsonl.zst"
    if not (truth.exists() and corpus.exists()):
        pytest.skip(f"needs the shared data, which is not part of the repository: {corpus.name} and its truth pairs")
    with corpus.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
        texts = {row["id"]: row["text"] for row in map(json.loads, io.TextIOWrapper(stream, encoding="utf-8"))}
    position = {doc: n for n, doc in enumerate(texts)}
    pairs = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    jaccard = {(min(pair), max(pair)): j for pair, j in (((position[p["a"]], position[p["b"]]), p["jaccard"]) for p in pairs)}
    wanted = {pair for pair, j in jaccard.items() if j >= 0.85}
    allowed = {pair for pair, j in jaccard.items() if j >= 0.7}
    assert len(wanted) == num_wanted
    assert wanted <= set(verified_pairs(list(texts.values()))) <= allowed

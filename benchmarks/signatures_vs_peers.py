"""MinHash signatures beside datasketch and datatrove: the same documents, shingles and lanes, CPU seconds of one core in one run.

    python benchmarks/signatures_vs_peers.py DATA [--json FILE]

DATA holds the `*.jsonl.zst` files named in `SAMPLES`, of which documents are taken at even distances. All sign `PERMUTATIONS` lanes over
shingles of `SHINGLE` of our tokens. Ours begins at the text; it is the median of `REPEATS` passes. The peers:

- datasketch, `MinHash.update_batch` with the same scheme and permutations: `hashes` is given ready 32-bit hashes of the shingles, so that
  ours alone pays for shingling, and its signatures must equal ours; `shingles` is given the shingles as bytes, which it hashes by its own
  default, SHA-1, as its manual does it. The permutations are drawn once and shared.
- datatrove's `MinhashDedupSignature` with 64-bit xxHash, in its own virtual environment under `out/peers/signatures`, made by this
  program: `signed` is given ready hashes, `tokens` our tokens, of which it makes n-grams and hashes them, `text` the text, with its own
  normal form and word tokenizer (spaCy; for Chinese spaCy with jieba, so fewer tokens than ours). Writing and sorting files, which its
  stage does too, is left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import zstandard
from datasketch import MinHash

from stages.dedup.minhash import signatures
from stages.text.buffers import text_buffer
from stages.text.fold import ALONE, IGNORED, LETTER, class_of, fold
from stages.text.shingles import shingle_hashes

PEER = Path("out/peers/signatures")
REQUIREMENTS = ("datatrove==0.10.1", "spacy==3.8.18", "jieba==0.42.1", "regex==2026.11.15", "numpy==2.4.6", "xxhash==3.8.2",
                "tokenizers==0.23.3")  # fmt: skip
SHINGLE, BANDS, ROWS, SEED = 5, 16, 8, 1
PERMUTATIONS = BANDS * ROWS
REPEATS = 9
SAMPLES = {
    "en": {"encyclopedia_en": 40, "law_en": 450, "medicine_en": 650, "novels_en": 50, "speeches_en": 20},
    "zh": {"classics_zh": 75, "encyclopedia_zh": 30, "law_zh": 120, "news_zh": 250, "techdocs_zh": 75, "technews_zh": 125},
}  # fmt: skip
LANGUAGES = {"en": "eng", "zh": "cmn"}


def main() -> None:
    """Measure and print a table for each language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    figures = {language: measured(sampled(arguments.data, sizes), language) for language, sizes in SAMPLES.items()}
    for language, found in figures.items():
        print_table(language, found)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def sampled(data: Path, sizes: dict[str, int]) -> list[str]:
    """Texts at even distances in each file."""
    texts = []
    for name, size in sizes.items():
        with zstandard.open(data / f"{name}.jsonl.zst", "rt", encoding="utf-8") as lines:
            found = [orjson.loads(line)["text"] for line in lines]
        texts += [found[i * len(found) // size] for i in range(size)]
    return texts


def measured(texts: list[str], language: str) -> dict[str, float]:
    """CPU seconds of each way."""
    text = text_buffer(pa.array(texts, pa.large_string()))
    tokens = [tokens_of(t) for t in texts]
    offsets, hashes = shingle_hashes(text, SHINGLE)
    num_shingles = [max(0, len(t) - SHINGLE + 1) for t in tokens]
    assert np.diff(offsets).tolist() == num_shingles, "the plain tokens are not those of the kernel"
    lanes = signatures(text, SHINGLE, PERMUTATIONS, SEED)
    ours = [seconds_of(lambda: signatures(text, SHINGLE, PERMUTATIONS, SEED)) for _ in range(REPEATS)]
    shingled = [seconds_of(lambda: shingle_hashes(text, SHINGLE)) for _ in range(REPEATS)]
    theirs = by_datatrove(texts, tokens, language)
    return {
        "documents": len(texts),
        "megabytes": text.lengths().sum() / 1e6,
        "shingles": len(hashes),
        "ours": statistics.median(ours),
        "ours_shingling": statistics.median(shingled),
        "ours_signing": statistics.median(ours) - statistics.median(shingled),
        **by_datasketch(offsets, hashes, tokens, lanes),
        **{f"datatrove_{name}": value for name, value in theirs.items() if name != "shingles"},
    }


def tokens_of(text: str) -> list[str]:
    """Our tokens, plainly."""
    found: list[str] = []
    run = ""
    for character in fold(text):
        kind = class_of(character)
        if kind == LETTER:
            run += character
        elif kind != IGNORED:
            found += [run] * bool(run) + [character] * (kind == ALONE)
            run = ""
    return found + [run] * bool(run)


def seconds_of(run: Callable[[], object]) -> float:
    """CPU seconds."""
    start = time.process_time()
    run()
    return time.process_time() - start


def by_datasketch(offsets: Any, hashes: Any, tokens: list[list[str]], lanes: Any) -> dict[str, float]:
    """Sign ready hashes, which must give our signatures, and shingles as bytes."""
    low = (hashes & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    drawn = MinHash(PERMUTATIONS, seed=SEED, scheme="affine32").permutations
    signed = []

    def sign_hashes() -> None:
        for start, end in pairwise(offsets.tolist()):
            sketch = MinHash(PERMUTATIONS, permutations=drawn, scheme="affine32", hashfunc=lambda value: value)
            sketch.update_batch(low[start:end])
            signed.append(sketch.hashvalues)

    def sign_shingles() -> None:
        for document in tokens:
            sketch = MinHash(PERMUTATIONS, permutations=drawn, scheme="affine32")
            sketch.update_batch([" ".join(document[i : i + SHINGLE]).encode() for i in range(len(document) - SHINGLE + 1)])

    seconds = {"datasketch_hashes": seconds_of(sign_hashes), "datasketch_shingles": seconds_of(sign_shingles)}
    assert np.array_equal(np.array(signed), lanes), "signatures differ from datasketch's"
    return seconds


def by_datatrove(texts: list[str], tokens: list[list[str]], language: str) -> dict[str, float]:
    """What `datatrove_signatures.py` measures."""
    python = PEER / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEER)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    documents, results = PEER / f"documents-{language}.jsonl", PEER / f"results-{language}.json"
    rows = ({"text": text, "tokens": " ".join(found)} for text, found in zip(texts, tokens, strict=True))
    documents.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    program = str(Path(__file__).with_name("datatrove_signatures.py"))
    command = [str(python), program, str(documents), str(results), LANGUAGES[language], *map(str, (SHINGLE, BANDS, ROWS))]
    one_core = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=one_core, stderr=subprocess.DEVNULL)
    return dict(orjson.loads(results.read_bytes()))


def print_table(language: str, found: dict[str, float]) -> None:
    """A line for each way."""
    megabytes = found["megabytes"]
    print(f"{language}: {found['documents']:,} documents, {megabytes:.1f} MB, {found['shingles']:,} shingles, {PERMUTATIONS} lanes")
    ways = {
        "ours": "ours, text to signatures",
        "ours_shingling": "    of it shingling",
        "ours_signing": "    the rest, ready hashes to signatures",
        "datasketch_hashes": "datasketch, ready hashes to signatures",
        "datasketch_shingles": "datasketch, shingles as bytes to signatures",
        "datatrove_signed": "datatrove, ready hashes to signatures",
        "datatrove_tokens": "datatrove, tokens to signatures",
        "datatrove_text": "datatrove, text to signatures, its own tokens",
    }
    for name, what in ways.items():
        ratio = "" if name.startswith("ours") else f"{found[name] / found['ours']:10.0f} times ours"
        print(f"    {what:<48}{found[name]:9.3f} s{megabytes / found[name]:9.2f} MB/s{ratio}")


if __name__ == "__main__":
    main()

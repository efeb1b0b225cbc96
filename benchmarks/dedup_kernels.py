"""Speed of shingling, signing and comparing, beside datasketch on the same shingles in the same run.

    python benchmarks/dedup_kernels.py FOLDER [--documents 2000] [--repeats 3]

FOLDER holds `*.jsonl.zst` files with a `text` field. Each figure is the best of the repeats in CPU seconds, kernels compiled before.
`units` is the speed of signing sentences instead of documents, 32 lanes over shingles of 4. The last column says how many times faster we
sign than `datasketch.MinHash.update_batch`, which is given ready shingle hashes and shared permutations, so that ours alone pays for
shingling. `compared` counts hashes of both sets.

The second table is edit similarity, in thousands of pairs a second: a stretch of text with itself after a tenth or three tenths of
its characters were edited, or with another stretch; for `at_least` .8, and for 0, where nothing ends early. Ours folds texts first. Beside
it rapidfuzz on folded strings, if it is installed.
"""

import argparse
import io
import json
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from itertools import islice, pairwise
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import zstandard
from datasketch import MinHash

from stages.dedup.edit_similarity import edit_similarity
from stages.dedup.minhash import signatures
from stages.dedup.verify import exact_jaccard
from stages.text.buffers import TextBuffer, text_buffer
from stages.text.fold import IGNORED, class_of, fold
from stages.text.sentences import sentences
from stages.text.shingles import shingle_hashes, shingle_sets

SHINGLE, PERMUTATIONS, SEED = 5, 128, 1
UNIT_SHINGLE, UNIT_PERMUTATIONS = 4, 32
LENGTHS = {100: 4000, 300: 4000, 1000: 1000, 2000: 500}
"""Characters of a text, and how many pairs."""
EDITED = {"a tenth edited": 0.1, "three tenths edited": 0.3, "unrelated": None}


def main() -> None:
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=2000, help="of each file")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    files = sorted(arguments.folder.glob("*.jsonl.zst"))
    if not files:
        parser.error(f"{arguments.folder}: no *.jsonl.zst files")
    signatures(texts_of(files[0], 1), SHINGLE, PERMUTATIONS, SEED)
    print(
        f"{'file':24}{'documents':>10}{'MB':>7}{'shingles':>10}{'sets':>8}{'signed':>8}{'units':>8}{'compared':>10}{'datasketch':>12}{'ratio':>8}"
    )
    print(f"{'':24}{'':>10}{'':>7}{'MB/s':>10}{'MB/s':>8}{'MB/s':>8}{'MB/s':>8}{'M/s':>10}{'MB/s':>12}")
    for file in files:
        report(file.name.removesuffix(".jsonl.zst"), texts_of(file, arguments.documents), arguments.repeats)
    for file in files:
        if file.name.startswith(("law_en", "news_zh")):
            report_edits(file.name.removesuffix(".jsonl.zst"), texts_of(file, arguments.documents), arguments.repeats)


def texts_of(file: Path, limit: int) -> TextBuffer:
    """The first texts of a file."""
    with file.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
        lines = islice(io.TextIOWrapper(stream, encoding="utf-8"), limit)
        return text_buffer(pa.array([json.loads(line)["text"] for line in lines], pa.large_string()))


def report(name: str, text: TextBuffer, repeats: int) -> None:
    """Measure one file."""
    megabytes = text.lengths().sum() / 1e6
    offsets, hashes = shingle_hashes(text, SHINGLE)
    low = (hashes & np.uint64(0xFFFFFFFF)).astype(np.uint32)

    drawn = MinHash(PERMUTATIONS, seed=SEED, scheme="affine32").permutations

    def by_datasketch() -> None:
        for start, end in pairwise(offsets):
            sketch = MinHash(PERMUTATIONS, permutations=drawn, scheme="affine32", hashfunc=lambda value: value)
            sketch.update_batch(low[start:end])

    sets = shingle_sets(text, SHINGLE)
    left = np.arange(len(text) - 1)
    units = TextBuffer(text.data, sentences(text.read_only()).bounds)
    num_compared = 2 * len(sets[1]) / 1e6
    seconds = [
        best(lambda: shingle_hashes(text, SHINGLE), repeats),
        best(lambda: shingle_sets(text, SHINGLE), repeats),
        best(lambda: signatures(text, SHINGLE, PERMUTATIONS, SEED), repeats),
        best(lambda: signatures(units, UNIT_SHINGLE, UNIT_PERMUTATIONS, SEED), repeats),
    ]
    compared = num_compared / best(lambda: exact_jaccard(*sets, left, left + 1), repeats)
    peer = best(by_datasketch, 1)
    speeds = "".join(f"{megabytes / s:{width}.0f}" for s, width in zip(seconds, (10, 8, 8, 8), strict=True))
    print(f"{name:24}{len(text):10,}{megabytes:7.1f}{speeds}{compared:10.0f}{megabytes / peer:12.1f}{peer / seconds[2]:8.0f}")


def report_edits(name: str, text: TextBuffer, repeats: int) -> None:
    """Measure edit similarity on stretches of one file's text."""
    random, joined = Random(SEED), " ".join(" ".join(text.document(i).decode() for i in range(len(text))).split())
    with_peer = find_spec("rapidfuzz") is not None
    print(f"\n{name:10}{'':30}{'at least .8':>12}{'rapidfuzz':>11}{'at least 0':>14}{'rapidfuzz':>11}")
    for length, num_pairs in LENGTHS.items():
        starts = [random.randrange(len(joined) - length) for _ in range(num_pairs)]
        stretches = [joined[start : start + length].strip() for start in starts]
        for how, share in EDITED.items():
            others = stretches[1:] + stretches[:1] if share is None else [edited(one, share, random) for one in stretches]
            print(f"{length:10,} characters, {how:<18}{edit_speeds(stretches, others, repeats, with_peer)}")


def edit_speeds(texts: list[str], others: list[str], repeats: int, with_peer: bool) -> str:
    """Ours and rapidfuzz's for both bounds; what differs by more than rounding is an error."""
    buffer = text_buffer(pa.array(texts + others, pa.large_string()))
    left = np.arange(len(texts))
    views = [(view(a), view(b)) for a, b in zip(texts, others, strict=True)]
    line = ""
    for bound, width in ((0.8, 12), (0.0, 14)):
        found = edit_similarity(buffer, left, left + len(texts), bound)
        line += f"{len(texts) / 1e3 / best(lambda b=bound: edit_similarity(buffer, left, left + len(texts), b), repeats):{width}.0f}"
        if with_peer:
            theirs = np.array(by_rapidfuzz(views, bound))
            differing = (np.abs(found - theirs) > 1e-9) & (np.abs(found - bound) > 1e-9)
            assert not differing.any(), f"{differing.sum()} pairs differ from rapidfuzz"
            line += f"{len(texts) / 1e3 / best(lambda b=bound: by_rapidfuzz(views, b), repeats):11.0f}"
        else:
            line += f"{'-':>11}"
    return line


def view(text: str) -> str:
    """What is compared, as a string."""
    return " ".join("".join(c for c in fold(text) if class_of(c) != IGNORED).split())


def by_rapidfuzz(views: Iterable[tuple[str, str]], at_least: float) -> list[float]:
    """The same similarity."""
    from rapidfuzz.distance import Levenshtein

    return [Levenshtein.normalized_similarity(a, b, score_cutoff=at_least) for a, b in views]


def edited(text: str, share: float, random: Random) -> str:
    """The text after that share of its characters was inserted, replaced or removed."""
    characters = list(text)
    for _ in range(int(len(text) * share)):
        at = random.randrange(len(characters))
        kind = random.randrange(3)
        characters[at : at + (kind > 0)] = random.choice(text) if kind < 2 else ""
    return "".join(characters)


def best(run: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the fastest of some runs."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


if __name__ == "__main__":
    main()

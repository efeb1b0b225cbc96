"""Are planted near-duplicates found, and is nothing else removed? By true similarity, language and kind of edit.

    python benchmarks/dedup_planted.py --pairs 6000

Passages of real documents (../shared/data; without it those of the bundled sample, which are few), no two with a similarity of .1: each
shares less than a tenth of its shingles with all before. Up to two thirds of them get a near-duplicate (`benchmarks/dedup_edits.py`),
most kinds of edit aimed at similarities spread evenly over [.5, 1). All are shuffled over eight files and go through `pipeline.run` with
the stages `normalize`, `exact_dedup` and `document_dedup`; the ledger says what became of them. The true similarity is that of plain Python
shingles of the normalised texts (`benchmarks/dedup_reference.py`), and is compared with the one of the pipeline's own kernels.

A pair is found if not both of its texts are kept. A removal is right if the text and the kept one that it is said to duplicate are truly
similar by `similarity`. `closure` is what bands and transitive closure without verification, as several open pipelines do it, make of the
same run's candidates: of each component the first document is kept. Fails where a target is missed.
"""

import argparse
import json
import random
import re
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from dedup_edits import EDITS, Source
from dedup_reference import DATA, Fates, documents, fates, jaccard, shingles

from pipeline.config import load_run
from pipeline.run import run
from stages.dedup.bands import detection_probability
from stages.dedup.verify import exact_jaccard
from stages.text.buffers import text_buffer
from stages.text.shingles import shingle_sets

ROOT = Path("out/dedup_planted")
SIMILARITY = 0.8
BINS = (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.01)
LENGTHS = {"zh": (150, 3000), "en": (600, 8000)}
"""Characters of a passage; even on a logarithmic scale."""
MOST_OF_A_DOCUMENT = 20
TARGETS = ((0.9, 0.99), (0.8, 0.95))
"""From which true similarity on which share of the pairs must be found."""


@dataclass
class Pair:
    """A planted pair."""

    lang: str
    kind: str
    left: str
    right: str
    similarity: float = 0.0
    found: bool = False
    closed: bool = False
    """Whether closure alone would have removed one of the two."""


# Making ---------------------------------------------------------------------------------------------------------------------------


def originals(candidates: Iterable[str], number: int) -> list[str]:
    """Passages that share less than a tenth of their shingles with all before them."""
    found: list[str] = []
    seen: set[int] = set()
    for passage in candidates:
        hashes = set(map(hash, shingles(passage)))
        if len(hashes) >= 60 and len(hashes & seen) < 0.1 * len(hashes):
            found.append(passage)
            seen |= hashes
        if len(found) == number:
            break
    return found


def passages(lang: str, rng: random.Random, data: Path = DATA) -> Iterator[str]:
    """Beginnings and further parts of documents, cut at sentence ends; documents in a seeded order."""
    files = sorted(data.glob(f"*_{lang}.jsonl.zst"))
    if files:
        texts = [row["text"] for file in files for row in documents(file)]
        rng.shuffle(texts)
    else:
        print(f"{data} is not here: passages of the bundled sample", flush=True)
        texts = re.split(r"^%%% .+\n", "".join(p.read_text("utf-8") for p in sorted(Path("data/passages", lang).glob("*.txt"))), flags=re.M)
    shortest, longest = LENGTHS[lang]
    for text in texts:
        start = 0
        for _ in range(MOST_OF_A_DOCUMENT):
            length = round(shortest * (longest / shortest) ** rng.random())
            end = re.compile(r"[。！？\n]|[.!?]\s").search(text, start + length)
            stop = end.end() if end else len(text)
            if stop - start < shortest:
                break
            yield text[start:stop].strip()
            start = stop


def plant(lang: str, num_pairs: int, rng: random.Random, candidates: Iterable[str]) -> tuple[list[Pair], dict[str, str]]:
    """Pairs, and the texts of all documents by id: pairs and unrelated ones."""
    found = originals(candidates, 2 * num_pairs)
    texts = {f"{lang}-{i}": text for i, text in enumerate(found)}
    kinds = [kind for kind in EDITS if lang == "zh" or kind != "other script"]
    num_planted = min(num_pairs, len(found) * 2 // 3)
    source = Source(lang, found[num_planted:][:500])
    pairs = []
    for i in range(num_planted):
        kind = kinds[i % len(kinds)]
        texts[f"{lang}-{i}-near"] = EDITS[kind](source, found[i], rng.uniform(0.5, 1.0), rng)
        pairs.append(Pair(lang, kind, f"{lang}-{i}", f"{lang}-{i}-near"))
    return pairs, texts


def write(texts: dict[str, str], rng: random.Random) -> Path:
    """Shuffled over eight files; the configuration's path."""
    ids = list(texts)
    rng.shuffle(ids)
    (ROOT / "in").mkdir(parents=True)
    for part in range(8):
        lines = [json.dumps({"id": name, "text": texts[name]}, ensure_ascii=False) + "\n" for name in ids[part::8]]
        (ROOT / "in" / f"part-{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    config = {
        "name": "dedup-planted",
        "output": str(ROOT / "out"),
        "sources": [{"name": "planted", "path": str(ROOT / "in"), "domain": "web"}],
        "stages": [{"normalize": {}}, {"exact_dedup": {}}, {"document_dedup": {"similarity": SIMILARITY}}],
        "engine": {"executor": "inprocess"},
    }
    path = ROOT / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


# Judging --------------------------------------------------------------------------------------------------------------------------


def judge(pairs: Sequence[Pair], found: Fates) -> float:
    """Fill in true similarities and fates; the largest difference of our kernels' similarity to the plain one."""
    kept = dict(zip(found.ids, found.kept.tolist(), strict=True))
    root = dict(zip(found.ids, found.root.tolist(), strict=True))
    copy_of = {i: other for i, other, why in zip(found.ids, found.duplicate_of, found.reasons, strict=True) if "exact_duplicate" in why}
    names = [name for pair in pairs for name in (pair.left, pair.right)]
    text = text_buffer(pa.array([found.texts[name] for name in names], pa.large_string()))
    ours = exact_jaccard(*shingle_sets(text, 5), np.arange(0, len(names), 2), np.arange(1, len(names), 2))
    for pair in pairs:
        pair.similarity = jaccard(shingles(found.texts[pair.left]), shingles(found.texts[pair.right]))
        pair.found = not (kept[pair.left] and kept[pair.right])
        pair.closed = root[pair.left] == root[pair.right] or pair.left in copy_of or pair.right in copy_of
    return max(abs(pair.similarity - value) for pair, value in zip(pairs, ours.tolist(), strict=True))


def removals(found: Fates) -> Iterator[tuple[str, float, float | None]]:
    """Id, true similarity to the kept partner and the ledger's, of each removed document."""
    for name, kept, partner, similarity in zip(found.ids, found.kept.tolist(), found.duplicate_of, found.similarity, strict=True):
        if not kept:
            yield name, jaccard(shingles(found.texts[name]), shingles(found.texts[partner or name])), similarity


def closed_removals(found: Fates) -> Iterator[tuple[str, float]]:
    """The same of bands and closure: all but the first of a component go for the first."""
    for i in np.flatnonzero(found.root != np.arange(len(found.ids))).tolist():
        name, first = found.ids[i], found.ids[int(found.root[i])]
        if found.texts[name] != found.texts[first]:
            yield name, jaccard(shingles(found.texts[name]), shingles(found.texts[first]))


# Telling --------------------------------------------------------------------------------------------------------------------------


def table(pairs: Sequence[Pair], by: Callable[[Pair], str], title: str) -> None:
    """Print how many of each group were found."""
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[by(pair)].append(pair)
    print(f"\n{title:<26}{'pairs':>7}{'found':>7}{'share':>9}{'expected':>10}{'closure':>9}")
    for name in sorted(groups):
        group = groups[name]
        expected = np.mean([detection_probability(p.similarity, 16, 8) if p.similarity >= SIMILARITY else 0.0 for p in group])
        shares = [np.mean([getattr(p, field) for p in group]) for field in ("found", "closed")]
        num_found = sum(p.found for p in group)
        print(f"{name:<26}{len(group):>7,}{num_found:>7,}{shares[0]:>9.4f}{expected:>10.4f}{shares[1]:>9.4f}")


def bin_of(similarity: float) -> str:
    """Its bin, as text."""
    low, high = next((low, high) for low, high in pairwise(BINS) if low <= similarity < high)
    return "1" if low == 1 else f"[{low:.2f}, {high:.2f})"


def main() -> None:
    """Plant, run, judge, print; exit 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=6000, help="of each language")
    parser.add_argument("--seed", type=int, default=3)
    arguments = parser.parse_args()
    shutil.rmtree(ROOT, ignore_errors=True)
    pairs: list[Pair] = []
    texts: dict[str, str] = {}
    rng = random.Random(arguments.seed)
    for lang in ("zh", "en"):
        some, more = plant(lang, arguments.pairs, rng, passages(lang, rng))
        pairs += some
        texts |= more
    summary = run(load_run(write(texts, rng)), quiet=True)
    found = fates(ROOT / "out")
    difference = judge(pairs, found)
    counts = Counter(pair.lang for pair in pairs)
    print(f"{summary['documents']}, pairs planted: {dict(counts)}")
    print(f"largest difference of our kernels' similarity to plain Python's: {difference:.3g}")
    for lang in counts:
        table([p for p in pairs if p.lang == lang], lambda p: bin_of(p.similarity), f"{lang}: true similarity")
    for low, high in ((0.9, 1.01), (0.8, 0.9)):
        title = f"kind, [{low}, {min(high, 1)}{']' if high > 1 else ')'}"
        table([p for p in pairs if low <= p.similarity < high], lambda p: f"{p.lang} {p.kind}", title)

    missed = [f"kernels differ by {difference}"] if difference > 1e-9 else []
    print()
    for low, target in TARGETS:
        for lang in counts:
            group = [p.found for p in pairs if p.lang == lang and p.similarity >= low]
            print(f"{lang}: of {len(group):,} pairs of at least {low} {np.mean(group):.4f} found; target {target}")
            missed += [f"{lang}: too few found from {low} on"] if np.mean(group) < target else []
    ours = list(removals(found))
    right = sum(similarity >= SIMILARITY for _, similarity, _ in ours)
    told = max((abs(similarity - (ledger or 0)) for _, similarity, ledger in ours), default=0.0)
    closed = [similarity for _, similarity in closed_removals(found)]
    print(f"removed: {len(ours):,}, of these truly similar to their partner by {SIMILARITY}: {right:,} ({right / max(1, len(ours)):.4f}); "
          f"the ledger's similarity is off by at most {told:.2g}")  # fmt: skip
    print(f"bands and closure would remove {len(closed):,}, of these right: {np.mean([s >= SIMILARITY for s in closed]):.4f}")
    missed += ["a removal is not justified"] if right < len(ours) else []
    missed += ["the ledger's similarities are wrong"] if told > 1e-9 else []
    print("; ".join(missed) or "all targets met")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()

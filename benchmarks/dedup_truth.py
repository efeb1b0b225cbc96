r"""Are the natural near-duplicates of the real data found, and is nothing else removed?

    python benchmarks/dedup_truth.py [../shared/data]

All `*.jsonl.zst` of the folder go through `pipeline.run` with the stages `exact_dedup` and `document_dedup` alone, so that fates come from
dedup alone. `truth/*.pairs.jsonl` lists natural pairs, found by others with their own shingles: characters without white space in
Chinese, `\w+` in English, five in a row, lower-cased. A pair is found if not both of its documents are kept.

Removals are checked twice against plain Python shingles (`benchmarks/dedup_reference.py`): as the pipeline defines them, where none may
be below `similarity`, and as the list defines them, where punctuation counts and a short text may be far below. Where the list is
complete (law_zh, techdocs_zh), every removal of a near-duplicate within the file must be in it. `closure` is what bands and transitive
closure without verification would make of the same run's candidates. Fails where a target is missed.
"""

import argparse
import json
import re
import shutil
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import yaml
from dedup_reference import DATA, Fates, Shingles, fates, jaccard, shingles

from pipeline.config import load_run
from pipeline.run import run

ROOT = Path("out/dedup_truth")
SIMILARITY = 0.8
BINS = ((0.7, 0.8), (0.8, 0.85), (0.85, 0.9), (0.9, 1.0), (1.0, 1.01))
TARGET = (0.85, 0.98)
"""Of the listed pairs of at least this similarity, the share to find."""
COMPLETE = {"law_zh": 0.4, "techdocs_zh": 0.4}
"""From which similarity on the list has every pair of a file."""

Pairs = dict[tuple[str, str], float]


def listed(folder: Path) -> dict[str, Pairs]:
    """The listed pairs by file: ids in order -> similarity."""
    found: dict[str, Pairs] = {}
    for path in sorted((folder / "truth").glob("*.pairs.jsonl")):
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        found[path.name.removesuffix(".pairs.jsonl")] = {(min(r["a"], r["b"]), max(r["a"], r["b"])): r["jaccard"] for r in rows}
    return found


def listed_shingles(text: str, lang: str) -> Shingles:
    """Shingles as the list defines them."""
    found = re.findall(r"\w+" if lang == "en" else r"\S", text.lower())
    return set(zip(*(found[i:] for i in range(5)), strict=False))


def dedup(folder: Path) -> Fates:
    """Run dedup alone over all files."""
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    config = {
        "name": "dedup-truth",
        "output": str(ROOT / "out"),
        "sources": [{"name": path.name.split(".")[0], "path": str(path), "domain": "web"} for path in sorted(folder.glob("*.jsonl.zst"))],
        "stages": [{"exact_dedup": {}}, {"document_dedup": {"similarity": SIMILARITY}}],
        "engine": {"executor": "inprocess"},
    }
    (ROOT / "run.yaml").write_text(yaml.safe_dump(config))
    summary = run(load_run(ROOT / "run.yaml"), quiet=True)
    print(f"{summary['documents']}, reasons { ({name: sizes[0] for name, sizes in summary['reasons'].items()}) }")
    return fates(ROOT / "out")


def main() -> None:
    """Run, judge, print; exit 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=DATA)
    folder = parser.parse_args().folder
    if not (folder / "truth").is_dir():
        sys.exit(f"{folder}: no truth/*.pairs.jsonl; this measurement needs the real data")
    truth, found = listed(folder), dedup(folder)
    missed = [*recall(truth, found), *precision(truth, found)]
    closure(found)
    print("; ".join(missed) or "all targets met")
    sys.exit(bool(missed))


def recall(truth: dict[str, Pairs], found: Fates) -> list[str]:
    """Print what became of the listed pairs; which targets are missed."""
    kept = dict(zip(found.ids, found.kept.tolist(), strict=True))
    print(f"\n{'listed pairs: found / all':<26}" + "".join(f"{f'[{low}, {high})' if high <= 1 else '1':>14}" for low, high in BINS))
    seen: dict[tuple[float, float], list[bool]] = defaultdict(list)
    for name, pairs in truth.items():
        cells = []
        for low, high in BINS:
            group = [not (kept[a] and kept[b]) for (a, b), similarity in pairs.items() if low <= similarity < high]
            seen[low, high] += group
            cells.append(f"{sum(group):,} / {len(group):,}")
        print(f"{name:<26}" + "".join(f"{cell:>14}" for cell in cells))
    print(f"{'all':<26}" + "".join(f"{f'{sum(seen[b]):,} / {len(seen[b]):,}':>14}" for b in BINS))
    low, target = TARGET
    group = [value for (bottom, _), values in seen.items() if bottom >= low for value in values]
    print(f"from {low} on: {sum(group):,} of {len(group):,} found, {np.mean(group):.4f}; target {target}")
    for pairs in truth.values():
        for (a, b), similarity in pairs.items():
            if similarity >= SIMILARITY and kept[a] and kept[b]:
                own = jaccard(shingles(found.texts[a]), shingles(found.texts[b]))
                print(f"  not found: {similarity} in the list, {own:.4f} by our shingles: {a} | {b}"[:220])
    return [f"too few found from {low} on"] if np.mean(group) < target else []


def precision(truth: dict[str, Pairs], found: Fates) -> list[str]:
    """Print how similar the removed documents are to their partners; which targets are missed."""
    removed = [(i, str(found.duplicate_of[i])) for i in np.flatnonzero(~found.kept).tolist() if found.duplicate_of[i]]
    below = beyond = unlisted = 0
    off = 0.0
    by_list: dict[str, list[float]] = defaultdict(list)
    for i, partner in removed:
        name = found.ids[i]
        left, right = found.texts[name], found.texts[partner]
        if left == right:
            continue
        similarity = jaccard(shingles(left), shingles(right))
        below += similarity < SIMILARITY
        off = max(off, abs(similarity - (found.similarity[i] or 0)))
        file = name.split("/")[0]
        lang = file.rpartition("_")[2]
        by_list[file].append(jaccard(listed_shingles(left, lang), listed_shingles(right, lang)))
        known = (min(name, partner), max(name, partner)) in truth.get(file, {})
        beyond += not known
        if not known and by_list[file][-1] >= COMPLETE.get(file, 2.0) and partner.startswith(f"{file}/"):
            unlisted += 1
            print(f"  {by_list[file][-1]:.4f}, and not in the complete list: {name} | {partner}"[:220])
    print(f"\nremoved: {len(removed):,}, {sum(map(len, by_list.values())):,} of them no exact copies, {beyond:,} of these pairs in no list")
    print(f"  by our shingles {below:,} are below {SIMILARITY}; the ledger's similarity is off by at most {off:.2g}")
    for file, values in sorted(by_list.items()):
        low, lower = (sum(value < bound for value in values) for bound in (SIMILARITY, 0.7))
        counts = f"{len(values):>5,} pairs, {low:>3} below {SIMILARITY}, {lower:>3} below .7"
        print(f"  by the list's, {file:<14}{counts}, lowest {min(values):.3f}")
    return (
        ["a removal is not justified"] * bool(below)
        + ["the ledger's similarities are wrong"] * (off > 1e-9)
        + ["the complete list lacks a pair"] * bool(unlisted)
    )


def closure(found: Fates) -> None:
    """Print what bands and closure alone would have removed."""
    gone = np.flatnonzero(found.root != np.arange(len(found.ids))).tolist()
    rights: dict[str, list[bool]] = defaultdict(list)
    for i in gone:
        rights[found.ids[i].split("/")[0]].append(_similarity(found, i, int(found.root[i])) >= SIMILARITY)
    share = sum(map(sum, rights.values())) / max(1, len(gone))
    print(f"\nbands and closure would remove {len(gone):,} besides exact copies, of these right: {share:.4f}")
    removed: dict[str, int] = defaultdict(int)
    for i in np.flatnonzero(~found.kept).tolist():
        removed[found.ids[i].split("/")[0]] += "near_duplicate" in found.reasons[i]
    for name, right in sorted(rights.items()):
        print(f"  {name:<24} closure removes {len(right):>6,}, right {np.mean(right):.3f}; we remove {removed[name]:>6,}")


def _similarity(found: Fates, one: int, other: int) -> float:
    left, right = found.texts[found.ids[one]], found.texts[found.ids[other]]
    return 1.0 if left == right else jaccard(shingles(left), shingles(right))


if __name__ == "__main__":
    main()

"""What each heuristic rule removes from each kind of real text: python benchmarks/filters_on_domains.py DATA [--json OUT].

DATA is a folder of JSON lines files (zstd) with `text` and `domain`, on which the shipped bounds were set, and of gold
texts of web articles (`html/aeb/ground-truth.json`), on which nothing was set. For each: documents and characters removed by all
rules together and by each rule, and the speed of normalisation, profile and scores on one core. `docs/filters.md` shows the
output.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import zstandard

from stages.batch import Batch
from stages.heuristics import Heuristics
from stages.measure import Measure
from stages.normalize import Normalize

BATCH_ROWS = 1024
STAGES = (Normalize(), Measure(), Heuristics())


def main() -> None:
    """Measure and print; write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    annotated(pa.table({name: pa.array(["warm u\u0308p "]) for name in ("text", "lang", "domain", "fault")}))
    figures = {path.name.removesuffix(".jsonl.zst"): measured(read(path)) for path in sorted(arguments.data.glob("*.jsonl.zst"))}
    figures["web articles (held out)"] = measured(read_articles(arguments.data / "html/aeb/ground-truth.json"))
    for name, found in figures.items():
        print(f"{name}: {found['documents']:.2%} of documents, {found['chars']:.2%} of characters, {found['mb_per_second']:.0f} MB/s")
        for rule, (documents, chars) in found["rules"].items():
            print(f"    {rule:32} {documents:8.2%} {chars:8.2%}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measured(documents: pa.Table) -> dict[str, Any]:
    """Shares removed: `documents`, `chars`, `rules` (rule -> both, most characters first), and `mb_per_second`."""
    start = time.process_time()
    scored = annotated(documents)
    seconds = time.process_time() - start
    reasons = STAGES[2].reasons(scored)
    chars = scored["num_chars"].to_numpy()
    removed = np.logical_or.reduce([*reasons.values(), np.zeros(len(chars), np.bool_)])
    rules = {rule: (float(mask.mean()), float(chars[mask].sum() / chars.sum())) for rule, mask in reasons.items()}
    return {
        "documents": float(removed.mean()),
        "chars": float(chars[removed].sum() / chars.sum()),
        "rules": dict(sorted(rules.items(), key=lambda item: -item[1][1])),
        "mb_per_second": scored["num_bytes"].to_numpy().sum() / 1e6 / seconds,
    }


def read(path: Path) -> pa.Table:
    """Columns id, text, domain, and an empty lang and fault: as in a run, the language is decided from the text."""
    with zstandard.open(path, "rt", encoding="utf-8") as lines:
        rows = [orjson.loads(line) for line in lines]
    missing = pa.nulls(len(rows), pa.string())
    text = pa.array([row["text"] for row in rows], pa.large_string())
    names = {name: [row[name] for row in rows] for name in ("id", "domain")}
    return pa.table({"text": text, "lang": missing, "fault": missing} | names)


def read_articles(path: Path) -> pa.Table:
    """The same columns from the article extraction benchmark's truth, domain `web`, language to be decided."""
    texts = [article["articleBody"] for article in json.loads(path.read_text(encoding="utf-8")).values()]
    missing = pa.nulls(len(texts), pa.string())
    return pa.table({"text": pa.array(texts, pa.large_string()), "lang": missing, "domain": ["web"] * len(texts), "fault": missing})


def annotated(documents: pa.Table) -> pa.Table:
    """All columns but the text."""
    return pa.Table.from_batches(list(scored_batches(documents)))


def scored_batches(documents: pa.Table) -> Iterator[pa.RecordBatch]:
    """Batches through the three stages."""
    for columns in documents.to_batches(max_chunksize=BATCH_ROWS):
        batch = Batch(columns)
        for stage in STAGES:
            batch = stage.annotate(batch)
        yield batch.columns.drop_columns(["text"])


if __name__ == "__main__":
    main()

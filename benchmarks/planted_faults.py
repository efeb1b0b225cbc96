"""How many of the sample's planted faults a run catches, and what it loses: python benchmarks/planted_faults.py [--json OUT].

Runs `configs/sample.yaml` in this process, without the documents of the Python environment, into a temporary folder, and compares the
ledger with `data/sample/labels.jsonl`. A duplicate that names a kept document is not lost. `docs/filters.md` shows the output.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.config import Engine, load_run
from pipeline.run import run
from stages.filters import columns

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Run, count, print; write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    config = load_run(ROOT / "configs/sample.yaml")
    with tempfile.TemporaryDirectory() as folder:
        sources = tuple(source for source in config.sources if source.name != "python_docs")
        run(replace(config, sources=sources, output=folder, engine=Engine(executor="inprocess")), quiet=True)
        ledger = pq.read_table(f"{folder}/ledger", columns=["id", "fate", "reasons", "duplicate_of"]).to_pylist()
    figures = rates({row["id"]: row for row in ledger})
    for label, languages in figures.items():
        print(label, languages)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def rates(ledger: dict[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, int]]]:
    """Label -> language -> counts: `faulty` documents, of these `caught` for any reason and `by_rules` of filters; `good`, `lost`."""
    rules = {column.name for column in columns()}
    figures: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: dict.fromkeys(COUNTS, 0)))
    for line in (ROOT / "data/sample/labels.jsonl").read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        if label["keep"] is None or label["label"] in ("near_duplicate", "exact_duplicate"):
            continue
        found = figures[label["label"]][label["lang"] or "none"]
        found["good" if label["keep"] else "faulty"] += 1
        row = ledger[label["id"]]
        if row["fate"] == "rejected" and not (label["keep"] and row["duplicate_of"]):
            found["lost" if label["keep"] else "caught"] += 1
            found["by_rules"] += not label["keep"] and not rules.isdisjoint(row["reasons"])
    return {label: dict(languages) for label, languages in sorted(figures.items())}


COUNTS = ("faulty", "caught", "by_rules", "good", "lost")


if __name__ == "__main__":
    main()

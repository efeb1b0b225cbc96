"""Do the percentiles of a domain hold for documents that the model was not trained on?

    python benchmarks/quality_references.py configs/quality/real_data_zh.yaml

The reference documents of a domain are its good ones, and the model was trained on them unless their source is held out. So every fifth
document is kept from a training like that of CONFIG, and where such new documents stand among the percentiles of their domain is compared
with where they should: as many in each. `distance` is the mean distance in percentiles, `chance` what so few documents have by chance.

Fails where the distance of a domain is twice that of chance.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
from quality import OUT

from pipeline.config import Source
from pipeline.quality.config import NEGATIVE, POSITIVE, TrainConfig, load_training
from pipeline.quality.documents import read_documents
from pipeline.quality.train import train
from stages.quality.calibration import Floats
from stages.quality.model import load_model, rows_by_value
from stages.quality.weights import sums
from stages.text.buffers import text_buffer
from stages.text.sentences import sentences

EVERY = 5


def written(table: pa.Table, kind: str, folder: Path) -> Iterable[Source]:
    """The sources of a class as files."""
    for name, rows in rows_by_value(table["source"].to_pylist()).items():
        found = table.take(pa.array(rows)).to_pylist()
        if found[0]["kind"] == kind:
            path = folder / f"{re.sub(r'[^a-z0-9_]', '_', name)}.jsonl"
            path.write_bytes(b"".join(orjson.dumps({"text": row["text"], "lang": row["lang"]}) + b"\n" for row in found))
            yield Source(name=name.replace("/", "_"), path=str(path), domain=found[0]["domain"], lang_key="lang")


def distance(percentile: Floats) -> float:
    """Mean distance from an even spread."""
    even = (np.arange(len(percentile)) + 0.5) / len(percentile)
    return float(np.abs(np.sort(percentile) - 100 * even).mean())


def main() -> int:
    """Print; 1 if a domain is off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    config: TrainConfig = load_training(parser.parse_args().config)
    folder = OUT / "references" / config.name
    folder.mkdir(parents=True, exist_ok=True)
    table = read_documents(config)
    is_new = np.arange(table.num_rows) % EVERY == 0
    positives, negatives = (tuple(written(table.filter(pa.array(~is_new)), kind, folder)) for kind in (POSITIVE, NEGATIVE))
    used = replace(config, output=str(folder / "model"), positives=positives, negatives=negatives, rejected=(), parts=1)
    held_out = train(used, overwrite=True)["data"]["parts"]["test"]
    model = load_model(used.output)
    groups = np.array([
        f"{row['lang']}/{row['domain']}" if row["kind"] == POSITIVE and row["source"].replace("/", "_") not in held_out else ""
        for row in table.select(["kind", "source", "lang", "domain"]).to_pylist()
    ])  # fmt: skip
    failed = False
    for group in sorted(set(groups) & set(model.grids)):
        text = text_buffer(table["text"].combine_chunks().take(pa.array(np.flatnonzero(is_new & (groups == group))))).read_only()
        score = model.probability(sums(text, sentences(text), model.weights)[0])
        found = model.percentile(score[~np.isnan(score)], group)
        others = int((~is_new & (groups == group)).sum())
        chance = 100 * np.sqrt(np.pi / 32 * (1 / len(found) + 1 / others))  # the mean of sqrt(2 / pi * u * (1 - u)) over u in [0, 1]
        failed |= distance(found) > 2 * chance
        print(f"{group:20} {others:6,} references, {len(found):6,} new documents: distance {distance(found):5.2f}, chance {chance:5.2f}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

"""What the shipped safety lists flag in real text, by kind and file, and how fast; `--show` prints the highest scores.

    python benchmarks/safety.py FOLDER [--documents 100000] [--show 0]

FOLDER holds `*.jsonl.zst` files with a `text` field: laws, encyclopedias, news and the like, in which nothing should be flagged. The speed
is that of one core for all four lists, the best of three passes, kernels compiled before.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.pii import read
from stages.batch import Batch
from stages.safety.stage import KINDS, Safety


def main() -> None:
    """Print a line for each file: documents with a score of 1 and of 3 or more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=100_000, help="of each file")
    parser.add_argument("--show", type=int, default=0, help="documents of each kind and file to print")
    arguments = parser.parse_args()
    stage = Safety()
    print(f"{'file':<22}{'documents':>10}{'MB/s':>7}" + "".join(f"{kind + ' 1':>12}{'3':>5}" for kind in KINDS))
    for file in sorted(arguments.folder.glob("*.jsonl.zst")):
        text = read(file, arguments.documents)
        documents = [text.document(i).decode() for i in range(len(text))]
        batch = Batch(pa.RecordBatch.from_pydict({"text": pa.array(documents, pa.large_string())}))
        scored = stage.annotate(batch)
        seconds = min(timed(stage, batch) for _ in range(3))
        columns = {kind: scored[f"safety_{kind}"].to_numpy() for kind in KINDS}
        counts = "".join(f"{int((scores >= 1).sum()):>12}{int((scores >= 3).sum()):>5}" for scores in columns.values())
        print(f"{file.name.split('.')[0]:<22}{len(text):>10,}{int(text.lengths().sum()) / 1e6 / seconds:>7.0f}{counts}")
        for kind, scores in columns.items():
            for row in np.argsort(-scores, kind="stable")[: arguments.show]:
                if scores[row] > 0:
                    print(f"    {kind:<9}{scores[row]:>5.1f}  {documents[row][:100]!r}")


def timed(stage: Safety, batch: Batch) -> float:
    """Seconds of one pass."""
    started = time.perf_counter()
    stage.annotate(batch)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()

"""What the shipped safety lists flag in real text, by kind and file, and how fast; `--show` prints the highest scores.

    python -m benchmarks.safety FOLDER [--documents 100000] [--show 0] [--model FOLDER]

FOLDER holds `*.jsonl.zst` files with a `text` field: laws, encyclopedias, news and the like, in which nothing should be flagged. The speed
is that of all four lists by CPU seconds, the best of three passes, kernels compiled before. With `--model` a trained model scores instead:
documents with a probability of .5 and of .9 or more are counted. Files are taken to be in the language that ends their names.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.pii import read
from stages.batch import Batch
from stages.quality.model import describe_model
from stages.safety.stage import KINDS, Safety


def main() -> None:
    """Print a line for each file: documents with a score of 1 and of 3 or more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=100_000, help="of each file")
    parser.add_argument("--show", type=int, default=0, help="documents of each kind and file to print")
    parser.add_argument("--model", help="that `corpus quality train` wrote with `safety: KIND`")
    arguments = parser.parse_args()
    stage, names, (low, high) = Safety(), KINDS, (1.0, 3.0)
    if arguments.model:
        card = describe_model(arguments.model)
        names, (low, high) = (f"{card['safety']}_probability",), (0.5, 0.9)
        stage = Safety(lists={}, models={card["safety"]: dict.fromkeys(card["languages"], (arguments.model,))})
    print(
        f"{'file':<22}{'documents':>10}{'MB/s':>7}" + "".join(f"{f'{name} {low:g}':>{max(12, len(name) + 4)}}{high:>5g}" for name in names)
    )
    for file in sorted(arguments.folder.glob("*.jsonl.zst")):
        text = read(file, arguments.documents)
        documents = [text.document(i).decode() for i in range(len(text))]
        batch = Batch(
            pa.RecordBatch.from_pydict({"text": pa.array(documents, pa.large_string()), "lang": [file.name.split(".")[0][-2:]] * len(text)})
        )
        scored = stage.annotate(batch)
        seconds = min(timed(stage, batch) for _ in range(3))
        columns = {name: np.nan_to_num(scored[f"safety_{name}"].to_numpy(zero_copy_only=False)) for name in names}
        counts = "".join(
            f"{int((scores >= low).sum()):>{max(12, len(name) + 4)}}{int((scores >= high).sum()):>5}" for name, scores in columns.items()
        )
        print(f"{file.name.split('.')[0]:<22}{len(text):>10,}{int(text.lengths().sum()) / 1e6 / seconds:>7.0f}{counts}")
        for kind, scores in columns.items():
            for row in np.argsort(-scores, kind="stable")[: arguments.show]:
                if scores[row] > 0:
                    print(f"    {kind:<9}{scores[row]:>5.2f}  {documents[row][:100]!r}")


def timed(stage: Safety, batch: Batch) -> float:
    """CPU seconds of one pass."""
    started = time.process_time()
    stage.annotate(batch)
    return time.process_time() - started


if __name__ == "__main__":
    main()

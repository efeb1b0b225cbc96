"""What `pii` finds in real text, by kind and file, and how fast; `--show N` prints so many of each kind with their surroundings.

    python -m benchmarks.pii FOLDER [--documents 100000] [--show 0]

FOLDER holds `*.jsonl.zst` files with a `text` field. The speed is by CPU seconds, the best of three passes, kernels compiled before.
What is shown is masked but for the first two characters.
"""

import argparse
import io
import json
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import pyarrow as pa
import zstandard

from stages.pii import NAMES
from stages.pii.anchors import anchors
from stages.pii.stage import find
from stages.text.buffers import TextBuffer, text_buffer


def main() -> None:
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=100_000, help="of each file")
    parser.add_argument("--show", type=int, default=0, help="hits of each kind and file to print")
    arguments = parser.parse_args()
    print(f"{'file':<22}{'documents':>10}{'MB':>7}{'MB/s':>7}{'anchors/MB':>12}" + "".join(f"{name:>13}" for name in NAMES))
    for file in sorted(arguments.folder.glob("*.jsonl.zst")):
        text = read(file, arguments.documents)
        size = int(text.lengths().sum()) / 1e6
        hits = find(text)
        seconds = min(timed(text) for _ in range(3))
        counts = Counter(kind for _, kind, _, _ in hits)
        row = f"{file.name.split('.')[0]:<22}{len(text):>10,}{size:>7.1f}{size / seconds:>7.0f}{len(anchors(text).kind) / size:>12.0f}"
        print(row + "".join(f"{counts[name]:>13}" for name in NAMES))
        shown: Counter[str] = Counter()
        for document, kind, start, end in hits:
            if shown[kind] < arguments.show:
                shown[kind] += 1
                data = text.document(document)
                before, inside, after = (
                    data[a:b].decode(errors="ignore") for a, b in ((max(0, start - 40), start), (start, end), (end, end + 20))
                )
                print(f"    {kind:<12} {before!r} [{inside[:2]}{'*' * min(20, len(inside) - 2)}] {after!r}")


def timed(text: TextBuffer) -> float:
    """CPU seconds of one pass."""
    started = time.process_time()
    find(text)
    return time.process_time() - started


def read(file: Path, most: int) -> TextBuffer:
    """The texts of a file."""
    with file.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
        texts = [json.loads(line)["text"] for line in islice(io.TextIOWrapper(stream, encoding="utf-8"), most)]
    return text_buffer(pa.array(texts, pa.large_string()))


if __name__ == "__main__":
    main()

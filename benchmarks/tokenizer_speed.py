"""Encoding of Arrow columns against SentencePiece's own batches: .venv/bin/python benchmarks/tokenizer_speed.py [MODEL] [--rounds 5].

MODEL is a .model file or a folder; Baichuan-7B's vocabulary if not given. English and Chinese of the real data, one process; ours and
theirs in turns, the median of the ratios of each round, so that a busy machine hits both. Theirs is `encode(list of str)`, which returns
lists: there is no other batch in Python. `two/one` is the speed of two threads by that of one, `control` the same of a kernel that only
multiplies, which shows what the machine has to give at the moment, `CPU` the processor time of two threads by that of one: 1 if the
threads do not hinder each other.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
from numba import njit

from pipeline.texts import texts
from tokenizer.codec import Tokenizer

NAMES = {
    "en": ("novels_en", "law_en", "speeches_en", "encyclopedia_en", "medicine_en"),
    "zh": ("news_zh", "law_zh", "technews_zh", "techdocs_zh", "encyclopedia_zh"),
}


@njit(nogil=True)
def multiply(times):  # type: ignore[no-untyped-def]
    """Arithmetic alone."""
    number = 1.0
    for _ in range(times):
        number = number * 1.0000001 + 0.1
    return number


def on_two_threads(times: int) -> None:
    """The same work twice, side by side."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(multiply, [times, times]))


def processor(work: Callable[[], object]) -> float:
    """Processor time of a call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def seconds(work: Callable[[], object]) -> float:
    """Wall time of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


TIMES = 100_000_000


def main() -> None:
    """Print a line for each language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    multiply(1)
    made = Tokenizer.load(arguments.model or Path(arguments.data) / "tokenizers" / "rebuilt" / "baichuan7b.spm.model")
    print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("      MB   ours MB/s  two threads  SentencePiece  ours/theirs  two/one  control  CPU  same ids  round trip")
    for lang, names in NAMES.items():
        read = texts([f"{arguments.data}/{name}.jsonl.zst" for name in names])
        column = pa.concat_arrays([batch["text"] for batch in read()])
        documents = column.to_pylist()
        size = column.nbytes / 1e6
        made.encode_arrow(column, 2)
        rounds = [
            (
                seconds(lambda column=column: made.encode_arrow(column, 1)),
                seconds(lambda column=column: made.encode_arrow(column, 2)),
                seconds(lambda documents=documents: made.stock.encode(documents, num_threads=1)),
                seconds(lambda: (multiply(TIMES), multiply(TIMES))) / seconds(lambda: on_two_threads(TIMES)),
                processor(lambda column=column: made.encode_arrow(column, 2))
                / processor(lambda column=column: made.encode_arrow(column, 1)),
            )
            for _ in range(arguments.rounds)
        ]
        one, two, theirs, control, processors = (statistics.median(times) for times in zip(*rounds, strict=True))
        faster = statistics.median(theirs / one for one, _, theirs, *_ in rounds)
        scales = statistics.median(one / two for one, two, *_ in rounds)
        offsets, ids = made.encode_arrow(column)
        lists = made.stock.encode(documents)
        literal = sum("\u2581" in text for text in documents)
        same = sum(ids[offsets[i] : offsets[i + 1]].tolist() == lists[i] for i in range(len(documents)))
        back = made.decode_arrow(offsets, ids).cast(pa.large_string()).equals(column)
        print(
            f"{lang} {size:6.1f} {size / one:9.1f} {size / two:11.1f} {size / theirs:13.1f} {faster:12.2f} {scales:9.2f} "
            f"{control:8.2f} {processors:5.2f}"
            f"  {same} of {len(documents)} ({literal} with U+2581)  {'exact' if back else 'NOT EXACT'}"
        )


if __name__ == "__main__":
    main()

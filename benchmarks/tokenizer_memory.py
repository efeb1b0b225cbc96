"""Time and memory of training on more and more varied text: .venv/bin/python benchmarks/tokenizer_memory.py [--sizes 100MB 250MB 500MB].

The real data is 101 MB; more is made of copies in which a tenth of the Han characters are replaced by others of the text and one ASCII
letter in twenty by another, so that words do not repeat as copies would: new words come faster than in real text, and the memory shown is
an upper bound. The same preset each time; all in the cap `--memory`, which decides the share that is taken.
"""

import argparse
import os
import resource
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from configs.loader import parse_bytes
from pipeline.texts import texts
from stages.text.buffers import string_array, text_buffer
from stages.text.kernel import kernel
from tokenizer.recipe import TrainConfig
from tokenizer.train import train


def varied(batches: Iterator[pa.RecordBatch], copy: int) -> Iterator[pa.RecordBatch]:
    """The texts with characters replaced; copy 0 is as it was."""
    for number, batch in enumerate(batches):
        text = text_buffer(batch["text"])
        data = text.data[text.offsets[0] : text.offsets[-1]].copy()
        if copy and len(data):
            _replace(data, np.random.default_rng((copy, number)).integers(0, 1 << 62, 1 << 16))
        ids = pa.array([f"{name}/{copy}" for name in batch["id"].to_pylist()])
        column = string_array(data, text.offsets - text.offsets[0])
        yield pa.RecordBatch.from_arrays([ids, column, batch["lang"], batch["domain"]], names=["id", "text", "lang", "domain"])


@kernel
def _replace(data, randoms):  # type: ignore[no-untyped-def]
    for at in range(len(data) - 2):
        random = randoms[(at * 40503) & 0xFFFF] ^ np.int64(at) * 2654435761
        random = (random ^ random >> 29) & 0x7FFFFFFF
        if 0xE4 <= data[at] <= 0xE9 and random % 10 == 0:
            other = (random >> 5) % len(data)
            while other < len(data) - 2 and not 0xE4 <= data[other] <= 0xE9:
                other += 1
            if other < len(data) - 2:
                data[at], data[at + 1], data[at + 2] = data[other], data[other + 1], data[other + 2]
        elif 0x61 <= data[at] <= 0x7A and random % 20 == 0:
            data[at] = 0x61 + (random >> 8) % 26


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--preset", default="baichuan1")
    parser.add_argument("--sizes", nargs="+", default=["100MB", "250MB", "500MB"])
    parser.add_argument("--memory", default="8GB")
    arguments = parser.parse_args()
    read = texts([f"{arguments.data}/*.jsonl.zst"])
    print(
        "text MB  words  characters of words  least pair  last frequency  share  estimate MB  trainer MB  seconds  CPU seconds  our peak MB"
    )
    for size in arguments.sizes:
        wanted = parse_bytes(size) or 0

        def batches(wanted: int = wanted) -> Iterator[pa.RecordBatch]:
            left, copy = wanted, 0
            while left > 0:
                for batch in varied(read(), copy):
                    if left <= 0:
                        return
                    left -= int(text_buffer(batch["text"]).lengths().sum())
                    yield batch
                copy += 1

        config = TrainConfig(input=("-",), output="-", preset=arguments.preset, memory=parse_bytes(arguments.memory) or 0)
        started, used = time.perf_counter(), os.times()
        facts = train(config, batches).facts
        now = os.times()
        cpu = now.user + now.system + now.children_user + now.children_system
        cpu -= used.user + used.system + used.children_user + used.children_system
        print(
            f"{facts['texts']['bytes_taken'] / 1e6:7.0f} {facts['words']:9,} {facts['word_characters']:11,} {facts['least_pair_count']:5} "
            f"{facts['last_frequency']:6} {facts['share']:6.3f} {facts['estimated_memory_bytes'] / 1e6:7.0f} "
            f"{facts['peak_memory_bytes'] / 1e6:7.0f} {time.perf_counter() - started:6.0f} {cpu:6.0f} "
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:7.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

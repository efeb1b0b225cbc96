"""A finished corpus in other layouts, on demand: JSON lines for tools that read those, and Baichuan-7B's training layout.

Documents go round-robin over the files in the order of the corpus, so that the files are balanced and their content does not depend on
how the export was run. Documents are streamed: memory is bounded by one batch.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle
from typing import Any

import pyarrow.parquet as pq

from configs.errors import ConfigError, InputError
from pipeline import storage
from pipeline.writers.json_lines import json_lines
from pipeline.writers.text_lines import text_lines

Layout = tuple[str, Callable[[Any], Any]]

LAYOUTS: dict[str, Layout] = {"jsonl": (".jsonl.zst", json_lines), "baichuan-7b": (".txt", text_lines)}
"""Layout name -> file extension, and what turns a binary file into a context that takes documents."""


def export_corpus(run_folder: str, output_folder: str, layout: str, num_files: int) -> int:
    """Write the kept documents of a run; how many there were.

    Raises `ConfigError` for an unknown layout, and `InputError` for a folder that is no finished run or an output that is not empty.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"--format: got '{layout}', wanted one of {', '.join(LAYOUTS)}")
    if num_files < 1:
        raise ConfigError(f"--files: got {num_files}, wanted at least 1")
    if storage.list_names(output_folder):
        raise InputError(f"{output_folder}: is not empty; choose a new folder")
    extension, opened = LAYOUTS[layout]
    num_documents = 0
    with ExitStack() as stack:
        names = [storage.join(output_folder, f"corpus-{i:05d}-of-{num_files:05d}{extension}") for i in range(num_files)]
        takers = [stack.enter_context(opened(stack.enter_context(storage.committed(name)))) for name in names]
        for taker, document in zip(cycle(takers), _kept(run_folder), strict=False):
            taker(document)
            num_documents += 1
    return num_documents


def _kept(run_folder: str) -> Iterator[dict[str, Any]]:
    folder = storage.join(run_folder, "corpus")
    names = sorted(storage.list_names(folder))
    if not names or not storage.exists(storage.join(run_folder, "summary.json")):
        raise InputError(f"{run_folder}: no finished run; run `corpus run` first")
    for name in names:
        with storage.open_input(storage.join(folder, name)) as file:
            for batch in pq.ParquetFile(file).iter_batches(batch_size=256):
                yield from batch.to_pylist()

"""Speed of the heuristics by file and by language: the profile, all document rules, all sentence rules, and the three together.

    python benchmarks/heuristics_speed.py DATA [--repeats 5] [--parts]

DATA holds `*.jsonl.zst` files with `text`, named `..._en` and `..._zh`. Texts are brought into our normal form first. `profile` is the
shared counts, `heuristics` all scores of the document rules given them, `rules` their bounds (reasons), `sentences` all proposals of the
sentence rules, and `together` the sum: what a document costs at both granularities. One core, CPU seconds, the fastest pass of each; MB are
of UTF-8 text. `--parts` shows the kernels one by one.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import orjson
import pyarrow as pa
import zstandard

from stages import filters
from stages.batch import Batch
from stages.filters.lorem_ipsum_share import score as lorem_ipsum
from stages.heuristics import Heuristics
from stages.normalize import Normalize
from stages.sentences import Signals
from stages.sentences import rules as sentence_rules
from stages.sentences.boilerplate import compile_files
from stages.sentences.stage import Sentences
from stages.text.blocks import block_kinds
from stages.text.code import code_shares
from stages.text.lines import lines
from stages.text.mojibake import mojibake_counts
from stages.text.ngrams import ngram_shares
from stages.text.sentences import sentences

BATCH_ROWS = 1024
STEPS = ("profile", "heuristics", "rules", "sentences")
Seconds = dict[str, float]
T = TypeVar("T")


def main() -> None:
    """Measure file by file and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--parts", action="store_true", help="show the kernels too")
    arguments = parser.parse_args()
    if not any(arguments.data.glob("*.jsonl.zst")):
        parser.error(f"{arguments.data}: no *.jsonl.zst here; give the folder of the real data, as in `make bench DATA=...`")
    pa.set_cpu_count(1)
    totals: dict[str, Seconds] = defaultdict(lambda: defaultdict(float))
    megabytes: dict[str, float] = defaultdict(float)
    names: tuple[str, ...] = ()
    for path in sorted(arguments.data.glob("*.jsonl.zst")):
        batches = normalised(path)
        found = fastest(batches, arguments.repeats, arguments.parts)
        if not names:
            names = (*STEPS, "together", *(name for name in found if name not in STEPS))
            print(f"{'MB/s':24}{'MB':>6}" + "".join(f"{name:>{max(11, len(name) + 2)}}" for name in names))
        file = path.name.removesuffix(".jsonl.zst")
        size = sum(int(batch.text.lengths().sum()) for batch in batches) / 1e6
        print(row(file, size, found, names), flush=True)
        for language in (file.rpartition("_")[2], "all"):
            megabytes[language] += size
            for name, seconds in found.items():
                totals[language][name] += seconds
    for language in sorted(totals):
        print(row(language, megabytes[language], totals[language], names))


def normalised(path: Path) -> list[Batch]:
    """The documents of a file, in our normal form."""
    with zstandard.open(path, "rt", encoding="utf-8") as rows:
        texts = [orjson.loads(line)["text"] for line in rows]
    table = pa.table({
        "text": pa.array(texts, pa.large_string()), "lang": pa.array([path.name.split(".")[0][-2:]] * len(texts)),
        "domain": pa.array([""] * len(texts)), "fault": pa.nulls(len(texts), pa.string()),
    })  # fmt: skip
    return [Normalize().annotate(Batch(columns)) for columns in table.to_batches(max_chunksize=BATCH_ROWS)]


def fastest(batches: list[Batch], repeats: int, parts: bool) -> Seconds:
    """CPU seconds of each step over all batches: of each step the fastest of the passes."""
    passes = [one_pass(batches, parts) for _ in range(repeats + 1)][1:]  # the first compiles
    return {name: min(seconds[name] for seconds in passes) for name in passes[0]}


def one_pass(batches: list[Batch], parts: bool) -> Seconds:
    """CPU seconds of each step."""
    heuristics, sentence_stage = Heuristics(), Sentences()
    heuristics.describe()  # reads the rule files
    seconds: Seconds = defaultdict(float)
    judged = []
    for normal in batches:
        batch = Batch(normal.columns)
        timed(seconds, "profile", lambda batch=batch: batch.profile)
        scored = timed(seconds, "heuristics", lambda batch=batch: heuristics.annotate(batch))
        judged.append(scored.columns.drop_columns(["text"]))
        timed(seconds, "sentences", lambda scored=scored: sentence_stage.annotate(scored))
        if parts:
            for name, part in kernels(batch).items():
                timed(seconds, name, part)
    timed(seconds, "rules", lambda: heuristics.reasons(pa.Table.from_batches(judged)))  # a run judges a file at once
    return dict(seconds)


def kernels(batch: Batch) -> Mapping[str, Callable[[], object]]:
    """What heuristics and sentences call, in the order in which they depend on each other."""
    signals = Signals(batch.text, compile_files(Sentences().phrases))
    return {
        "ngrams": lambda: ngram_shares(batch.text),
        "mojibake": lambda: mojibake_counts(batch.text),
        "code": lambda: code_shares(batch.text, batch.profile),
        "lorem": lambda: lorem_ipsum(filters.Signals(batch)),
        "lines": lambda: lines(batch.text),
        "blocks": lambda: block_kinds(batch.text, signals.lines),
        "split": lambda: sentences(batch.text),
    } | {f"{name}": (lambda module=module: module.propose(signals)) for name, module in sentence_rules().items()}


def timed(seconds: Seconds, name: str, work: Callable[[], T]) -> T:
    """What `work` returns; its CPU seconds are added."""
    start = time.process_time_ns()
    found = work()
    seconds[name] += (time.process_time_ns() - start) / 1e9
    return found


def row(name: str, size: float, seconds: Mapping[str, float], names: tuple[str, ...]) -> str:
    """A line of the table."""
    spent = {**seconds, "together": sum(seconds[step] for step in STEPS)}
    speeds = (f"{size / max(spent[column], 1e-9):{max(11, len(column) + 2)}.0f}" for column in names)
    return f"{name:24}{size:6.1f}" + "".join(speeds)


if __name__ == "__main__":
    main()

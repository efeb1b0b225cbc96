"""Tokens per character of a tokenizer learnt from nine tenths of the real data, on the other tenth, beside Baichuan-7B's and LLaMA's.

    .venv/bin/python benchmarks/tokenizer_quality.py [--without news_zh] [--set domains.news_zh=2] [--split 2]

A document is held out if the hash of its id is below .1; with `--without` a whole file is left out of training. Needs the real data and
its `tokenizers/`. The targets are of docs/tokenizer.md; `ratio` is ours by theirs.
"""

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.texts import texts
from pipeline.tokenizer import load_or_make
from tokenizer.codec import Tokenizer
from tokenizer.heldout import part
from tokenizer.train import train

HELD_OUT_SHARE = 0.1
TARGETS = {"news_zh": ("llama2", 0.41), "law_zh": ("llama2", 0.33), "techdocs_zh": ("baichuan7b", 0.74)}
UNSEEN = {"news_zh": 0.97, "law_zh": 0.97, "technews_zh": 0.97}
"""At most so much of Baichuan-7B's where the whole domain was left out."""


def split_part(batches: Iterable[pa.RecordBatch], held_out: bool, without: str | None, split: int) -> Iterator[pa.RecordBatch]:
    """The held-out documents, or the others without those of a domain."""
    for batch in part(batches, HELD_OUT_SHARE, split, held_out=held_out):
        yield batch if held_out or without is None else batch.filter(pc.not_equal(batch["domain"], without))


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--config", type=Path, default=Path("configs/tokenizer_training/real_data.yaml"))
    parser.add_argument("--split", type=int, default=1, help="another number holds out other documents")
    parser.add_argument("--without")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    arguments = parser.parse_args()
    read = texts([f"{arguments.data}/*.jsonl.zst"])
    config = load_or_make(arguments.config, {"input": [f"{arguments.data}/*.jsonl.zst"]}, tuple(arguments.overrides))
    started = time.perf_counter()
    trained = train(config, lambda: split_part(read(), False, arguments.without, arguments.split))
    facts = trained.facts
    print(
        f"{time.perf_counter() - started:.0f} s, {facts['texts']['bytes_taken'] / 1e6:.1f} MB, {facts['words']:,} words, "
        f"{facts['characters']:,} characters, {facts['merges']:,} merges, last stood {facts['last_frequency']} times, "
        f"cuts below {facts['least_pair_count']}, trainer {facts['peak_memory_bytes'] / 1e6:.0f} MB"
    )
    rebuilt = Path(arguments.data) / "tokenizers" / "rebuilt"
    all_of = {"ours": Tokenizer(trained.model, "ours")}
    all_of |= {name: Tokenizer.load(rebuilt / f"{name}.spm.model") for name in ("baichuan7b", "llama2")}
    held: dict[str, list[pa.Array]] = {}
    for batch in split_part(read(), True, None, arguments.split):
        if batch.num_rows:
            held.setdefault(batch["domain"][0].as_py(), []).append(batch["text"])
    print("tokens per character on held-out documents\ndomain                  ours  bc7b  llama2  ours/bc7b ours/llama2")
    for domain, parts in sorted(held.items()):
        column = pa.concat_arrays(parts)
        characters = pc.sum(pc.utf8_length(column)).as_py()
        ratios = {name: len(tokenizer.encode_arrow(column).ids) / characters for name, tokenizer in all_of.items()}
        ours = ratios["ours"]
        target = ""
        if arguments.without == domain and domain in UNSEEN:
            target = f"wanted at most {UNSEEN[domain]} of Baichuan-7B: {verdict(ours, ratios['baichuan7b'] * UNSEEN[domain])}"
        elif arguments.without != domain and domain in TARGETS:
            other, share = TARGETS[domain]
            target = f"wanted at most {share} of {other}: {verdict(ours, ratios[other] * share)}"
        elif domain.endswith("_en"):
            target = f"wanted at most Baichuan-7B's: {verdict(ours, ratios['baichuan7b'])}"
        left_out = " (left out)" if domain == arguments.without else ""
        print(
            f"{domain + left_out:<23} {ours:.3f} {ratios['baichuan7b']:.3f} {ratios['llama2']:.3f} "
            f"{ours / ratios['baichuan7b']:9.3f} {ours / ratios['llama2']:9.3f}   {target}"
        )


def verdict(ours: float, bound: float) -> str:
    """In words."""
    return "reached" if ours <= bound else f"missed by {ours / bound - 1:.1%}"


if __name__ == "__main__":
    main()

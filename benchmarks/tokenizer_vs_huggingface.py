"""Ids of `transformers` from our folder against ours, on real documents, and the speed of both.

    .venv/bin/python benchmarks/tokenizer_vs_huggingface.py FOLDER --python /path/to/other/python [--documents 10000] [--data DIR]

FOLDER is what `corpus tokenizer train` wrote. transformers wants other versions of some packages than this project pins, so it lives in an
environment of its own: `python3 -m venv hf; hf/bin/pip install transformers==4.57.1`, then `--python hf/bin/python`. Documents are
taken in turn from all files of the data, so that every domain has its part; the ids must be the same for each.
"""

import argparse
import json
import subprocess
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.texts import texts
from tokenizer.codec import Tokenizer

CHECK = r"""
import json, sys, time
import transformers
folder, file = sys.argv[1:3]
t = transformers.AutoTokenizer.from_pretrained(folder)
wrong = unlike = seconds = 0
with open(file, encoding="utf-8") as lines:
    for line in lines:
        text, wanted = json.loads(line)
        started = time.perf_counter()
        ids = t(text, add_special_tokens=False)["input_ids"]
        seconds += time.perf_counter() - started
        if ids != wanted and not wrong:
            at = next(i for i, (a, b) in enumerate(zip(ids + [-1], wanted + [-2])) if a != b)
            print("first difference:", t.convert_ids_to_tokens(ids[at - 2 : at + 4]), t.convert_ids_to_tokens(wanted[at - 2 : at + 4]))
        wrong += ids != wanted
        unlike += t.decode(wanted) != text
print(json.dumps({"class": type(t).__name__, "version": transformers.__version__, "wrong": wrong, "unlike": unlike, "seconds": seconds}))
"""


def main() -> None:
    """Encode, let the other environment encode, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--python", required=True)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--documents", type=int, default=10_000)
    arguments = parser.parse_args()
    files = sorted(Path(arguments.data).glob("*.jsonl.zst"), key=lambda file: file.stat().st_size)  # small ones first: the rest make up
    documents: list[str] = []
    for number, file in enumerate(files):
        share = (arguments.documents - len(documents)) // (len(files) - number)
        all_of = (text for batch in texts([str(file)])() for text in batch["text"].to_pylist())
        documents += [text for text in islice(all_of, share) if "\u2581" not in text]
    column = pa.array(documents, pa.large_string())
    made = Tokenizer.load(arguments.folder)
    made.encode_arrow(column.slice(0, 10), 1)
    started = time.perf_counter()
    offsets, ids = made.encode_arrow(column, 1)
    seconds = time.perf_counter() - started
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for text, begin, end in zip(documents, offsets[:-1], offsets[1:], strict=True):
            file.write(json.dumps([text, np.asarray(ids[begin:end]).tolist()]) + "\n")
        file.flush()
        done = subprocess.run([arguments.python, "-c", CHECK, arguments.folder, file.name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    *said, last = done.stdout.strip().splitlines()
    print(*said, sep="\n")
    found = json.loads(last)
    size = column.nbytes / 1e6
    print(
        f"{len(documents):,} documents, {size:.1f} MB, {len(ids):,} ids, transformers {found['version']} ({found['class']}): "
        f"{found['wrong']} with other ids, {found['unlike']} that do not decode to their text"
    )
    print(f"one core: ours {size / seconds:.1f} MB/s, transformers {size / found['seconds']:.1f} MB/s")


if __name__ == "__main__":
    main()

"""Millions of broken texts through every text kernel, with bounds checks: python benchmarks/fuzz_kernels.py [--inputs N] [--seed S].

Kernels read bytes without asking whether they are UTF-8, so one read behind the end of an array would be silent. This compiles them with
Numba's bounds checks, in a cache of its own, and feeds them small inputs of 4 to 64 bytes: random bytes, real UTF-8 with
bytes changed, sequences cut in the middle, and the signs that kernels look for, in any order. An index out of bounds ends the run
with the seed of its batch. Inputs are made and scanned in batches of 100,000 documents, some of them empty.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module

import numpy as np

from stages.filters.lorem_ipsum_share import PLACEHOLDERS
from stages.text.buffers import TextBuffer
from stages.text.code import code_shares
from stages.text.mojibake import mojibake_counts
from stages.text.ngrams import ngram_shares
from stages.text.profile import Profile, profile
from stages.text.rewrite import actions, rewrite
from stages.text.shingles import shingle_hashes
from stages.text.word_list import listed_words, word_list

BATCH_INPUTS = 100_000
SHORTEST, LONGEST = 4, 64
WORDS = word_list([*PLACEHOLDERS, "a", "ab", "中", "中文的", "é"])

PIECES = [
    piece.encode()
    for line in (
        "中文，的。！？“”「」（）…\u3000国國說说 the of and lorem ipsum don't well-known 3.14 e.g. Mr. http://a.b/c",
        "展开 更多 全文 此处填写 第一条 （一）",
        "$x$ $$ \\[ \\] \\begin{align} \\end{align} ``` ~~~ def f(x): return {} ; // /* == != -> () #include • - 1. 第一条 （一）",
        "ÄãºÃ Ã© â€™ ‚Äô 鍦ㄧ嚎 锟斤拷 烫烫烫 屯屯屯 鈥 😀 👨\u200d👩 \u0301 \ufeff \ufffd \ue000 \U0002a6d6 \U000e0001 한국 かな カナ ไทย",
    )
    for piece in line.split(" ")
] + [b"\n", b"\n\n", b" ", b"\r\n", b"  ", b"\t"]
"""What kernels look for, as parts of inputs."""


def main() -> None:
    """Start again with bounds checks if need be, then fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=17)
    arguments = parser.parse_args()
    if os.environ.get("NUMBA_BOUNDSCHECK") != "1":
        with tempfile.TemporaryDirectory(prefix="fuzz-numba-") as cache:
            environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": cache}
            sys.exit(os.spawnve(os.P_WAIT, sys.executable, [sys.executable, *sys.argv], environment))
    start = time.perf_counter()
    done, num_bytes = 0, 0
    while done < arguments.inputs:
        size = min(BATCH_INPUTS, arguments.inputs - done)
        num_bytes += fuzz(arguments.seed + done, size)
        done += size
        if done % 1_000_000 == 0:
            print(f"{done:,} inputs, {time.perf_counter() - start:.0f} s", flush=True)
    names = ", ".join(name for name, _ in kernels())
    seconds = time.perf_counter() - start
    print(
        f"{done:,} inputs of {SHORTEST} to {LONGEST} bytes ({num_bytes / 1e6:,.0f} MB) in {seconds:,.0f} s, no read out of bounds: {names}"
    )


def fuzz(seed: int, size: int) -> int:
    """One batch through all kernels; its bytes. Raises `IndexError` with the seed if a kernel reads out of bounds."""
    text = inputs(seed, size)
    for name, kernel in kernels():
        try:
            kernel(text)
        except Exception as error:
            error.add_note(f"kernel {name}, batch of seed {seed} and size {size}")
            raise
    return len(text.data)


def inputs(seed: int, size: int) -> TextBuffer:
    """Documents side by side, each of them one of four sorts; every hundredth is empty."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(SHORTEST, LONGEST + 1, size)
    lengths[::100] = 0
    offsets = np.zeros(size + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    total = int(offsets[-1])
    pieces = rng.integers(0, len(PIECES), total // 2)
    text = np.frombuffer(b"".join(PIECES[piece] for piece in pieces.tolist()), np.uint8)
    data = np.resize(text, total)  # documents begin and end anywhere: sequences are cut
    sort = np.repeat(rng.integers(0, 4, size), lengths)
    noise = rng.integers(0, 256, total, np.uint8)
    changed = ((sort == 1) & (rng.random(total) < 0.1)) | (sort == 2)  # a tenth of the bytes, all of them
    few = np.frombuffer(b"\xe4\xb8\xef\xbf\xf0\xc2\x80\n $\\`(.", np.uint8)
    data = np.where(changed, noise, data)
    data = np.where(sort == 3, few[noise % len(few)], data)
    return TextBuffer(np.ascontiguousarray(data), offsets)


def kernels() -> Iterator[tuple[str, Callable[[TextBuffer], object]]]:
    """Every text kernel by name."""
    yield "profile", profile
    yield "ngrams", ngram_shares
    yield "rewrite", lambda text: rewrite(text, actions())
    yield "shingles", lambda text: shingle_hashes(text, 5)
    yield "code", lambda text: code_shares(text, _all_looked_at(text))
    yield "mojibake", mojibake_counts
    yield "word_list", lambda text: listed_words(text, WORDS)
    for name in ("lines", "sentences"):
        yield name, getattr(import_module(f"stages.text.{name}"), name)


def _all_looked_at(text: TextBuffer) -> Profile:
    counts = profile(text)
    return counts._replace(ascii_punctuation=counts.num_chars)


if __name__ == "__main__":
    main()

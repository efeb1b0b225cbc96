"""Our shards in the hands of megatron-core: its reader's ids, and the bytes that its writer makes of them.

    python benchmarks/packing_vs_megatron.py PACK [--environment .venv-megatron]

PACK is a folder that `corpus pack` wrote. megatron-core comes from PyPI into its own virtual environment, made by this program. There, each
shard is read through `IndexedDataset`, sequence by sequence, and written again through `IndexedDatasetBuilder`; here, ids and lengths come
from `TokenShards`. All must be the same: ids, lengths, marks of documents, and every byte of both files.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from model.shards import TokenShards

REQUIREMENTS = ("torch==2.13.0", "numpy==2.4.6", "megatron-core==0.16.1")
THEIRS = """
import hashlib, json, sys, time
import numpy, torch
from megatron.core.datasets.indexed_dataset import IndexedDataset, IndexedDatasetBuilder

*prefixes, folder = sys.argv[1:]
for prefix in prefixes:
    started = time.perf_counter()
    read = IndexedDataset(prefix)
    sequences = [read[number] for number in range(len(read))]
    seconds = time.perf_counter() - started
    copy = f"{folder}/copy"
    builder = IndexedDatasetBuilder(f"{copy}.bin", dtype=read.index.dtype)
    for sequence in sequences:
        builder.add_document(torch.from_numpy(sequence.astype(numpy.int64)), [len(sequence)])
    builder.finalize(f"{copy}.idx")
    ids = numpy.concatenate(sequences).astype(numpy.int32)
    print(json.dumps({
        "dtype": read.index.dtype.__name__, "ids": hashlib.sha256(ids).hexdigest(), "tokens": len(ids), "seconds": seconds,
        "lengths": hashlib.sha256(read.sequence_lengths.astype(numpy.int64)).hexdigest(), "marks": read.document_indices.tolist()[-1],
        "documents": len(read.document_indices) - 1,
        **{ending: hashlib.sha256(open(f"{copy}.{ending}", "rb").read()).hexdigest() for ending in ("bin", "idx")},
    }), flush=True)
"""


def installed(environment: Path) -> Path:
    """The interpreter of the environment, made if it is not there."""
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    missing = subprocess.run([python, "-c", "import megatron.core"], check=False, capture_output=True).returncode
    if missing:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return python


def main() -> int:
    """Print a line for each shard; 1 if any differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack")
    parser.add_argument("--environment", default=".venv-megatron", type=Path)
    arguments = parser.parse_args()
    shards = TokenShards.open(arguments.pack)
    prefixes = [str(shards.folder.absolute() / shard["prefix"]) for shard in shards.header["shards"]]
    python = installed(arguments.environment)
    versions = subprocess.run([python, "-m", "pip", "list", "--format=json"], check=True, capture_output=True).stdout
    print(", ".join(f"{p['name']} {p['version']}" for p in json.loads(versions) if p["name"] in ("megatron-core", "torch", "numpy")))
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([python, "-W", "ignore", "-c", THEIRS, *prefixes, folder], check=True, capture_output=True, text=True)
    start, all_same = 0, True
    for shard, line in zip(shards.header["shards"], done.stdout.splitlines(), strict=True):
        theirs, stop = json.loads(line), start + shard["num_tokens"]
        ids, segments = shards.tokens(start, stop), shards.segments(start, stop)
        lengths = np.bincount(segments)[1:].astype(np.int64)
        same = {
            "ids": theirs["ids"] == hashlib.sha256(ids.data).hexdigest(),
            "lengths": theirs["lengths"] == hashlib.sha256(lengths.data).hexdigest(),
            "documents": theirs["documents"] == theirs["marks"] == len(lengths) == shard["num_documents"],
            ".bin": theirs["bin"] == shard["bin_sha256"],
            ".idx": theirs["idx"] == shard["idx_sha256"],
        }
        found = "  ".join(f"{name} {'same' if equal else 'DIFFER'}" for name, equal in same.items())
        print(f"{shard['prefix']}  {theirs['dtype']}  {len(ids):,} tokens of {len(lengths):,} documents  {found}")
        start, all_same = stop, all_same and all(same.values())
    return 0 if all_same else 1


if __name__ == "__main__":
    sys.exit(main())

"""text-dedup's MinHash dedup, in its own environment: from JSON lines to the data set that it saves.

Hugging Face's `datasets` keeps what it computed by the name of its input, so each repeat reads a copy of the files.
"""

import shutil
from pathlib import Path
from typing import Any

from peers.timing import Case, main, whole, write_kept


def dedup(case: Case) -> dict[str, Any]:
    """Its defaults but for what the case gives: threshold, shingle, permutations."""
    import datasets
    from text_dedup import minhash
    from text_dedup.utils import IOArgs, MetaArgs, MinHashArgs

    datasets.disable_progress_bars()
    given = {name: case[ours] for name, ours in (("threshold", "similarity"), ("ngram", "shingle"), ("num_perm", "permutations"))
             if ours in case}  # fmt: skip
    settings = MinHashArgs(**given)

    def run(folder: Path) -> None:
        shutil.copytree(case["documents"], folder / "in")
        files = IOArgs(path="json", data_dir=str(folder / "in"), split="train", cache_dir=str(folder / "cache"),
                       output=str(folder / "kept"), num_proc=len(case["cores"]), use_auth_token=None)  # fmt: skip
        minhash.main.callback(io_args=files, meta_args=MetaArgs(column="text"), minhash_args=settings)

    def found(folder: Path) -> dict[str, Any]:
        kept = datasets.load_from_disk(str(folder / "kept"))
        return write_kept(case, zip(kept["id"], kept["text"], strict=True))

    return whole(case, run, found)


if __name__ == "__main__":
    main({"dedup": dedup}, "text-dedup")

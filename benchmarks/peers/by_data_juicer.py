"""data-juicer's `document_minhash_deduplicator`, in its own environment: from JSON lines to the JSON lines that it exports."""

import json
import shutil
from pathlib import Path
from typing import Any

from peers.timing import Case, main, whole, write_kept


def dedup(case: Case) -> dict[str, Any]:
    """Its defaults but for tokens, which its manual wants by language, and what the case gives: threshold, shingle, permutations."""
    from data_juicer.config import init_configs
    from data_juicer.core import DefaultExecutor
    from loguru import logger

    logger.remove()
    names = (("jaccard_threshold", "similarity"), ("window_size", "shingle"), ("num_permutations", "permutations"))
    given = {name: case[ours] for name, ours in names if ours in case}
    operator = {"tokenization": {"en": "space", "zh": "character"}[case["language"]]} | given

    def run(folder: Path) -> None:
        shutil.copytree(case["documents"], folder / "in")  # `datasets` keeps what it computed by the name of its input
        settings = {
            "project_name": "side_by_side",
            "dataset_path": str(folder / "in"),
            "export_path": str(folder / "kept.jsonl"),
            "work_dir": str(folder / "work"),
            "ds_cache_dir": str(folder / "cache"),
            "np": len(case["cores"]),
            "open_tracer": False,
            "process": [{"document_minhash_deduplicator": operator}],
        }
        path = folder / "settings.yaml"
        path.write_text(json.dumps(settings), encoding="utf-8")
        DefaultExecutor(init_configs(["--config", str(path)])).run(skip_return=True)

    def found(folder: Path) -> dict[str, Any]:
        rows = map(json.loads, (folder / "kept.jsonl").read_text(encoding="utf-8").splitlines())
        return write_kept(case, ((row["id"], row["text"]) for row in rows))

    return whole(case, run, found)


if __name__ == "__main__":
    main({"dedup": dedup}, "py-data-juicer")

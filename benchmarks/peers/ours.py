"""Our side of every comparison: the stages as a run calls them, and whole runs from files to corpus."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from peers.timing import Case, Found, main, spread, whole, write_kept

BATCH_ROWS = 1024


def heuristics(case: Case) -> dict[str, Any]:
    """Text to reasons: normal form, profile, language, content hash, all scores, all rules, on every document."""

    def prepare(documents: list[str]) -> Callable[[], Found]:
        import numpy as np

        from stages.batch import Batch
        from stages.heuristics import Heuristics
        from stages.measure import Measure
        from stages.normalize import Normalize

        batches = raw(documents)
        stages = (Normalize(), Measure(), Heuristics())

        def judge() -> Found:
            kept = 0
            for columns in batches:
                batch = Batch(columns)
                for stage in stages:
                    batch = stage.annotate(batch)
                reasons = stages[-1].reasons(pa.Table.from_batches([batch.columns]))
                kept += columns.num_rows - int(np.logical_or.reduce([*reasons.values(), np.zeros(columns.num_rows, np.bool_)]).sum())
            return {"kept": kept}

        return judge

    return spread(case, prepare)


def raw(documents: list[str]) -> list[pa.RecordBatch]:
    """Batches as a reader gives them."""
    missing = pa.nulls(len(documents), pa.string())
    columns = {"id": list(map(str, range(len(documents)))), "text": pa.array(documents, pa.large_string()), "lang": missing,
               "domain": ["web"] * len(documents), "fault": missing}  # fmt: skip
    return pa.table(columns).to_batches(max_chunksize=BATCH_ROWS)


def signatures(case: Case) -> dict[str, Any]:
    """Text to signatures."""

    def prepare(documents: list[str]) -> Callable[[], Found]:
        from stages.dedup.minhash import has_shingles, signatures
        from stages.text.buffers import text_buffer

        text = text_buffer(pa.array(documents, pa.large_string()))
        lanes = case["bands"] * case["rows"]
        return lambda: {"signed": int(has_shingles(signatures(text, case["shingle"], lanes, 1)).sum())}

    return spread(case, prepare)


def quality(case: Case) -> dict[str, Any]:
    """Text to scores of documents and sentences: sentences found, tokens folded and hashed, weights summed."""

    def prepare(documents: list[str]) -> Callable[[], Found]:
        import fasttext
        import numpy as np

        from stages.quality.weights import sums, weights
        from stages.text.buffers import text_buffer
        from stages.text.sentences import sentences

        text = text_buffer(pa.array(documents, pa.large_string())).read_only()
        model = weights(fasttext.load_model(f"{case['model']}/model.bin"))

        def score() -> Found:
            whole_documents, _ = sums(text, sentences(text), model)
            probability = 1 / (1 + np.exp(-whole_documents.margin))
            return {"scored": len(probability), "probability": float(probability.sum())}

        return score

    return spread(case, prepare)


def encode(case: Case) -> dict[str, Any]:
    """Text to ids, one thread a process."""

    def prepare(documents: list[str]) -> Callable[[], Found]:
        from tokenizer.codec import Tokenizer

        column = pa.array(documents, pa.large_string())
        model = Tokenizer.load(case["model"])
        return lambda: {"ids": len(model.encode_arrow(column, 1).ids)}

    return spread(case, prepare)


def dedup(case: Case) -> dict[str, Any]:
    """A run with `exact_dedup` and `document_dedup`, its defaults, and what every run does: language, hashes, ledger, checks."""
    return runs(case, [{"normalize": {}}, {"exact_dedup": {}}, {"document_dedup": {"similarity": case.get("similarity", 0.8)}}])


def sentences(case: Case) -> dict[str, Any]:
    """A run with `sentence_dedup`, its defaults."""
    return runs(case, [{"normalize": {}}, {"sentence_dedup": {}}, {"select": {}}])


def runs(case: Case, stages: list[dict[str, Any]]) -> dict[str, Any]:
    """Whole runs: in this process on one core, on Ray with a worker a core on several, its start counted and told."""
    from pipeline.config import load_run
    from pipeline.run import run

    workers = len(case["cores"])
    size = sum(path.stat().st_size for path in Path(case["documents"]).iterdir())
    starts: list[float] = []

    def once(folder: Path) -> None:
        settings = {
            "name": "side-by-side",
            "output": str(folder / "out"),
            "sources": [{"name": "documents", "path": case["documents"], "domain": "web"}],
            "stages": stages,
            "engine": {"executor": "inprocess" if workers == 1 else "ray", "workers": workers, "split_bytes": max(1 << 16, size // 4)},
        }
        (folder / "run.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        begun = time.perf_counter()
        phases = run(load_run(folder / "run.yaml"), quiet=True)["phases"]
        starts.append(time.perf_counter() - begun - sum(phase["seconds"] for name, phase in phases.items() if name != "start"))

    def kept(folder: Path) -> Found:
        tables = (pq.read_table(path, columns=["id", "text"]) for path in sorted((folder / "out/corpus").glob("*.parquet")))
        return write_kept(case, ((row["id"], row["text"]) for table in tables for row in table.to_pylist()))

    result = whole(case, once, kept)
    if workers > 1:  # Ray's workers are no children of this process: their CPU seconds are not known here
        for seconds in (result["first"], *result["repeats"]):
            del seconds["cpu"]
    return result | {"start_seconds": sorted(starts[1:])[len(starts[1:]) // 2]}


def training(case: Case) -> dict[str, Any]:
    """A whole training step of our model and of transformers' Llama of the same shape and weights, in turns, in one process."""
    from training_speed import measured  # beside us: the command puts its folder on the path

    return measured(case["preset"], case["precision"], case["length"], case["batch"], case["repeats"], len(case["cores"]))


if __name__ == "__main__":
    pa.set_cpu_count(1)
    main({"heuristics": heuristics, "signatures": signatures, "quality": quality, "encode": encode, "dedup": dedup,
          "sentences": sentences, "training": training})  # fmt: skip

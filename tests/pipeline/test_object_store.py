"""A whole run from s3:// to s3://: what works with a path works with an object store."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from pipeline import storage
from pipeline.config import load_run
from pipeline.explain import story
from pipeline.reselect import select
from pipeline.run import run
from tests.pipeline.conftest import output_bytes
from tests.pipeline.test_run import corpus_of_many, finish

Maker = Callable[..., Path]


def test_a_run_on_an_object_store_gives_the_bytes_of_a_local_one_and_resumes(make_config: Maker, bucket: str, tmp_path: Path) -> None:
    bucket = storage.join(bucket, "whole-run")  # other tests share the service
    _, local = finish(make_config(corpus_of_many(), name="local"))
    for path in tmp_path.glob("*.jsonl"):
        storage.write_bytes(storage.join(bucket, "in", path.name), path.read_bytes())
    config = make_config(corpus_of_many(), name="remote")
    places = [f"sources.{name}.path={bucket}/in/{name}.jsonl" for name in ("a", "b")]
    settings = load_run(config, (f"output={bucket}/out", *places))
    summary = run(settings, quiet=True)
    assert summary["documents"] == {"input": 85, "kept": summary["documents"]["kept"], "rejected": 85 - summary["documents"]["kept"]}
    assert remote_bytes(f"{bucket}/out") == output_bytes(local)

    storage.remove(f"{bucket}/out/summary.json")
    storage.remove(f"{bucket}/out/corpus/part-000001.parquet")
    run(settings, quiet=True)
    assert remote_bytes(f"{bucket}/out") == output_bytes(local)

    select(f"{bucket}/out", f"{bucket}/strict", ["stages.document_dedup.similarity=0.95"], quiet=True)
    ids = [orjson.loads(storage.read_bytes(f"{bucket}/{name}/summary.json"))["documents"]["kept"] for name in ("out", "strict")]
    assert ids[0] < ids[1]
    assert story(f"{bucket}/out", "same")["fate"] in ("kept", "rejected")


def remote_bytes(folder: str) -> dict[str, bytes]:
    parts = [f"{part}/{name}" for part in ("corpus", "rejected", "ledger") for name in storage.list_names(storage.join(folder, part))]
    return {part: storage.read_bytes(storage.join(folder, part)) for part in parts}


def test_a_missing_bucket_is_named(make_config: Maker, bucket: str) -> None:
    with pytest.raises(Exception, match="nowhere"):
        finish(make_config({"a": []}), f"sources.a.path={bucket}-nowhere/x.jsonl")

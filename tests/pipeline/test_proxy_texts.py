"""The sample that proxies read: by hash and sampling weight."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.mixture.proxy_texts import HEADROOM, SampleWork, sample, sampled_shares

NUM, SIZE = 4000, 50


def sampled(folder: Path, weights: np.ndarray, tokens: int) -> np.ndarray:
    """Which of as many documents of 50 bytes are taken for so many tokens."""
    ids, nothing = [f"d{i}" for i in range(len(weights))], pa.array([], pa.string())
    kept = {"id": ids, "text": pa.array(["x" * SIZE] * len(ids), pa.large_string()), "domain": ["law"] * len(ids)}
    apart = {"id": nothing, "text": nothing.cast(pa.large_string()), "domain": nothing, "lang": nothing, "drawn": pa.array([], pa.bool_()),
             "reasons": pa.array([], pa.list_(pa.string())), "content_hash": pa.array([], pa.binary(16))}  # fmt: skip
    for name, columns in (("corpus", kept | {"sampling_weight": weights.astype(np.float32)}), ("heldout", apart)):
        (folder / name).mkdir()
        pq.write_table(pa.table(columns), folder / name / "part")
    shares = sampled_shares({"law": float(weights.sum()) * SIZE}, tokens, "bytes")
    sample(SampleWork(str(folder), "part", shares, 17, str(folder / "sample")))
    return np.isin(ids, pq.read_table(folder / "sample")["id"].to_pylist())


def test_a_document_is_taken_by_its_sampling_weight_and_bytes_are_as_many_as_are_needed(tmp_path: Path) -> None:
    weights = np.tile([0.0, 0.5, 1.0, 2.0], NUM // 4)
    taken = sampled(tmp_path, weights, 20_000)
    share = HEADROOM * 20_000 / (weights.sum() * SIZE)
    for weight in (0.0, 0.5, 1.0, 2.0):
        own, wanted = taken[weights == weight], weight * share
        assert own.mean() == pytest.approx(wanted, abs=4 * np.sqrt(wanted * (1 - wanted) / len(own)))
    assert taken.sum() * SIZE == pytest.approx(HEADROOM * 20_000, rel=0.2)


def test_of_a_small_domain_every_document_with_a_weight_is_taken(tmp_path: Path) -> None:
    weights = np.array([0.0, 0.01, 0.5, 1.0] * 5)
    assert (sampled(tmp_path, weights, 1_000_000) == (weights > 0)).all()

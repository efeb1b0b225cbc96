"""Signatures against datasketch, bit for bit, and their error against theory."""

import itertools
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import zstandard
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.dedup.minhash import EMPTY, expected_error, has_shingles, signatures
from stages.dedup.verify import exact_jaccard
from stages.text.buffers import text_buffer
from stages.text.shingles import shingle_hashes, shingle_sets

SHARED = Path(__file__).parents[3] / "../shared/data"

LAW = "第一条　为了保护民事主体的合法权益，调整民事关系，维护社会和经济秩序，适应中国特色社会主义发展要求，根据宪法，制定本法。"
NEWS = "The court said on Tuesday that it would not hear the appeal, leaving in place a 2019 ruling by a lower court in New York."
MIXED = "近日，GitHub 上的 open-source 项目 vLLM 发布了 v0.6 版本，throughput 提升 2.7 倍，latency 降低 5 倍（Llama 8B，单卡 H100）。"


def by_datasketch(texts: list[str], shingle: int, permutations: int, seed: int) -> np.ndarray:
    offsets, hashes = shingle_hashes(text_buffer(pa.array(texts, pa.large_string())), shingle)
    rows = []
    for start, end in itertools.pairwise(offsets):
        sketch = MinHash(permutations, seed=seed, scheme="affine32", hashfunc=lambda value: value)
        sketch.update_batch((hashes[start:end] & np.uint64(0xFFFFFFFF)).tolist())
        rows.append(sketch.hashvalues)
    return np.array(rows).reshape(len(texts), permutations)


@pytest.mark.parametrize("permutations", [1, 7, 128, 256])
@pytest.mark.parametrize("seed", [1, 17, 2**32 - 1])
def test_signatures_are_those_of_datasketch(permutations: int, seed: int) -> None:
    texts = [LAW, NEWS, MIXED, "", "太短", LAW * 3 + NEWS]
    ours = signatures(text_buffer(pa.array(texts, pa.large_string())), 5, permutations, seed)
    assert ours.dtype == np.uint32
    np.testing.assert_array_equal(ours, by_datasketch(texts, 5, permutations, seed))


@settings(max_examples=50)
@given(st.lists(st.text("ab1 中文，。\n", max_size=60), min_size=1, max_size=4), st.integers(1, 6))
def test_signatures_of_any_text_are_those_of_datasketch(texts: list[str], shingle: int) -> None:
    ours = signatures(text_buffer(pa.array(texts, pa.large_string())), shingle, 32, 5)
    np.testing.assert_array_equal(ours, by_datasketch(texts, shingle, 32, 5))


def test_a_text_without_shingles_is_marked_empty() -> None:
    lanes = signatures(text_buffer(pa.array([LAW, "太短了", "", NEWS], pa.large_string())), 5, 16, 1)
    assert has_shingles(lanes).tolist() == [True, False, False, True]
    assert (lanes[1:3] == EMPTY).all()


@pytest.mark.parametrize("similarity", [0.5, 0.8, 0.9])
def test_the_estimate_is_within_four_standard_errors_of_the_truth(similarity: float) -> None:
    # Two texts of n one-token shingles that share s of them: J = s / (2n - s).
    num_tokens, permutations = 3000, 4096
    num_shared = round(2 * num_tokens * similarity / (1 + similarity))
    shared = [f"s{i}" for i in range(num_shared)]
    texts = [" ".join(shared + [f"{side}{i}" for i in range(num_tokens - num_shared)]) for side in "ab"]
    lanes = signatures(text_buffer(pa.array(texts, pa.large_string())), 1, permutations, 3)
    truth = num_shared / (2 * num_tokens - num_shared)
    assert abs((lanes[0] == lanes[1]).mean() - truth) <= 4 * expected_error(truth, permutations)


def test_estimates_of_real_pairs_are_within_four_standard_errors() -> None:
    if not SHARED.is_dir():
        pytest.skip("needs the real data in ../shared/data")
    permutations, errors = 1024, []
    for file in sorted(SHARED.glob("truth/*.pairs.jsonl")):
        pairs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        named = {pair[side] for pair in pairs for side in "ab"}
        with zstandard.open(SHARED / f"{file.name.split('.')[0]}.jsonl.zst", "rt", encoding="utf-8") as lines:
            texts = {row["id"]: row["text"] for row in map(json.loads, lines) if row["id"] in named}
        numbers = {name: number for number, name in enumerate(texts)}
        left, right = (np.array([numbers[pair[side]] for pair in pairs]) for side in "ab")
        text = text_buffer(pa.array(list(texts.values()), pa.large_string()))
        truth = exact_jaccard(*shingle_sets(text, 5), left, right)
        lanes = signatures(text, 5, permutations, 1)
        estimate = (lanes[left] == lanes[right]).mean(axis=1)
        assert (estimate[truth == 1] == 1).all()
        usual = permutations * truth * (1 - truth) >= 9  # nearer to 0 and 1 the binomial distribution is skewed
        errors.append((estimate - truth)[usual] / np.sqrt(truth * (1 - truth) / permutations)[usual])
    found = np.concatenate(errors)
    assert len(found) > 1000
    assert np.abs(found).max() <= 4
    assert 0.9 < found.std() < 1.1

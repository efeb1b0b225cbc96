"""Which pairs bands propose: small buckets all, large ones by content, the order of rows never."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.dedup.bands import REPRESENTATIVES, band_keys, candidate_pairs, detection_probability, preference


def pairs_of(rows: list[tuple[int, int, int, int]], bucket_limit: int) -> list[tuple[int, int]]:
    """Candidate pairs of rows of (key, doc, preference, content hash)."""
    keys, docs, preferences, contents = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    owner, other = candidate_pairs(
        np.array(keys, np.uint64),
        np.array(docs, np.int64),
        np.array(preferences, np.int64),
        np.array(contents, np.uint64),
        bucket_limit,
    )
    assert owner.dtype == other.dtype == np.int64
    found = list(zip(owner.tolist(), other.tolist(), strict=True))
    num_owned = Counter(owner.tolist())
    assert max(num_owned.values(), default=0) <= len(set(keys)) * max(bucket_limit - 1, 2 * REPRESENTATIVES + 1)
    pairs = [(min(pair), max(pair)) for pair in found]
    assert pairs == sorted(set(pairs))
    return pairs


rows_of_distinct_documents = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 5)), max_size=60, unique_by=lambda row: row[:2]
).map(lambda rows: [(key, doc << 32, chars, doc * 7919 % 65_537) for key, doc, chars in rows])


@given(rows_of_distinct_documents)
def test_small_buckets_propose_all_their_pairs_once(rows: list[tuple[int, int, int, int]]) -> None:
    expected = {(min(a[1], b[1]), max(a[1], b[1])) for a, b in itertools.combinations(rows, 2) if a[0] == b[0] and a[1] != b[1]}
    assert pairs_of(rows, 64) == sorted(expected)


@given(rows_of_distinct_documents, st.randoms(use_true_random=False), st.integers(2, 12))
def test_the_order_of_rows_changes_nothing(rows, random, bucket_limit) -> None:
    shuffled = rows.copy()
    random.shuffle(shuffled)
    assert pairs_of(shuffled, bucket_limit) == pairs_of(rows, bucket_limit)


def large_bucket(size: int) -> list[tuple[int, int, int, int]]:
    return [(5, 1000 + doc, doc * 37 % size, doc * 2_654_435_761 % 2**32) for doc in range(size)]


def test_a_large_bucket_pairs_every_member_with_the_preferred_ones() -> None:
    rows = large_bucket(500)
    found = set(pairs_of(rows, 64))
    preferred = sorted(rows, key=lambda row: -row[2])[:REPRESENTATIVES]
    for _, best, _, _ in preferred:
        assert all((min(best, doc), max(best, doc)) in found for _, doc, _, _ in rows if doc != best)


def test_a_large_bucket_grows_linearly() -> None:
    for size in (65, 500, 5000):
        found = pairs_of(large_bucket(size), 64)
        assert len(found) <= size * (2 * REPRESENTATIVES + 1)
        assert {doc for pair in found for doc in pair} == {row[1] for row in large_bucket(size)}


def test_the_limit_itself_still_is_a_small_bucket() -> None:
    assert len(pairs_of(large_bucket(64), 64)) == 64 * 63 // 2
    assert len(pairs_of(large_bucket(65), 64)) < 65 * 64 // 2


def test_large_buckets_choose_by_content_and_not_by_reference() -> None:
    rows = large_bucket(200)
    renamed = {row[1]: 10_000 - row[1] for row in rows}
    expected = sorted(tuple(sorted((renamed[a], renamed[b]))) for a, b in pairs_of(rows, 64))
    assert pairs_of([(key, renamed[doc], chars, content) for key, doc, chars, content in rows], 64) == expected


def test_no_rows_give_no_pairs() -> None:
    assert pairs_of([], 64) == []


def test_band_keys_meet_where_all_rows_of_the_band_agree() -> None:
    lanes = np.arange(64, dtype=np.uint32).reshape(1, 64).repeat(2, axis=0)
    lanes[1, 17] += 1  # in band 2 of 8 rows
    keys = band_keys(lanes, 8)
    assert keys.shape == (2, 8)
    assert keys.dtype == np.uint64
    assert (keys[0] == keys[1]).tolist() == [True, True, False, True, True, True, True, True]


def test_equal_bands_at_different_places_have_different_keys() -> None:
    keys = band_keys(np.zeros((1, 128), np.uint32), 16)
    assert len(np.unique(keys)) == 16


def test_the_order_of_rows_within_a_band_counts() -> None:
    keys = band_keys(np.array([[1, 2], [2, 1]], np.uint32), 1)
    assert keys[0] != keys[1]


@pytest.mark.parametrize(("similarity", "expected"), [(0.0, 0.0), (0.5, 1 - (255 / 256) ** 16), (1.0, 1.0)])
def test_detection_follows_the_s_curve(similarity: float, expected: float) -> None:
    assert detection_probability(similarity, bands=16, rows=8) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.tuples(st.floats(width=32), st.integers(0, 2**40)), min_size=1, max_size=20))
def test_preference_is_score_then_length_with_missing_scores_last(documents: list[tuple[float, int]]) -> None:
    scores = np.array([score for score, _ in documents])
    num_chars = np.array([length for _, length in documents], np.int64)
    ours = preference(scores, num_chars)
    plain = [(-np.inf if np.isnan(score) else score, not np.isnan(score), min(length, 2**32 - 1)) for score, length in documents]
    for a, b in itertools.combinations(range(len(documents)), 2):
        assert (ours[a] < ours[b]) == (plain[a] < plain[b])
        assert (ours[a] == ours[b]) == (plain[a] == plain[b])

"""Ids and reasons."""

import numpy as np
import pyarrow as pa

from pipeline.judge import any_reason, final_ids, reason_lists

COLUMNS = pa.table(
    {"id": pa.array(["own", None, "own"], pa.string()), "source": ["s", "s", "s"], "path": ["a/b.jsonl"] * 3, "record": [1, 2, 3]}
)


def test_ids_are_the_users_own_or_source_path_and_record() -> None:
    ids, repeated = final_ids(COLUMNS, None)
    assert ids.to_pylist() == ["own", "s/a/b.jsonl#2", "own"]
    assert not repeated.any()


def test_repeated_ids_get_their_suffix() -> None:
    ids, repeated = final_ids(COLUMNS, pa.table({"row": pa.array([2], pa.int64()), "suffix": pa.array([2], pa.int64())}))
    assert ids.to_pylist() == ["own", "s/a/b.jsonl#2", "own~2"]
    assert repeated.tolist() == [False, False, True]


def test_all_reasons_are_listed_in_the_order_of_stages_and_rules() -> None:
    verdicts = {
        "read": {},
        "heuristics": {"num_words": np.array([True, False, True]), "han_share": np.array([True, False, False])},
        "document_dedup": {"near_duplicate": np.array([True, False, False])},
    }
    assert reason_lists(verdicts, 3).to_pylist() == [["num_words", "han_share", "near_duplicate"], [], ["num_words"]]
    assert any_reason(verdicts, 3).tolist() == [True, False, True]
    assert any_reason(verdicts, 3, but=("heuristics",)).tolist() == [True, False, False]
    assert reason_lists({"read": {}}, 2).to_pylist() == [[], []]

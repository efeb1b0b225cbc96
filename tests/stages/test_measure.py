"""Length, content hash and language columns."""

import pyarrow as pa
import xxhash

from stages.batch import Batch
from stages.measure import Measure


def measured(texts: list[str], langs: list[str | None]) -> pa.RecordBatch:
    columns = pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string()), pa.array(langs, pa.string())], names=["text", "lang"])
    return Measure().annotate(Batch(columns)).columns


def test_lengths_and_hash() -> None:
    found = measured(["中文 text", ""], ["zh", "en"])
    assert found["num_chars"].to_pylist() == [7, 0]
    assert found["num_bytes"].to_pylist() == [11, 0]
    assert found["content_hash"].to_pylist() == [xxhash.xxh3_128_digest(text.encode()) for text in ("中文 text", "")]


def test_a_given_language_is_kept_and_a_missing_one_decided() -> None:
    assert measured(["中文的文本", "中文的文本", "plain words"], ["zh", None, None])["lang"].to_pylist() == ["zh", "zh-hans", "en"]


def test_columns_are_those_declared() -> None:
    found = measured(["x"], [None])
    assert [found.schema.field(field.name) for field in Measure().adds()] == list(Measure().adds())


def test_a_slice_of_a_column_is_hashed_by_its_own_texts() -> None:
    whole = pa.RecordBatch.from_arrays([pa.array(["a", "bc", "d"], pa.large_string()), pa.nulls(3, pa.string())], names=["text", "lang"])
    found = Measure().annotate(Batch(whole.slice(1, 2))).columns
    assert found["content_hash"].to_pylist() == [xxhash.xxh3_128_digest(b"bc"), xxhash.xxh3_128_digest(b"d")]


def test_no_rows() -> None:
    assert measured([], []).num_rows == 0

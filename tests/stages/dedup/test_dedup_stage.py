"""The stages as a run sees them: columns, settings, identity."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError
from configs.loader import SettingError, load, parse_yaml
from stages.batch import Batch
from stages.dedup.stage import DocumentDedup, ExactDedup

LONG = "第一条 为了保护民事主体的合法权益，制定本法。"


def batch(texts: list[str], faults: list[str | None] | None = None) -> Batch:
    columns = {"text": pa.array(texts, pa.large_string()), "fault": pa.array(faults or [None] * len(texts), pa.string())}
    return Batch(pa.RecordBatch.from_pydict(columns))


def keys(texts: list[str], faults: list[str | None] | None = None) -> list[list[int] | None]:
    found: list[list[int] | None] = DocumentDedup().annotate(batch(texts, faults))["band_keys"].to_pylist()
    return found


def test_band_keys_have_the_declared_type_and_are_null_without_shingles_or_with_a_fault() -> None:
    annotated = DocumentDedup().annotate(batch([LONG, "太短", "", LONG], [None, None, "bad_json", "no_text"]))
    (field,) = DocumentDedup().adds()
    assert annotated["band_keys"].type == field.type == pa.list_(pa.uint64(), 16)
    assert [value is None for value in annotated["band_keys"].to_pylist()] == [False, True, True, True]


@given(st.lists(st.sampled_from([LONG, "太短", "", "one two three four five six", LONG * 2]), max_size=8), st.integers(0, 8))
def test_band_keys_do_not_depend_on_the_batch(texts: list[str], cut: int) -> None:
    assert keys(texts) == keys(texts[:cut]) + keys(texts[cut:])


def test_all_columns_survive() -> None:
    annotated = DocumentDedup(permutations=32, bands=4).annotate(batch([LONG]))
    assert annotated.columns.schema.names == ["text", "fault", "band_keys"]
    assert annotated["band_keys"].type.list_size == 4


def test_another_similarity_needs_no_new_keys() -> None:
    assert DocumentDedup(similarity=0.7).computed_by() == DocumentDedup(similarity=0.9).computed_by()
    assert DocumentDedup(alarm_share=0.1, alarm_cluster=9).computed_by() == DocumentDedup().computed_by()
    assert DocumentDedup(seed=2).computed_by() != DocumentDedup(seed=3).computed_by()


def test_bands_that_do_not_divide_the_signature_are_refused_with_a_proposal() -> None:
    with pytest.raises(SettingError, match=r"got 20, which does not divide permutations = 128; the nearest that does is 16"):
        DocumentDedup(bands=20)


@pytest.mark.parametrize("setting", ["similarity: 1.1", "shingle: 0", "bands: 256", "bucket_limit: 1", "seed: -1", "rows: 8"])
def test_settings_out_of_bounds_are_refused_with_their_line(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"run\.yaml:1"):
        load(DocumentDedup, parse_yaml(setting, "run.yaml"))


def test_the_plan_says_what_is_found() -> None:
    curve, recall, error = DocumentDedup().describe()
    assert curve == ("16 bands of 8 rows find a pair of similarity 0.5: 0.061, 0.6: 0.237, 0.7: 0.613, 0.8: 0.947, 0.9: 1.000, 1: 1.000")
    assert recall == "expected recall at 0.8: 94.7%, at 0.9: 99.99%; pairs are verified"
    assert error == "standard error of a signature at 0.8: 0.035"


def test_exact_dedup_adds_nothing_to_a_batch() -> None:
    before = batch([LONG])
    assert ExactDedup().adds() == ()
    assert ExactDedup().annotate(before) is before

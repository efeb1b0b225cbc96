from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.variants.frame import components
from pipeline.variants.slices import AlarmWork, dealt, sound_alarm
from tests.pipeline.conftest import prose

NONE = np.zeros(0, np.uint64)


def test_slices_are_of_equal_size_and_halves_part_them() -> None:
    content = np.random.default_rng(0).integers(0, 1 << 64, 30_000, np.uint64, endpoint=False)
    places = dealt(content, NONE, NONE, 3, 17)
    sizes = np.bincount(places)
    assert np.abs(sizes - 10_000).max() < 4 * np.sqrt(30_000 * 2 / 9)
    halves = [dealt(content, NONE, NONE, 3, 17, half) for half in (0, 1)]
    assert ((halves[0] == -1) == (halves[1] == places)).all()
    assert ((halves[1] == -1) == (halves[0] == places)).all()
    assert abs((halves[0] >= 0).sum() - 15_000) < 4 * np.sqrt(30_000 / 4)
    both = np.histogram2d(places, dealt(content, NONE, NONE, 3, 18), bins=3)[0]
    assert np.abs(both - 30_000 / 9).max() < 4 * np.sqrt(30_000 * 8 / 81)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=20))
def test_similar_contents_are_dealt_together(pairs: list[tuple[int, int]]) -> None:
    left, right = (np.array([pair[end] for pair in pairs], np.uint64) for end in (0, 1))
    known, component = components(left, right)
    content = np.arange(31, dtype=np.uint64)
    places = dealt(content, known, component, 5, 17)
    groups = [{i} for i in range(31)]
    for a, b in pairs:
        joined = groups[a] | groups[b]
        for i in joined:
            groups[i] = joined
    for group in groups:
        assert len({int(places[i]) for i in group}) == 1
    alone = [min(group) for group in groups]
    assert (places == dealt(np.array(alone, np.uint64), NONE, NONE, 5, 17)).all()


def test_the_alarm_counts_whole_and_half_copies_and_no_strangers(tmp_path: Path) -> None:
    held = [prose(i, 10) for i in range(20)]
    table = pa.table({"text": pa.array(held, pa.large_string()), "measured_text": held})
    pq.write_table(table, tmp_path / "documents.parquet")
    (tmp_path / "corpus").mkdir()
    half, third = (held[i][: len(held[i]) * share // 100] for i, share in ((1, 60), (2, 30)))
    texts = [prose(100), f"Before. {held[0].upper()}", half, third, prose(101)]
    pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), tmp_path / "corpus" / "part-000000.parquet")
    work = AlarmWork(str(tmp_path / "corpus"), str(tmp_path / "documents.parquet"), 13)
    assert sound_alarm(work) == {"documents": 20, "leaked": 0, "found": 2}
    leaking = AlarmWork(work.corpus, work.documents, 13, leak_share=0.1)
    assert sound_alarm(leaking) == {"documents": 20, "leaked": 2, "found": 4}

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.variants.overlap import MOST_DOCUMENTS, NgramIndex

WORDS = [f"w{i}" for i in range(200)]


def plain(text: str, n: int) -> list[tuple[str, ...]]:
    """The slow reference: n-grams of lower-case words and Han characters."""
    tokens = re.findall(r"[a-z0-9]+|[\u4e00-\u9fff]", text.lower())
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "法", "律"]), max_size=12).map(" ".join), max_size=6),
    st.lists(st.lists(st.sampled_from(["a", "b", "法", "律"]), max_size=12).map(" ".join), min_size=1, max_size=4),
)
def test_shares_are_those_of_sets_of_words(held_out: list[str], texts: list[str]) -> None:
    index = NgramIndex.of(pa.array(held_out, pa.large_string()), 3)
    known, held, met = index.shared(pa.array(texts, pa.large_string()))
    sets = [set(plain(text, 3)) for text in held_out]
    everything = set().union(*sets)
    for place, text in enumerate(texts):
        grams = plain(text, 3)
        assert known[place] == pytest.approx(sum(gram in everything for gram in grams) / max(1, len(grams)))
        owned = {gram: next(i for i, one in enumerate(sets) if gram in one) for gram in everything}
        best = max((sum(owned[g] == i for g in set(grams) & one) / len(one) for i, one in enumerate(sets) if one), default=0.0)
        assert held[place] == pytest.approx(best)
    seen = set().union(*(plain(text, 3) for text in texts))
    assert index.found_share(met).tolist() == pytest.approx([len(seen & one) / max(1, len(one)) for one in sets])


def test_a_copy_with_other_marks_case_and_script_is_found_whole() -> None:
    index = NgramIndex.of(
        pa.array(["The court shall hear both parties, and decide. 國家保護公民的合法權益不受侵犯。"], pa.large_string()), 5
    )
    copy = pa.array(["the COURT -- shall hear both parties and decide 国家保护公民的合法权益不受侵犯"], pa.large_string())
    known, held, _ = index.shared(copy)
    assert (known[0], held[0]) == (1.0, 1.0)


def test_what_many_held_out_documents_say_is_no_copy() -> None:
    formula = " ".join(WORDS[:13])
    for number, expected in ((MOST_DOCUMENTS, 1.0), (MOST_DOCUMENTS + 1, 0.0)):
        index = NgramIndex.of(pa.array([formula] * number, pa.large_string()), 13)
        assert index.shared(pa.array([formula], pa.large_string()))[0][0] == expected


def test_a_text_shorter_than_an_ngram_shares_nothing() -> None:
    index = NgramIndex.of(pa.array([" ".join(WORDS[:12]), " ".join(WORDS[:40])], pa.large_string()), 13)
    known, held, _ = index.shared(pa.array([" ".join(WORDS[:12]), ""], pa.large_string()))
    assert known.tolist() == held.tolist() == [0.0, 0.0]


def test_without_held_out_text_nothing_is_shared() -> None:
    known, held, met = NgramIndex.of(pa.array([], pa.large_string()), 13).shared(pa.array([" ".join(WORDS)], pa.large_string()))
    assert (known.tolist(), held.tolist(), met.tolist()) == ([0.0], [0.0], [])
    assert np.array_equal(NgramIndex.of(pa.array([], pa.large_string()), 13).found_share(met), np.zeros(0))

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.variants.names import Names


@given(st.lists(st.sampled_from(["law", "news", "", "法"]), min_size=1), st.sets(st.sampled_from(["law", "法", "none"])))
def test_names_are_those_of_the_documents(names: list[str], wanted: set[str]) -> None:
    found = Names.of(pa.chunked_array([names[:2], names[2:]], pa.string()))
    assert found.at(np.arange(len(names))) == names
    assert found.values == tuple(sorted(set(names)))
    assert found.among(wanted).tolist() == [name in wanted for name in names]
    assert found.codes.dtype == np.int32


def test_several_codes_may_have_one_name() -> None:
    found = Names.renamed(np.array([2, 0, 1]), ["zh", "en", "zh"])
    assert (found.at(np.arange(3)), found.values) == (["zh", "zh", "en"], ("en", "zh"))

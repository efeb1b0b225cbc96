"""Which texts set the probabilities."""

import numpy as np
import pyarrow as pa

from pipeline.quality.cross_fitting import _has_siblings, deal
from pipeline.quality.documents import TEST


def test_a_source_is_left_out_whole_only_if_its_domain_and_class_have_another() -> None:
    rows = [  # kind, domain, source, part, whether it has siblings
        ("positive", "law", "a", 0, False),
        ("positive", "law", "b", TEST, False),
        ("negative", "law", "c", 1, False),
        ("negative", "menus", "d", 0, True),
        ("negative", "menus", "e", 1, True),
        ("negative", "menus", "d", 0, True),
    ]
    kind, domain, source, part, expected = zip(*rows, strict=True)
    table = pa.table({"lang": ["en"] * len(rows), "kind": kind, "domain": domain, "source": source})
    assert _has_siblings(table, np.array(part)).tolist() == list(expected)
    assert deal(np.array(part)).tolist() == [0, 1, 0, 1, 0, 1]

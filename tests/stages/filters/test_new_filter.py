"""A newcomer's filter is one file: found, scored, accepted in rule files and judged without being registered anywhere."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import stages.filters
from stages.batch import Batch
from stages.filters import rules
from stages.filters.rules import RuleBook
from stages.schema import DOCUMENT

EXCLAMATION_SHARE = '''"""Share of characters that are exclamation marks, ! and ！, in [0, 1]. Thresholds: at most .05 in both languages."""

import numpy as np
import pyarrow as pa

from stages.filters import Scores, Signals, share

COLUMNS = (pa.field("exclamation_share", pa.float32()),)


def score(signals: Signals) -> Scores:
    """Exclamation marks over all characters."""
    marks = np.array([text.count("!") + text.count("！") for text in signals.batch["text"].to_pylist()])
    return {"exclamation_share": share(marks, signals.profile.num_chars)}
'''


@pytest.fixture
def new_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "exclamation_share.py").write_text(EXCLAMATION_SHARE, encoding="utf-8")
    monkeypatch.setattr(stages.filters, "__path__", [*stages.filters.__path__, str(tmp_path)])
    caches = (stages.filters.filters, rules._column_bounds)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.mark.usefixtures("new_filter")
def test_a_new_file_is_a_column_a_rule_and_a_reason(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("languages: [zh, en]\nrules:\n  exclamation_share: {max: 0.05}\n", encoding="utf-8")
    texts = ["买！买！买！", "It works!" + " It really does." * 10]
    rows = [
        dict.fromkeys(DOCUMENT.names) | {"text": t, "source": "s", "domain": "web", "lang": "zh", "path": "p", "record": 1} for t in texts
    ]
    batch = Batch(pa.RecordBatch.from_pylist(rows, schema=DOCUMENT))
    scored = batch.with_columns(stages.filters.scores(batch))
    assert scored["exclamation_share"].to_pylist() == pytest.approx([0.5, 1 / 169])
    failing = RuleBook((str(tmp_path / "rules.yaml"),), {}).failing(pa.table(scored.columns))
    assert {reason: mask.tolist() for reason, mask in failing.items()} == {"exclamation_share": [True, False]}

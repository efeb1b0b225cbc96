"""What the stage proposes for texts, as texts."""

from typing import Any

import pyarrow as pa

from stages.batch import Batch
from stages.sentences.stage import Sentences


def annotated(*texts: str, **settings: Any) -> pa.RecordBatch:
    batch = Batch(pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], names=["text"]))
    columns = Sentences(**settings).annotate(batch).columns
    columns.validate(full=True)
    return columns


def proposed(rule: str, text: str, flagged: str | None = None) -> list[str]:
    """The parts of a text that one rule proposes."""
    spans = annotated(text, flagged_words=flagged)["sentences_spans"].to_pylist()[0]
    return [text.encode()[span["start"] : span["end"]].decode() for span in spans if span["rule"] == rule]

"""Real documents, where they are."""

import itertools
import json
from pathlib import Path

import pytest
import zstandard

SHARED = Path(__file__).parents[3] / "../shared/data"


@pytest.fixture(scope="session")
def real_texts() -> list[str]:
    """The beginnings of 10,000 real documents: the first of each file."""
    if not SHARED.is_dir():
        pytest.skip("needs the real data in ../shared/data")
    texts = []
    for file in sorted(SHARED.glob("*.jsonl.zst")):
        with zstandard.open(file, "rt", encoding="utf-8") as lines:
            texts += [json.loads(line)["text"][:1000] for line in itertools.islice(lines, 1200)]
    assert len(texts) >= 10_000
    return texts

"""Which tokens a model reads, by hand."""

import numpy as np
import pyarrow as pa

from pipeline.quality.config import Windows
from pipeline.quality.vocabulary import spelled
from pipeline.quality.windows import Cut, Numbers, cut

TEXTS = {"law": "the court of law", "novel": "the heart of love 王", "menu": "login 王 the", "法": "法 王 院"}


def windows() -> tuple[Cut, Numbers, Numbers]:
    """One window of each text: three domains in one language, one in another."""
    settings = Windows(min_tokens=1, max_tokens=512)
    found = cut(pa.chunked_array([pa.array(TEXTS.values(), pa.large_string())]), settings, np.random.default_rng(1))
    assert found.document.tolist() == [0, 1, 2, 3]
    return found, np.array([0, 0, 0, 1]), np.arange(4)


def lines(min_domain_share: float, min_count: int = 1) -> list[str]:
    return [line.decode().strip() for line in spelled(*windows(), min_domain_share, min_count)]


def test_tokens_of_few_domains_of_their_language_are_shapes() -> None:
    assert lines(0) == ["the court of law", "the heart of love 王", "login 王 the", "法 王 院"]
    assert lines(0.5) == ["the ␡1 of ␡1", "the ␡1 of ␡1 王", "␡1 王 the", "法 王 院"]
    assert lines(0.67)[:3] == ["the ␡1 ␡0 ␡1", "the ␡1 ␡0 ␡1 王", "␡1 王 the"]
    assert lines(1) == ["the ␡1 ␡0 ␡1", "the ␡1 ␡0 ␡1 王", "␡1 王 the", "法 王 院"]


def test_rare_tokens_are_shapes_too() -> None:
    assert lines(0.5, 3) == ["the ␡1 ␡0 ␡1", "the ␡1 ␡0 ␡1 王", "␡1 王 the", "␡ 王 ␡"]

"""Small models of random words, trained once."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fasttext
import pytest

from pipeline.quality.fasttext_process import train_fasttext

WORDS = ["the", "river", "and", "click", "menu", "|", ",", ".", "我", "们", "点", "击", "é", "␞", "␄", "0000", "𠀀"]


def lines(seed: int, num_lines: int = 400) -> str:
    """Labelled lines of tokens; the two labels draw them with different odds."""
    rng = random.Random(seed)
    rows = []
    for _ in range(num_lines):
        good = rng.random() < 0.5
        odds = [1 + 2 * ((number % 2 == 0) == good) for number in range(len(WORDS))]
        rows.append(f"__label__{'good' if good else 'bad'} " + " ".join(rng.choices(WORDS, odds, k=rng.randint(1, 30))))
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """A fastText model of n-grams of so many words."""
    models: dict[int, Any] = {}

    def make(ngrams: int) -> Any:
        if ngrams not in models:
            folder = tmp_path_factory.mktemp("model")
            (folder / "lines").write_text(lines(1), encoding="utf-8")
            settings = {"lr": 0.5, "dim": 8, "epoch": 5, "wordNgrams": ngrams, "bucket": 1 << 10, "minCount": 1, "seed": 1}
            train_fasttext(folder / "lines", folder / "model.bin", settings)
            models[ngrams] = fasttext.load_model(str(folder / "model.bin"))
        return models[ngrams]

    return make


def write_lines(folder: Path) -> Path:
    """A file to train on."""
    path = folder / "lines"
    path.write_text(lines(2), encoding="utf-8")
    return path

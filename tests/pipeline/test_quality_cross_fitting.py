"""Which texts set the probabilities."""

from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa

from pipeline.quality.config import Windows
from pipeline.quality.cross_fitting import cross_fit, deal
from pipeline.quality.documents import TEST
from pipeline.quality.fasttext_process import train_fasttext
from pipeline.quality.windows import cut
from stages.quality.weights import sums, weights
from tests.stages.quality.conftest import write_lines


def test_a_document_is_scored_by_the_model_that_has_not_seen_it_if_that_one_knows_its_source(tmp_path: Path) -> None:
    good, bad = "The river and the 我们 river and the river. ", "Click, menu, click 点击, menu, click and click. "
    texts = [(good if row % 3 else bad) * (1 + row % 4) for row in range(40)]
    part = np.where(np.arange(40) < 10, TEST, np.arange(40) // 2 % 2)
    table = pa.table({
        "lang": ["en"] * 40,
        "kind": ["positive" if row % 3 else "negative" for row in range(40)],
        "domain": ["web"] * 40,
        "source": [f"s{number}" for number in part],
        "text": pa.array(texts, pa.large_string()),
    })  # fmt: skip
    assert deal(part).tolist() == [0, 1] * 20
    found = cut(table["text"], Windows(), np.random.default_rng(1))
    lines, models = write_lines(tmp_path), []
    for seed in (1, 2):
        settings = {"lr": 0.5, "dim": 4, "epoch": 2, "wordNgrams": 2, "bucket": 1 << 8, "minCount": 1, "seed": seed}
        train_fasttext(lines, tmp_path / f"{seed}.bin", settings)
        models.append(weights(fasttext.load_model(str(tmp_path / f"{seed}.bin"))))
    fitted = cross_fit(table, part, found, models)
    for row in range(40):
        number = row % 2
        if part[row] in (TEST, number):
            assert np.isnan(fitted.known[row])
        else:
            documents, _ = sums(found.text, found.sentences, models[number])
            assert fitted.known[row] == fitted.calibration.probability(documents.margin, documents.tokens)[row]
    assert np.isnan(fitted.known).sum() == 10 + 15
    assert fitted.calibration.length == 0.0 != fitted.sentence_calibration.length

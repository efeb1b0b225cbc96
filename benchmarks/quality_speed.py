"""Speed of the stage `quality` on one core, beside fastText's own `predict` on text that is already spaced out.

    python benchmarks/quality_speed.py DATA MODEL_ZH MODEL_EN [--json FILE]

DATA holds the real files; the models are folders that `corpus quality train` wrote, in the size that one would use (dim 32, 262,144
buckets). CPU seconds are compared; each figure is the median of `REPEATS` passes over `MEGABYTES` of each file's texts.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import fasttext
import pyarrow as pa
import zstandard

from stages.batch import Batch
from stages.quality.model import load_model
from stages.quality.stage import Quality
from stages.quality.tokens import spaced
from stages.quality.weights import sums
from stages.text.buffers import text_buffer
from stages.text.sentences import sentences

FILES = {"zh": ("news_zh", "law_zh", "technews_zh", "classics_modern_zh"), "en": ("encyclopedia_en", "law_en", "novels_en", "medicine_en")}
MEGABYTES = 3
REPEATS = 5


def texts(path: Path) -> list[str]:
    """The first texts of a file, `MEGABYTES` of them."""
    found, size = [], 0
    with zstandard.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            found.append(json.loads(line)["text"])
            size += len(found[-1].encode())
            if size > MEGABYTES * 1e6:
                break
    return found


def rate(megabytes: float, function: Callable[[], object]) -> float:
    """MB of text a CPU second."""
    seconds = []
    function()
    for _ in range(REPEATS):
        clock = time.process_time()
        function()
        seconds.append(time.process_time() - clock)
    return megabytes / statistics.median(seconds)


def main() -> None:
    """Print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model_zh")
    parser.add_argument("model_en")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = {}
    print(f"{'MB/s of one core':20} {'sums':>8} {'+ sentences':>12} {'stage':>8} {'+ spans':>8} {'predict':>8}")
    for lang, folder in (("zh", options.model_zh), ("en", options.model_en)):
        model, peer = load_model(folder), fasttext.load_model(f"{folder}/model.bin")
        for name in FILES[lang]:
            documents = texts(options.data / f"{name}.jsonl.zst")
            column = pa.array(documents, pa.large_string())
            text = text_buffer(column).read_only()
            megabytes = float(text.lengths().sum()) / 1e6
            found = sentences(text)
            tokens, _ = spaced(text, found)
            lines = [
                tokens.data[tokens.offsets[a] : tokens.offsets[b]].tobytes().decode()
                for a, b in zip(found.offsets[:-1].tolist(), found.offsets[1:].tolist(), strict=True)
            ]
            batch = Batch(pa.RecordBatch.from_pydict({"text": column, "lang": [lang] * len(documents), "domain": ["d"] * len(documents)}))
            stage = Quality(models={lang: (folder,)})
            cutting = Quality(models={lang: (folder,)}, min_sentence_quality=0.1)
            row = {
                "sums": rate(megabytes, lambda text=text, found=found, model=model: sums(text, found, model.weights)),
                "sentences": rate(megabytes, lambda text=text, model=model: sums(text, sentences(text), model.weights)),
                "stage": rate(megabytes, lambda stage=stage, batch=batch: stage.annotate(Batch(batch.columns))),
                "spans": rate(megabytes, lambda stage=cutting, batch=batch: stage.annotate(Batch(batch.columns))),
                "predict": rate(megabytes, lambda peer=peer, lines=lines: peer.predict(lines, k=2)),
            }
            report[name] = {key: round(value, 1) for key, value in row.items()}
            print(f"{name:20} {row['sums']:8.1f} {row['sentences']:12.1f} {row['stage']:8.1f} {row['spans']:8.1f} {row['predict']:8.1f}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

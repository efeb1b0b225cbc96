"""Which language texts are decided to be in: python benchmarks/language_confusion.py DATA [--lid-model FILE|lingua] [--json OUT].

DATA holds `langid-udhr2/`, the Declaration of Human Rights in 388 language files, and corpora as JSON lines (zstd) with `lang`. For each
true language: how many texts are decided as each of ours. The Declaration is asked as whole documents and as single lines (an article's
sentence or two), the corpora as documents. `docs/language.md` shows the output.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import orjson
import pyarrow as pa
import zstandard

from stages.batch import Batch
from stages.language import LANGUAGES
from stages.measure import Measure
from stages.normalize import Normalize

BATCH_ROWS = 1024
TRUTH = {"eng": "en", "cmn_hans": "zh-hans", "cmn_hant": "zh-hant"}
"""Files of the Declaration in our languages; all others are `other`."""
EMPTY = {"nku"}


def main() -> None:
    """Print the tables; write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--lid-model", help="a fastText model of languages for Latin text, or lingua")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    measure = Measure(lid_model=arguments.lid_model)
    tables = {
        "Declaration of Human Rights, documents": declaration(arguments.data, measure, by_line=False),
        "Declaration of Human Rights, lines of at least 20 characters": declaration(arguments.data, measure, by_line=True),
        "Corpora, documents": corpora(arguments.data, measure),
    }
    for title, rows in tables.items():
        print(f"\n{title}:\n\n" + table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(tables, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def declaration(data: Path, measure: Measure, by_line: bool) -> dict[str, dict[str, int]]:
    """True language -> decided language -> texts."""
    rows: dict[str, Counter[str]] = {name: Counter() for name in (*TRUTH.values(), "other")}
    for path in sorted((data / "langid-udhr2").glob("*.txt")):
        if path.stem not in EMPTY:
            text = path.read_text(encoding="utf-8")
            texts = [line for line in text.splitlines() if len(line.strip()) >= 20] if by_line else [text]
            rows[TRUTH.get(path.stem, "other")] += decided(texts, measure)
    return {name: dict(found) for name, found in rows.items()}


def corpora(data: Path, measure: Measure) -> dict[str, dict[str, int]]:
    """File -> decided language -> documents."""
    rows = {}
    for path in sorted(data.glob("*.jsonl.zst")):
        with zstandard.open(path, "rt", encoding="utf-8") as lines:
            rows[path.name.removesuffix(".jsonl.zst")] = dict(decided((orjson.loads(line)["text"] for line in lines), measure))
    return rows


def decided(texts: Iterable[str], measure: Measure) -> Counter[str]:
    """How many texts are decided as each language, after normalisation."""
    text = pa.array(list(texts), pa.large_string())
    found: Counter[str] = Counter()
    for batch in pa.table({"text": text, "lang": pa.nulls(len(text), pa.string())}).to_batches(max_chunksize=BATCH_ROWS):
        found.update(measure.annotate(Normalize().annotate(Batch(batch)))["lang"].to_pylist())
    return found


def table(rows: dict[str, dict[str, int]]) -> str:
    """Markdown: a row for each true language or file, a column for each of ours, shares in % of the texts."""
    lines = ["| | texts | " + " | ".join(LANGUAGES) + " |", "|---|---|" + "---|" * len(LANGUAGES)]
    for name, found in rows.items():
        total = sum(found.values())
        shares = [f"{100 * found[lang] / total:.2f}" if lang in found else "" for lang in LANGUAGES]
        lines.append(f"| {name} | {total:,} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

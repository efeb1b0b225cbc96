"""Should Chinese literature and poetry be allowed more repetition? python benchmarks/repetition_in_literature.py DATA

DATA holds classics_zh, poetry_zh and novels_noise_zh (a scrape bug repeats passages up to 26 times) as JSON lines. Judged with the bounds
of prose on repeated 5- to 10-grams and with the wider ones that `corpus calibrate` suggests for literature: documents and characters
lost, and of the novels' chapters that both keep how many are caught once a share of their text is copied to their end.
`docs/calibration.md` shows the output.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from filters_on_domains import annotated, read
from held_out_thresholds import SHIPPED, with_domains

from stages.filters.rules import Bounds, RuleBook

SUGGESTED = {5: 0.50, 6: 0.45, 7: 0.41, 8: 0.37, 9: 0.34, 10: 0.31}
FILES = ("classics_zh", "poetry_zh", "novels_noise_zh")
COPIED_SHARES = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    shipped = RuleBook(SHIPPED, {})
    (chinese,) = [file for file in shipped.files if "zh" in file.languages]
    prose = {f"duplicate_{n}gram_char_share": chinese.rules[f"duplicate_{n}gram_char_share"] for n in SUGGESTED}
    wider = {f"duplicate_{n}gram_char_share": Bounds(max=most) for n, most in SUGGESTED.items()}
    books = {name: with_domains(shipped, "zh", ("literature", "poetry"), bounds) for name, bounds in (("prose", prose), ("wider", wider))}
    print("| | documents | " + " | ".join(f"{name}: documents | characters, %" for name in books) + " |\n|---|---|---|---|---|---|")
    kept: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
    for name in FILES:
        documents = read(arguments.data / f"{name}.jsonl.zst")
        scores = annotated(documents)
        chars = scores["num_chars"].to_numpy()
        lost = [failing(book, scores) for book in books.values()]
        cells = [f"{mask.sum():,} | {100 * chars[mask].sum() / chars.sum():.2f}" for mask in lost]
        print(f"| {name} | {len(chars):,} | " + " | ".join(cells) + " |")
        kept = ~np.logical_or.reduce(lost)
    chapters = documents["text"].filter(pa.array(kept)).to_pylist()
    print(f"\n| copied, of {len(chapters)} chapters | " + " | ".join(f"{share:.0%}" for share in COPIED_SHARES) + " |")
    print("|---|" + "---|" * len(COPIED_SHARES))
    caught = {name: [failing(book, scores_of(chapters, share)).sum() for share in COPIED_SHARES] for name, book in books.items()}
    for name, counts in caught.items():
        print(f"| {name} | " + " | ".join(map(str, counts)) + " |")


def failing(book: RuleBook, scores: pa.Table) -> npt.NDArray[np.bool_]:
    """Documents that break a rule."""
    return np.logical_or.reduce([*book.failing(scores).values(), np.zeros(scores.num_rows, np.bool_)])


def scores_of(chapters: Sequence[str], copied: float) -> pa.Table:
    """Scores of chapters whose text from a fifth on is copied to the end, so much of it."""
    texts = [text + "\n" + text[len(text) // 5 :][: round(copied * len(text))] for text in chapters]
    missing = pa.nulls(len(texts), pa.string())
    return annotated(
        pa.table({"text": pa.array(texts, pa.large_string()), "lang": missing, "fault": missing, "domain": ["literature"] * len(texts)})
    )


if __name__ == "__main__":
    main()

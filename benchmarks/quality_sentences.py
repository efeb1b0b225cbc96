"""How well sentence scores tell the boilerplate of web pages from the prose of their articles.

    python benchmarks/quality_sentences.py DATA [--json FILE]

Run benchmarks/quality.py first: its models score, each page by a model of the fold that has not seen its site. DATA holds html/gne and
html/aeb. `data/quality_sentences.jsonl` has the labels, given by reading: page, bytes of the sentence in its plain text, a hash of it, and
`boilerplate` (menus, notices, sharing, dates and by-lines, accounts, comments' frames) or `prose` (whole sentences of the article).
Headlines and teasers of other articles, advertisements' text, other people's comments and other languages were left out: they are neither.
"""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from quality import OUT, dealt, navigation_by_site, site
from resiliparse.extract.html2text import extract_plain_text
from xxhash import xxh3_64_hexdigest

from stages.quality.calibration import area_under_curve
from stages.quality.model import load_model
from stages.quality.weights import sums
from stages.text.buffers import text_buffer
from stages.text.sentences import sentences

BANDS = ((5, 20), (20, 40), (40, 1000))
LABELS = Path(__file__).parent / "data/quality_sentences.jsonl"


def plain_text(data: Path, lang: str, page: str) -> bytes:
    """A page with its menus, as the labels count its bytes."""
    path = data / (f"html/gne/{page}.html" if lang == "zh" else f"html/aeb/html/{page}.html.gz")
    body = path.read_bytes()
    body = gzip.decompress(body) if path.suffix == ".gz" else body
    return extract_plain_text(
        body.decode("utf-8", "replace"), preserve_formatting=True, main_content=False, alt_texts=False, list_bullets=False
    ).encode()


def main() -> None:
    """Print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--lang", choices=("zh", "en"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--models", default="", help="`articles`, or the noise that benchmarks/quality.py --unseen trained without")
    options = parser.parse_args()
    labels = [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines()]
    report = {}
    languages = [options.lang] if options.lang else ["zh", "en"]
    for lang in [lang for lang in languages if (OUT / f"{lang}_0{options.models}").is_dir()]:
        part = dealt(navigation_by_site(options.data, lang), 2)
        own = [row for row in labels if row["lang"] == lang]
        scores, without_length, lengths = np.zeros((3, len(own)))
        for page in sorted({row["page"] for row in own}):
            model = load_model(str(OUT / f"{lang}_{1 - part[site(page)]}{options.models}"))
            data = plain_text(options.data, lang, page)
            text = text_buffer(pa.array([data.decode()], pa.large_string())).read_only()
            found = sentences(text)
            _, parts = sums(text, found, model.weights)
            probability, plain = model.sentence_probability(parts), model.probability(parts)
            for at, row in enumerate(own):
                if row["page"] == page:
                    assert xxh3_64_hexdigest(data[row["start"] : row["end"]].decode().strip().encode()) == row["xxh3"], (
                        f"{page} has another plain text"
                    )
                    number = int(np.searchsorted(found.bounds, row["start"]))
                    scores[at], without_length[at], lengths[at] = probability[number], plain[number], parts.tokens[number]
        good = np.array([row["label"] == "prose" for row in own])
        everywhere = np.ones(len(own), bool)
        rows = [
            ("auc", scores, everywhere),
            ("auc_without_length", without_length, everywhere),
            ("auc_of_length_alone", lengths, everywhere),
        ]
        for low, high in BANDS:
            rows.append((f"auc_of_{low}_to_{high}_tokens", scores, (lengths >= low) & (lengths < high)))
        report[lang] = {"sentences": len(own), "prose": int(good.sum())}
        for name, by, chosen in rows:
            report[lang][name] = round(area_under_curve(by[chosen], good[chosen], np.ones(int(chosen.sum()))), 4)
        low = scores < 0.5
        report[lang] |= {
            "boilerplate_below_half": round(float(low[~good].mean()), 4),
            "prose_below_half": round(float(low[good].mean()), 4),
        }
        print(lang, report[lang])
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

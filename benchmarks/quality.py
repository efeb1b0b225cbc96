"""What a quality model is worth on real text of domains and sources that it has not seen.

    python benchmarks/quality.py DATA [--lang zh|en] [--json FILE] [--unseen] [--set model.dim=64]

DATA holds the real files (`news_zh.jsonl.zst`, ... and `html/`). Clean text is whole domains; noise is told apart by where it comes from:
pages by web site, medical books by book, questions by collection, reviews by site, spam by how it was made. Two folds: what one trains on,
the other tests on, so no domain of clean text and no source of noise is in both; some domains and a third of some noise are trained on in
both. The bundled passages and the bundled faults are trained on in both and tested in none. Novels that a scrape bug repeats are tested
only: nothing like them is trained on. Each class, and within a class each source, counts equally.

`pooled` are the figures of both folds together: each source once, scored by the model that has not seen it, with 90 % intervals over draws
of sources and of documents within them. A fold has five to eight sources, so what one of them does moves its ECE by as much as that is.
`--unseen` asks the harder question: of each kind of noise, what a model finds that was trained without any of that kind.

Files are written below out/benchmarks/quality; models that are up to date are not trained again. With `--lang` the JSON keeps what it says
of the other language.
"""

import argparse
import json
import random
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import zstandard
from quality_scores import intervals, pooled, tested
from resiliparse.extract.html2text import extract_plain_text

from pipeline.config import Source
from pipeline.quality.config import TrainConfig, load_training
from pipeline.quality.train import train
from pipeline.readers.html import main_text

OUT = Path("out/benchmarks/quality")
PARTS = 3
CLEAN = {
    "zh": ({"news_zh": "news", "encyclopedia_zh": "encyclopedia", "classics_zh": "literature"},
           {"law_zh": "law", "technews_zh": "technews", "classics_modern_zh": "history"},
           {"techdocs_zh": "techdocs", "poetry_zh": "poetry"}),
    "en": ({"encyclopedia_en": "encyclopedia", "speeches_en": "speech"},
           {"law_en": "law", "novels_en": "literature"},
           {"python_docs": "documentation"}),
}  # fmt: skip
"""Domains that one fold trains on and the other tests on, the reverse, and those that calibrate both."""
BUNDLED_FAULTS = ("navigation", "listing", "mojibake", "replacement_characters", "symbol_noise", "lorem_ipsum", "too_repetitive", "pii")
SOURCES = 4
"""What is trained on of a kind is in so many sources, each of other sites, books or collections: cross-fitting leaves out some of a kind
as well as whole kinds, as new text does."""
LOOP_CHARS = 15_000
"""Chapters of the scraped novels are 4,000 to 9,000 characters; longer files repeat their passages."""


Part = list[list[str]]
"""Sources of texts."""


def rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    """Documents of a file."""
    with zstandard.open(data / f"{name}.jsonl.zst", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def page_texts(path: Path, article: str | None) -> tuple[str, str]:
    """The lines of a page that are not in its article, and the article, which is found where it is not given."""
    body = path.read_bytes()
    if path.suffix == ".gz":
        import gzip

        body = gzip.decompress(body)
    html = body.decode("utf-8", "replace")
    article = article or main_text(body, None).text
    squeezed = re.sub(r"\s+", "", article)
    text = extract_plain_text(html, preserve_formatting=True, main_content=False, alt_texts=False, list_bullets=False)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return "\n".join(line for line in lines if re.sub(r"\s+", "", line) not in squeezed), article


def pages(data: Path, lang: str) -> dict[str, tuple[str, str]]:
    """Navigation and article by page."""
    if lang == "zh":
        return {path.stem: page_texts(path, None) for path in sorted((data / "html/gne").glob("*.html"))}
    gold = json.loads((data / "html/aeb/ground-truth.json").read_text(encoding="utf-8"))
    found = sorted((data / "html/aeb/html").glob("*"))
    return {path.name.partition(".")[0]: page_texts(path, gold[path.name.partition(".")[0]]["articleBody"]) for path in found}


def site(page: str) -> str:
    """Pages of the Chinese set are named test__site__number."""
    return page.split("__")[1] if "__" in page else page


def navigation_by_site(data: Path, lang: str) -> dict[str, list[str]]:
    """Forty lines of navigation a document, by web site."""
    by_site: dict[str, list[str]] = {}
    for page, (text, _) in pages(data, lang).items():
        lines = text.split("\n")
        by_site.setdefault(site(page), []).extend("\n".join(lines[at : at + 40]) for at in range(0, len(lines), 40))
    return by_site


def articles(data: Path, lang: str, fold: int) -> Part:
    """Those of the sites whose navigation the fold trains on."""
    part = dealt(navigation_by_site(data, lang), 2)
    by_site: dict[str, list[str]] = {}
    for page, (_, article) in pages(data, lang).items():
        if part[site(page)] == fold:
            by_site.setdefault(site(page), []).append(article)
    return in_sources(by_site)


def dealt(texts: dict[str, list[str]], num_parts: int) -> dict[str, int]:
    """The part of each group: the largest goes first to the smallest part, always the same."""
    sizes, part = [0] * num_parts, {}
    for name in sorted(texts, key=lambda name: (-len(texts[name]), name)):
        part[name] = sizes.index(min(sizes))
        sizes[part[name]] += len(texts[name])
    return part


def in_parts(texts: dict[str, list[str]], num_parts: int = PARTS) -> list[Part]:
    """Whole groups in parts, and in each part dealt again into `SOURCES`."""
    part = dealt(texts, num_parts)
    return [in_sources({name: texts[name] for name in texts if part[name] == number}) for number in range(num_parts)]


def in_sources(texts: dict[str, list[str]]) -> Part:
    """Whole groups as sources."""
    part = dealt(texts, SOURCES)
    dealt_out = [[text for name in sorted(texts) if part[name] == number for text in texts[name]] for number in range(SOURCES)]
    return [texts for texts in dealt_out if texts]


def noise(data: Path, lang: str) -> dict[str, list[Part]]:
    """Kind -> its parts: one for each fold, and one that both train on; an empty part is left out."""
    found = {"navigation": in_parts(navigation_by_site(data, lang), 2), "spam": [[texts] for texts in spun_and_stuffed(lang)]}
    if lang == "zh":
        groups: dict[str, dict[str, list[str]]] = {"reviews_zh": {}, "medicine_classical_zh": {}}
        for name, group in groups.items():
            for row in rows(data, name):
                group.setdefault(row["id"].partition("#")[0], []).append(row["text"])
        large, small = sorted(groups["reviews_zh"].values(), key=len, reverse=True)
        found["reviews"] = [[large], [small]]
        found["damaged"] = in_parts(groups["medicine_classical_zh"])
        found["loops"] = [[[row["text"] for row in rows(data, "novels_noise_zh") if len(row["text"]) > LOOP_CHARS]]]
    else:
        collections: dict[str, list[str]] = {}
        for row in rows(data, "medicine_en"):
            collections.setdefault(row["id"].split("/")[1], []).append(row["text"])
        found["templates"] = in_parts(collections)
    return found


def bundled(lang: str) -> tuple[Part, Part]:
    """The project's own passages by domain, and its faults by kind."""
    sys.path.insert(0, "data")
    import documents
    from texts import Workshop

    shop = Workshop(lang, 7)
    clean = {domain: [text.body for text in texts] for domain, texts in shop.domains.items()}
    faults: dict[str, list[str]] = {}
    for seed in range(12):
        for name in BUNDLED_FAULTS:
            made = getattr(documents, name)(Workshop(lang, seed), random.Random(seed))
            faults.setdefault(name, []).extend(document.text for document in made if document.keep is not True)
    return in_sources(clean), in_sources(faults)


def spun_and_stuffed(lang: str) -> list[list[str]]:
    """Spam as the bundled sample's generator makes it: spun from synonyms, and stuffed with keywords."""
    sys.path.insert(0, "data")
    import documents
    from texts import Workshop

    shop, found = Workshop(lang, 1), ([], [])
    for seed in range(60):
        for document in documents.seo_spam(shop, random.Random(seed)):
            found[document.edit == "keyword_stuffing"].append(document.text)
    return list(found)


def source(lang: str, name: str, texts: Iterable[str]) -> Source:
    """Texts as a file of JSON lines."""
    path = OUT / "sources" / f"{name}_{lang}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps({"text": text}) + b"\n" for text in texts))
    return Source(name=f"{name}_{lang}", path=str(path), domain=name.rpartition("_")[0] or name, lang=lang)


def clean_sources(data: Path, lang: str, names: dict[str, str]) -> list[Source]:
    """Real domains; the documentation of the installed packages."""
    return [
        Source(name=name, path="constraints.txt", format="python_docs", domain=domain, max_bytes=4 << 20)
        if name == "python_docs"
        else Source(name=name, path=str(data / f"{name}.jsonl.zst"), domain=domain)
        for name, domain in names.items()
    ]


def configuration(
    lang: str, fold: int, data: Path, found: dict[str, list[Part]], settings: TrainConfig, without: str = "", with_articles: bool = False
) -> TrainConfig:
    """Train on one fold's sources and the third part, test on the other fold's; `with_articles` for sentences of web pages."""
    train_clean, test_clean, other_clean = (CLEAN[lang][place] for place in (fold, 1 - fold, 2))
    passages, faults = bundled(lang)
    positives = [source(lang, f"passages_{place}", texts) for place, texts in enumerate(passages)]
    positives += [one for names in (train_clean, test_clean, other_clean) for one in clean_sources(data, lang, names)]
    if with_articles:
        positives += [source(lang, f"articles_{fold}.{place}", texts) for place, texts in enumerate(articles(data, lang, fold))]
    negatives = [source(lang, f"faults_{place}", texts) for place, texts in enumerate(faults)]
    held_out = list(test_clean)
    for kind, texts in found.items():
        for number, part in enumerate(texts):
            tested = kind == "loops" or number == 1 - fold
            if tested:
                negatives.append(source(lang, f"{kind}_{number}", [text for texts in part for text in texts]))
                held_out.append(negatives[-1].name)
            elif kind != without:
                negatives += [source(lang, f"{kind}_{number}.{place}", texts) for place, texts in enumerate(part)]
    name = f"{lang}_{fold}{without}{'articles' * with_articles}"
    return replace(settings, name=name, output=str(OUT / name), languages=(lang,),
                   positives=tuple(positives), negatives=tuple(negatives), held_out=tuple(held_out))  # fmt: skip


def main() -> None:
    """Print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--lang", choices=("zh", "en"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--unseen", action="store_true", help="also leave out each kind of noise in turn")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    base = OUT / "base.yaml"
    base.write_text("name: x\noutput: x\nlanguages: [zh]\npositives: [{name: a, path: a}]\nnegatives: [{name: b, path: b}]\n")
    settings = load_training(base, tuple(options.overrides))
    there = json.loads(options.json.read_text(encoding="utf-8")) if options.json and options.json.is_file() else {}
    languages = [options.lang] if options.lang else ["zh", "en"]
    report: dict[str, Any] = {name: figures for name, figures in there.items() if name[:2] not in languages}
    for lang in languages:
        found = noise(options.data, lang)
        folds = []
        for fold in (0, 1):
            config = configuration(lang, fold, options.data, found, settings)
            card = train(config, overwrite=True)
            metrics, known = card["metrics"][lang], card["metrics_on_known_sources"][lang]
            print(f"{lang} fold {fold}: F1 {metrics['f1']:.3f}  AUC {metrics['auc']:.3f}  ECE {metrics['ece']:.3f}  "
                  f"(of known sources: F1 {known['f1']:.3f}  AUC {known['auc']:.3f}  ECE {known['ece']:.3f})  "
                  f"windows {card['data']['windows']:,}  lr {card['learning_rate']}")  # fmt: skip
            called = {}
            for row in [row for row in card["scores"] if row["part"] == "test"]:
                called[row["source"]] = row["good_share"]
                wanted = row["kind"] == "positive"
                print(f"    {row['source']:24} {row['documents']:6,}  right {row['good_share'] if wanted else 1 - row['good_share']:.3f}")
            report[f"{lang}_{fold}"] = {"metrics": metrics, "known": known, "called_good": called}
            folds.append(tested(config, OUT))
            train(configuration(lang, fold, options.data, found, settings, with_articles=True), overwrite=True)
        report[f"{lang}_pooled"] = {"metrics": pooled(folds).figures(), "intervals": intervals(pooled(folds))}
        for name, value in report[f"{lang}_pooled"]["metrics"].items():
            low, high = report[f"{lang}_pooled"]["intervals"][name]
            print(f"{lang} pooled: {name} {value:.3f} [{low:.3f}, {high:.3f}]")
        for kind in [kind for kind in found if options.unseen and kind != "loops"]:
            for fold in (0, 1):
                card = train(configuration(lang, fold, options.data, found, settings, kind), overwrite=True)
                share = [1 - row["good_share"] for row in card["scores"] if row["part"] == "test" and row["source"].startswith(kind)]
                print(f"{lang} fold {fold} trained without {kind}: {np.mean(share):.3f} of it found")
                report[f"{lang}_{fold}_without_{kind}"] = {"metrics": card["metrics"][lang], "found": share}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

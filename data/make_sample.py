"""Make the bundled sample: clean passages, and web-like documents with planted faults, each labelled.

    python data/make_sample.py            writes data/sample/ and the tables of data/README.md
    python data/make_sample.py --check    compares them with what it would write; 1 if something differs
    python data/make_sample.py --sources  prints the sources for a run's YAML

Nothing but the texts in this folder, the seed and OpenCC's dictionaries decides the content.
"""

import argparse
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import yaml
from documents import WEB, article, code, contaminated, dump, labelled, letters, mixed, traditional
from files import SampleFile, content, encode, stable_uuid
from texts import FOLDER, Document, Workshop

SEED = 20240302
SAMPLE = FOLDER / "sample"
README = FOLDER / "README.md"

PASSAGE_FORMATS: dict[str, tuple[str, dict[str, str]]] = {
    "encyclopedia": ("jsonl", {}),
    "news": ("jsonl.gz", {}),
    "law": ("txt", {"documents": "block"}),
    "medicine": ("jsonl.zst", {}),
    "techdocs": ("jsonl", {"text_key": "content"}),
    "forum": ("parquet", {"text_key": "body", "id_key": "post"}),
}
OTHER_FILES = (
    SampleFile("web_zh.jsonl.gz", "web", "auto"),
    SampleFile("web_en.jsonl", "web", "auto"),
    SampleFile("crawl.warc.gz", "web", "auto"),
    SampleFile("letters_gb18030.txt", "letters", "zh", {"documents": "block", "encoding": "gb18030"}),
    SampleFile("archive_big5.txt", "archive", "zh", {"documents": "block", "encoding": "big5"}),
    SampleFile("dump.jsonl", "web", "auto"),
    SampleFile("code.jsonl", "code", "auto"),
    SampleFile("quizzes.jsonl", "web", "auto"),
)


def passage_files() -> list[SampleFile]:
    """One file for each language and domain."""
    return [
        SampleFile(f"{lang}_{domain}.{suffix}", domain, lang, settings)
        for lang in ("zh", "en")
        for domain, (suffix, settings) in PASSAGE_FORMATS.items()
    ]


def all_documents() -> dict[str, list[Document]]:
    """The documents of each source, in their order in the file."""
    zh, en = workshops = Workshop("zh", SEED), Workshop("en", SEED)
    documents = {}
    for shop in workshops:
        for domain, texts in shop.domains.items():
            clean = [Document(text.body, keep=True, label="clean", lang=shop.lang, key=text.key) for text in texts]
            documents[f"{shop.lang}_{domain}"] = clean
        made = [labelled(recipe, shop, _random(shop.lang, recipe.__name__)) for recipe in WEB]
        documents[f"web_{shop.lang}"] = [document for group in made for document in group]
    bilingual = mixed(zh, en)
    documents["web_zh"] += traditional(zh.origins.deal(8), "s2t") + bilingual[::2]
    documents["web_en"] += bilingual[1::2]
    documents["crawl"] = [document for shop in workshops for document in labelled(article, shop, _random(shop.lang, "crawl"))]
    documents["letters_gb18030"] = letters(zh, _random("zh", "letters"))
    archive = traditional(zh.origins.deal(20), "s2tw")
    documents["archive_big5"] = [document for document in archive if _fits(document.text, "big5")][:10]
    documents["dump"] = dump(zh, en)
    documents["code"] = code()
    documents["quizzes"] = contaminated(zh, en)
    for name in ("web_zh", "web_en", "crawl"):
        _random(name, "order").shuffle(documents[name])
    return documents


def _random(*names: str) -> random.Random:
    return random.Random("/".join((str(SEED), *names)))


def _fits(text: str, encoding: str) -> bool:
    return text.encode(encoding, "ignore").decode(encoding) == text


def build() -> dict[str, bytes]:
    """All files of the sample by name, the labels included."""
    built: dict[str, bytes] = {}
    labels: list[dict[str, object]] = []
    ids: Counter[str] = Counter()
    id_of_key: dict[str, str] = {}
    documents_of = all_documents()
    for file in (*passage_files(), *OTHER_FILES):
        documents = [_with_id(file, document, number) for number, document in enumerate(documents_of[file.name], 1)]
        built[file.file], records = encode(file, documents)
        for document, record in zip(documents, records, strict=True):
            own_id = document.id or f"{file.name}/{file.file}#{record}"
            ids[own_id] += 1
            unique_id = own_id if ids[own_id] == 1 else f"{own_id}~{ids[own_id]}"
            if document.key:
                id_of_key[document.key] = unique_id
            place = {"source": file.name, "path": file.file, "record": record, "id": unique_id}
            origins = "+".join(id_of_key[key] for key in document.of) or None
            labels.append(place | _label(document) | {"of": origins})
    built["labels.jsonl"] = "".join(json.dumps(label, ensure_ascii=False) + "\n" for label in labels).encode()
    return built


def _with_id(file: SampleFile, document: Document, number: int) -> Document:
    """With the row's own id where the format has one; rows of `web_en` have none, so that their place becomes their id."""
    if file.name == "crawl":
        return replace(document, id=stable_uuid(document.url or ""))
    if not file.has_ids or file.name in ("dump", "web_en"):
        return document
    return replace(document, id=document.key or f"{file.name}-{number:04d}")


def _label(document: Document) -> dict[str, object]:
    return {name: getattr(document, name) for name in ("label", "lang", "keep", "edit", "edit_rate", "jaccard")}


def readme(built: dict[str, bytes]) -> str:
    """The README with its generated tables."""
    labels = [json.loads(line) for line in built["labels.jsonl"].splitlines()]
    tables = {"files": _file_table(built, labels), "labels": _label_table(labels), "similarity": _similarity_table(labels)}
    text = README.read_text("utf-8")
    for name, rows in tables.items():
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        text = before + mark + _table(rows) + rest[rest.index("<!-- end -->") :]
    return text


def _file_table(built: dict[str, bytes], labels: list[dict[str, object]]) -> list[list[object]]:
    rows: list[list[object]] = [["file", "domain", "`lang`", "further settings", "documents"]]
    documents = Counter(label["path"] for label in labels)
    for file in (*passage_files(), *OTHER_FILES):
        settings = ", ".join(f"`{key}: {value}`" for key, value in file.settings.items())
        rows.append([f"`{file.file}`", file.domain, file.lang, settings, documents[file.file]])
    return [*rows, ["total", "", "", "", len(labels)]]


def _label_table(labels: list[dict[str, object]]) -> list[list[object]]:
    counts: defaultdict[object, Counter[object]] = defaultdict(Counter)
    for label in labels:
        counts[label["label"]].update([("lang", label["lang"]), ("keep", label["keep"])])
    langs = [("lang", "zh"), ("lang", "en"), ("lang", "mixed"), ("lang", None)]
    keeps = [("keep", True), ("keep", False), ("keep", None)]
    rows: list[list[object]] = [["label", "zh", "en", "mixed", "no language", "keep", "drop", "open"]]
    return [*rows, *([f"`{label}`", *(count[column] for column in langs + keeps)] for label, count in counts.items())]


def _similarity_table(labels: list[dict[str, object]]) -> list[list[object]]:
    similarities: defaultdict[tuple[object, object], list[float]] = defaultdict(list)
    for label in labels:
        if label["edit"] == "tokens" and isinstance(label["jaccard"], float):
            similarities[label["edit_rate"], label["lang"]].append(label["jaccard"])
    rows: list[list[object]] = [["edit rate", "language", "copies", "lowest", "mean", "highest"]]
    for (rate, lang), values in sorted(similarities.items(), key=str):
        numbers = (min(values), sum(values) / len(values), max(values))
        rows.append([rate, lang, len(values), *(f"{value:.2f}" for value in numbers)])
    return rows


def _table(rows: Iterable[list[object]]) -> str:
    head, *body = ["| " + " | ".join(map(str, row)) + " |\n" for row in rows]
    return head + "|" + "---|" * (head.count("|") - 1) + "\n" + "".join(body)


def differences(built: dict[str, bytes], folder: Path) -> list[str]:
    """What in the folder, or in the README, is not what the program makes."""
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    found = [f"{name}: missing" for name in sorted(built.keys() - present)]
    found += [f"{name}: not made by this program" for name in sorted(present - built.keys())]
    for name in sorted(built.keys() & present):
        if content(name, (folder / name).read_bytes()) != content(name, built[name]):
            found.append(f"{name}: differs")
    return found + (["README.md: its tables differ"] if README.read_text("utf-8") != readme(built) else [])


def main() -> int:
    """Write, compare or print; the exit status is 1 if a comparison found differences."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--sources", action="store_true", help="print the sources as YAML")
    options = parser.parse_args()
    if options.sources:
        sources = [file.source() for file in (*passage_files(), *OTHER_FILES)]
        print(yaml.safe_dump(sources, sort_keys=False, allow_unicode=True, default_flow_style=None, width=140), end="")
        return 0
    built = build()
    if options.check:
        found = differences(built, SAMPLE)
        print("\n".join([*found, "run: python data/make_sample.py"]) if found else f"{SAMPLE}: as the program makes it")
        return bool(found)
    SAMPLE.mkdir(exist_ok=True)
    for path in SAMPLE.iterdir():
        path.unlink()
    for name, data in built.items():
        (SAMPLE / name).write_bytes(data)
    README.write_text(readme(built), "utf-8")
    print(f"{SAMPLE}: {len(built)} files, {sum(map(len, built.values())):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Sentence de-duplication on real text: recall on planted repeats, the dateline, what each file loses, and what it costs.

    python benchmarks/sentence_dedup.py ../shared/data

Planted: paragraphs of real text are put into two long hosts each, once as they are and once with a share of their letters or Han characters
replaced (numerals are left alone: other numbers are other facts). A pair is found if one of the two copies is cut. Whatever else is cut
from hosts and was not cut without the planting would be a false removal. The second part runs configs/real_data.yaml in this process.
"""

import argparse
import io
import json
import random
import re
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pyarrow.parquet as pq
import yaml
import zstandard

from pipeline.config import load_run
from pipeline.engine import InProcess, Statistics, Task
from pipeline.run import run
from stages.dedup.near_passages import NUMERALS

PAIRS = 150
"""Planted pairs for each language and kind."""
SIMILARITIES = (1.0, 0.99, 0.97, 0.95, 0.93, 0.91)
PASSAGES = {"zh": ("classics_modern_zh", "technews_zh", "encyclopedia_zh"), "en": ("encyclopedia_en", "speeches_en")}
HOSTS = {"zh": ("news_zh",), "en": ("novels_en",)}
LENGTHS = (110, 400)
"""Han characters of a planted paragraph, a word counts as two: from the floor of what is compared up."""
HOST_CHARS = {"zh": 12_000, "en": 30_000}
LETTERS = {"zh": "的是在有人这上们来到时大地为子中你说生国年着就那和要她出也得里后自以会", "en": "etaoinshrdlucmfw"}
KINDS = {"Han": "zh", "words": "en", "letters": "en"}
"""What is replaced, and the language of the text."""
DATELINE = re.compile(r"^央视网消息（新闻联播）[：:]", re.MULTILINE)


def documents(path: Path) -> Iterator[str]:
    """The texts of a file."""
    with path.open("rb") as file:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8"):
            yield json.loads(line)["text"]


def paragraphs(texts: Iterable[str]) -> Iterator[str]:
    """Plain paragraphs of a fitting length."""
    low, high = LENGTHS
    for text in texts:
        for line in text.split("\n"):
            plain = line.strip()
            size = 2 * len(re.findall(r"[A-Za-z0-9]+", plain)) + len(re.findall(r"[\u3400-\u9fff]", plain))
            if low <= size <= high and plain[-1] in ".。" and plain[0].isalnum() and not re.search(r"[#|`<>\\*\[{]", plain):
                yield plain


def pool(data: Path, lang: str, rng: random.Random) -> list[str]:
    """Different paragraphs of the real data in a seeded order."""
    texts = (text for name in PASSAGES[lang] for text in documents(data / f"{name}.jsonl.zst"))
    found = sorted(set(paragraphs(texts)))
    return rng.sample(found, len(found))


def hosts(data: Path, lang: str) -> Iterator[list[str]]:
    """Long texts as paragraphs, put together from real ones."""
    lines: list[str] = []
    for name in HOSTS[lang]:
        for text in documents(data / f"{name}.jsonl.zst"):
            lines += [block.replace("\n", " ") for block in re.split(r"\n\s*\n" if lang == "en" else r"\n+", text) if len(block) > 80]
            if sum(map(len, lines)) > HOST_CHARS[lang]:
                yield lines
                lines = []


def edited(text: str, similarity: float, kind: str, rng: random.Random) -> str:
    """The text with so many of its characters replaced that this share stays: single letters, or whole words; never numerals."""
    wanted = round((1 - similarity) * len(text))
    if kind == "words":
        parts = re.split(r"(\W+)", text)
        places = [place for place, part in enumerate(parts) if part.isalpha()]
        rng.shuffle(places)
        while wanted > 0 and places:
            place = places.pop()
            if len(parts[place]) <= wanted or not places:
                wanted -= len(parts[place])
                parts[place] = "".join(rng.choice(LETTERS["en"]) for _ in parts[place])
        return "".join(parts)
    characters = list(text)
    letters = LETTERS["zh" if kind == "Han" else "en"]
    plain = [place for place, character in enumerate(text) if character.isalpha() and not any(character in signs for signs in NUMERALS)]
    for place in rng.sample(plain, wanted):
        characters[place] = rng.choice([letter for letter in letters if letter != characters[place].lower()])
    return "".join(characters)


class Host(NamedTuple):
    """A document with a planted paragraph; its twin has the other copy."""

    id: str
    text: str
    kind: str
    similarity: float
    twin: str
    passage: str


def planted_hosts(
    kind: str, chosen: Sequence[str], texts: Sequence[list[str]], rng: random.Random, similarities: Sequence[float], plant: bool = True
) -> Iterator[Host]:
    """Two hosts for each chosen paragraph, one with it as it is and one with an edited copy; without it if not `plant`."""
    for number, passage in enumerate(chosen):
        similarity = similarities[number % len(similarities)]
        for end, version in (("a", passage), ("b", edited(passage, similarity, kind, rng))):
            # few texts are that long: the same one serves as a host again, with each character moved, so that hosts share nothing
            lines = [scrambled(line, rng) for line in texts[rng.randrange(len(texts))]]
            lines.insert(rng.randrange(len(lines) + 1), version if plant else scrambled(version, rng))
            twin = f"{kind}{number}{'b' if end == 'a' else 'a'}"
            yield Host(f"{kind}{number}{end}", "\n\n".join(lines), kind, similarity, twin, version)


def planted(data: Path, folder: Path, plant: bool) -> tuple[Path, list[Host]]:
    """Hosts with and without the planted paragraphs, as a run's YAML and as they are."""
    rng = random.Random(17)
    pools = {lang: pool(data, lang, rng) for lang in ("zh", "en")}
    found: list[Host] = []
    for kind, lang in KINDS.items():
        chosen = [pools[lang].pop() for _ in range(PAIRS * len(SIMILARITIES))]
        found += planted_hosts(kind, chosen, list(hosts(data, lang)), rng, SIMILARITIES, plant)
    rows = [json.dumps({"id": host.id, "text": host.text}, ensure_ascii=False) for host in found]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hosts.jsonl").write_text("\n".join(rows), encoding="utf-8")
    settings = {
        "name": "planted",
        "output": str(folder / "out"),
        "sources": [{"name": "hosts", "path": str(folder / "hosts.jsonl")}],
        "stages": [{"normalize": {}}, {"sentence_dedup": {}}, {"select": {}}],
        "engine": {"executor": "inprocess"},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder / "run.yaml", found


def scrambled(text: str, rng: random.Random) -> str:
    """The same words or Han characters at other places, so that hosts share nothing but single words."""
    parts = re.findall(r"[A-Za-z0-9'-]+|.", text, re.DOTALL)
    places = [place for place, part in enumerate(parts) if part[0].isalnum()]
    for place, part in zip(places, rng.sample([parts[place] for place in places], len(places)), strict=True):
        parts[place] = part
    return "".join(parts)


def rows_of(folder: str | Path, part: str) -> list[dict[str, Any]]:
    """All rows of a part of a run."""
    return [row for path in sorted((Path(folder) / part).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def recall(data: Path, folder: Path) -> None:
    """Print the share of planted pairs of which one copy is cut, and what else is cut."""
    counts: dict[tuple[str, float], Counter[str]] = defaultdict(Counter)
    config, found = planted(data, folder / "planted", plant=True)
    cuts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    run(load_run(config), quiet=True)
    for row in rows_of(folder / "planted/out", "edits"):
        cuts[row["id"]].append(row)
    false = 0
    for host in found:
        taken = [row for row in cuts[host.id] if row["partner"] == host.twin and row["removed"].strip() in host.passage]
        counts[host.kind, host.similarity]["cut"] += sum(len(row["removed"].strip()) for row in taken) >= 0.9 * len(host.passage)
        counts[host.kind, host.similarity]["copies"] += 1
        false += sum(len(row["removed"]) for row in cuts[host.id] if row not in taken)
    print("planted pairs of which one copy is cut (of", PAIRS, "each)")
    print("| edit similarity |", " | ".join(f"{s:g}" for s in SIMILARITIES), "|\n|---|" + "---|" * len(SIMILARITIES))
    for kind, lang in KINDS.items():
        row = [counts[kind, s] for s in SIMILARITIES]
        print(f"| {lang}, {kind} |", " | ".join(f"{2 * c['cut'] / c['copies']:.3f}" for c in row), "|")
    print("characters cut from hosts that were not planted:", false)
    config, _ = planted(data, folder / "bare", plant=False)
    summary = run(load_run(config), quiet=True)
    print("cut from the same hosts without planted pairs:", summary["edits"])


class Timed(InProcess):
    """The in-process executor, with CPU seconds by the function of a unit."""

    seconds: ClassVar[Counter[str]] = Counter()

    def run(self, tasks: Mapping[str, Task]) -> Iterator[tuple[str, Statistics]]:
        """As `InProcess.run`."""
        for key, task in tasks.items():
            started = time.process_time()
            statistics = task()
            self.seconds[f"{task.function.__module__}.{task.function.__name__}"] += time.process_time() - started
            yield key, statistics


def real(folder: Path, config: str) -> None:
    """Print what a run over the real data cuts and rejects, by source, the dateline's fate, and CPU seconds."""
    import pipeline.run

    output = str(folder / "real")
    pipeline.run.InProcess = Timed  # type: ignore[misc]
    run(load_run(config, (f"output={output}", "engine.executor=inprocess")), quiet=True)
    sources = {row["id"]: row["source"] for row in rows_of(output, "ledger")}
    kept, gone, whole = Counter[str](), Counter[str](), Counter[str]()
    for row in rows_of(output, "ledger"):
        size, source = row["num_chars"], row["source"]
        kept[source] += size * (row["fate"] == "kept")
        gone[source] += size * (row["reasons"] == ["mostly_repeated"])
        whole[source] += size * (row["fate"] == "kept" and row["repeated_char_share"] > 0.05 and row["edit_share"] > 0)
    cut: dict[str, Counter[str]] = defaultdict(Counter)
    opened = set()
    for row in rows_of(output, "edits"):
        cut[sources[row["id"]]][row["rule"]] += len(row["removed"] or "")
        if row["rule"] == "edge_boilerplate" and DATELINE.search(row["removed"]):
            opened.add(row["id"])
    rules = ("repeated_passage", "similar_passage", "edge_boilerplate")
    print("| file |", " | ".join(rules), "| rejected | kept whole |\n|---|---|---|---|---|---|")
    for source in sorted(kept):
        base = kept[source] + gone[source]
        shares = [100 * cut[source][rule] / base for rule in rules] + [100 * gone[source] / base, 100 * whole[source] / base]
        print(f"| {source} |", " | ".join(f"{share:.3f}" if share else "" for share in shares), "|")
    left = [row["id"] for row in rows_of(output, "corpus") if row["source"] == "news_zh" and DATELINE.search(row["text"])]
    print(f"dateline: cut from {len(opened)} items, left in {len(left)}: recall {len(opened) / (len(opened) + len(left)):.4f}")
    other = [row for row in rows_of(output, "edits") if row["rule"] == "edge_boilerplate" and not DATELINE.search(row["removed"])]
    print("other edge boilerplate:", len(other), [row["removed"] for row in other[:5]])
    passes = Counter({name.split(".")[-1]: s for name, s in Timed.seconds.items() if name.startswith("pipeline.passages.")})
    annotate = Timed.seconds["pipeline.local.annotate_split"]
    print(f"CPU seconds: annotate {annotate:.2f}, sentence dedup {sum(passes.values()):.2f}, ratio {sum(passes.values()) / annotate:.2f}")
    print("  " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in passes.most_common()))


def main() -> None:
    """Both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--config", default="configs/real_data.yaml")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        recall(options.data, folder)
        real(folder, options.config)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

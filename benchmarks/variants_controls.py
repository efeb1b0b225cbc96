"""Do verdicts say what is so? Resamples of comparisons whose outcome is known.

    python benchmarks/variants_controls.py ../shared/data --output out/variants_controls --halves 20 --shuffled 3 --garbage 1

Two variants of real text in both languages: `clean`, and `garbage`, which has as much clean text and beside it spam and copies, together
30 % of its bytes: invented advertisements of a few templates, and a fiftieth of the clean documents again and again. Each resample holds
other texts out whole, deals pieces anew and starts from other weights. Counted are: two halves of the clean corpus judged alike; its
shuffled tokens judged worse, and leaked documents found; garbage judged worse (p < .05 on three seeds). What is done is kept: run again to
continue.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
import zstandard

from pipeline.config import Engine
from pipeline.engine import OnRay
from pipeline.variants.config import load_variants
from pipeline.variants.steps import prepared
from pipeline.variants.verdict import compare, judge

SOURCES = ("encyclopedia_en", "encyclopedia_zh", "law_en", "law_zh", "medicine_en", "techdocs_zh", "novels_en", "classics_modern_zh")
"""One source a domain and language."""
CLEAN_BYTES = 1_400_000
"""Of each source."""
MOST_PIECES = 20
"""Of a text."""
GARBAGE_SHARE = 0.3

SETTINGS: dict[str, Any] = {
    "name": "controls",
    "held_out": {"share": 0.25, "unit": "id", "domains": ["encyclopedia", "law", "medicine", "techdocs", "novels", "classics"],
                 "curated": ["encyclopedia", "law", "medicine", "techdocs"], "min_bytes": 3000, "max_bytes": 6000},
}  # fmt: skip


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a compressed file of JSON lines."""
    with zstandard.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def pieces(text: str) -> Iterator[str]:
    """The beginning of a text in parts of about a kilobyte, so that the small budget of a training holds many documents."""
    data = text.encode()
    for begin in range(0, min(len(data), MOST_PIECES * 1000), 1000):
        yield data[begin : begin + 1000].decode(errors="ignore")


def spam(number: int, rng: random.Random) -> str:
    """An advertisement: one of four templates with other words, prices and addresses."""
    words = [
        "cheap",
        "watches",
        "casino",
        "bonus",
        "loan",
        "pills",
        "replica",
        "jackpot",
        "credit",
        "deal",
        "click",
        "free",
        "winner",
        "sale",
    ]
    signs = ["优惠", "代开发票", "贷款", "彩票", "包邮", "加微信", "赚钱", "兼职", "开奖", "秒到账", "澳门", "娱乐", "注册送", "客服"]
    lines = []
    for _ in range(rng.randint(4, 14)):
        some, code = " ".join(rng.choices(words, k=4)), rng.randint(10_000, 99_999)
        lines.append(rng.choice([
            f"BUY NOW!!! {some} only ${code % 90}.99 >>> www.{rng.choice(words)}{code}.biz",
            f"★☆{''.join(rng.choices(signs, k=4))}★☆ 加QQ {code}{number % 997} {''.join(rng.choices(signs, k=3))}",
            f"{some.upper()} - {some} - {some} - call {code}",
            f"【{''.join(rng.choices(signs, k=2))}】点击 http://{rng.choice(words)}{code}.top {''.join(rng.choices(signs, k=5))}!!!",
        ]))  # fmt: skip
    return "\n".join(lines)


def write_base(data: Path, folder: Path) -> None:
    """Write the sources and the run's YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)
    rows: dict[str, list[dict[str, str]]] = {}
    total = 0
    for name in SOURCES:
        of_source = sorted(read(data / f"{name}.jsonl.zst"), key=lambda row: random.Random(row["id"]).random())
        size, rows[name] = 0, []
        while of_source and size < CLEAN_BYTES:
            row = of_source.pop()
            file = row["id"].rpartition("#")[0] or row["id"]  # a book, a day of news, an act: what is held out together
            for text in pieces(row["text"]):
                rows[name].append({"id": f"{file}#{len(rows[name])}", "text": text})
                size += len(text.encode())
        total += size
    copied = rng.sample([row["text"] for name in SOURCES for row in rows[name]], k=sum(map(len, rows.values())) // 50)
    wanted = total * GARBAGE_SHARE / (1 - GARBAGE_SHARE)
    for name, text in (("spam", lambda i: spam(i, rng)), ("copies", lambda i: copied[i % len(copied)])):
        size, rows[name] = 0, []
        while size < wanted / 2:
            rows[name].append({"id": f"{name}-{len(rows[name])}", "text": text(len(rows[name]))})
            size += len(rows[name][-1]["text"].encode())
    sources = []
    for name, of_source in rows.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in of_source))
        lang = {"lang": name[-2:]} if name in SOURCES else {}
        sources.append({"name": name, "path": str(path), "domain": name.partition("_")[0]} | lang)
    stages = [{"normalize": {}}, {"exact_dedup": {}}, {"document_dedup": {}}]
    (folder / "base.yaml").write_text(yaml.safe_dump({"name": "base", "output": "-", "sources": sources, "stages": stages}))


def main() -> None:
    """A line each resample, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, default=Path("out/variants_controls"))
    for name, number in (("--halves", 20), ("--shuffled", 3), ("--garbage", 1), ("--workers", 2)):
        parser.add_argument(name, type=int, default=number)
    arguments = parser.parse_args()
    base = arguments.output / "sources"
    if not (base / "base.yaml").exists():
        write_base(arguments.data, base)
    variants = [{"name": "clean", "stages": [], "sources": list(SOURCES)}, {"name": "garbage", "stages": []}]
    named = {"base": str(base / "base.yaml"), "output": str(arguments.output / "comparison"), "variants": variants}
    (base / "variants.yaml").write_text(yaml.safe_dump(SETTINGS | named))
    with OnRay(Engine(workers=arguments.workers), ()):
        for corpora, wanted in (("half_a", "half_b"), "inconclusive"), (("clean", "shuffled"), "worse"), (("clean", "garbage"), "worse"):
            what = "halves" if corpora[0] == "half_a" else corpora[1]
            number, holds = getattr(arguments, what), 0
            for draw in range(number):
                line, word = resample(base / "variants.yaml", draw, corpora)
                holds += word == wanted
                print(f"{what} {draw:>2}  {line}", flush=True)
            print(f"{what} judged {wanted}: {holds} of {number}", flush=True)


def resample(path: Path, draw: int, corpora: tuple[str, str]) -> tuple[str, str]:
    """Hold out, deal, train and judge once: a line of figures, and the word."""
    seeds = f"seeds=[{3 * draw}, {3 * draw + 1}, {3 * draw + 2}]"
    config = load_variants(path, (f"draw={draw}", seeds))
    with prepared(config, quiet=True) as comparison:
        leak = comparison.look_for_leaks()["leak"] if corpora[1] == "shuffled" else None
        measured = comparison.measure(comparison.pack(corpora))
        held_out = comparison.held_out
    found = compare(held_out, config.training.learning_rates, *(measured[name].nats for name in corpora))
    verdict = judge({"other": found})["other"]
    low, high = found.interval
    line = f"change {found.change:+.2%} ({low:+.2%} {high:+.2%}), p {found.p:.4f}, {verdict.word}"
    return line + (f"; leak: {leak['found']} of {leak['leaked']} found" if leak else ""), verdict.word


if __name__ == "__main__":
    sys.exit(main())

"""Real text judged by models: every step of the pipeline, and the quality score by buckets.

    corpus quality train configs/quality/real_data_zh.yaml && corpus quality train configs/quality/real_data_en.yaml
    python benchmarks/variants_real.py ladder
    python benchmarks/quality.py ../shared/data
    python benchmarks/variants_real.py scores ../shared/data

`ladder` is configs/variants/real_data.yaml with two further steps, which need models: selection by quality, and a learned mixture.

`scores` asks whether text with better scores teaches a model more. What the quality models of benchmarks/quality.py, fold 0, are tested on
makes a crawl, all of one domain: clean text of other domains, and noise of other sites, books, collections and makers. A small model is
trained on each quarter of the crawl by score, and on the better half as the stage `quality` selects it. It is measured on held-out text of
the crawl, and of the domains that the quality models were shown as good.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from dedup_reference import DATA
from quality import CLEAN, OUT, configuration, noise

from configs.loader import find_file
from pipeline.quality.config import load_training
from pipeline.variants.compare import compare_variants
from pipeline.variants.config import load_variants
from pipeline.variants.table import print_verdict

FOLD = 0
CRAWL = "crawl"
LANGUAGES = ("zh", "en")


def ladder(_: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The base run and the comparison."""
    comparison = yaml.safe_load(find_file("configs/variants/real_data.yaml").read_text(encoding="utf-8"))
    base = yaml.safe_load(find_file(comparison["base"]).read_text(encoding="utf-8"))
    quality = {"models": {lang: [f"out/quality_{lang}"] for lang in LANGUAGES}, "min_percentile": dict.fromkeys(LANGUAGES, 10)}
    mixture = {"method": "learned", "learn": {"targets": comparison["held_out"]["domains"]}, "proxy": {"tokens": 65536}}
    stages = base["stages"]
    stages.insert([next(iter(stage)) for stage in stages].index("sentences"), {"quality": quality})
    stages.append({"mixture": mixture})
    variants = comparison["variants"]
    after = [variant["name"] for variant in variants].index("heuristics") + 1
    variants[after]["like"] = "quality"
    variants.insert(after, {"name": "quality", "like": "heuristics", "add": ["quality"]})
    variants.append({"name": "mixture", "like": variants[-1]["name"], "add": ["mixture"]})
    return base, comparison


def scores(data: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The base run and the comparison."""
    sources, good = [], set()
    for lang in LANGUAGES:
        training = configuration(lang, FOLD, data, noise(data, lang), load_training(OUT / "base.yaml"))
        for source in (*training.positives, *training.negatives):
            shown = source.name in CLEAN[lang][FOLD]
            if shown:
                good.add(source.domain)
            if shown or source.name in training.held_out:
                domain = source.domain if shown else CRAWL
                sources.append({"name": source.name, "path": str(Path(source.path).absolute()), "lang": lang, "domain": domain})
    models = {lang: [str((OUT / f"{lang}_{FOLD}").absolute())] for lang in LANGUAGES}
    quality = {"models": models, "top_share": dict.fromkeys(LANGUAGES, 0.5)}
    of_crawl = [source["name"] for source in sources if source["domain"] == CRAWL]
    base = {
        "name": "crawl",
        "output": "-",
        "sources": sources,
        "stages": [{"normalize": {}}, {"quality": quality}, {"exact_dedup": {}}, {"document_dedup": {}}],
    }
    comparison = {
        "name": "score-buckets",
        "variants": [
            {"name": "raw", "stages": [], "sources": of_crawl},
            {"name": "better_half", "like": "raw", "add": ["quality"], "sources": of_crawl},
        ],
        "score_buckets": {"signal": "quality", "of": "raw", "buckets": 4},
        "held_out": {"share": 0.2, "domains": [CRAWL, *sorted(good)], "curated": sorted(good),
                     "min_bytes": 8_000, "max_bytes": 16_000, "max_document_bytes": 2_000},
    }  # fmt: skip
    return base, comparison


def main() -> None:
    """Prepare, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("ladder", "scores"))
    parser.add_argument("data", type=Path, nargs="?", default=DATA)
    parser.add_argument("--output", type=Path, help="out/variants_ladder or out/variants_scores if not given")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    arguments = parser.parse_args()
    folder = arguments.output or Path(f"out/variants_{arguments.what}")
    folder.mkdir(parents=True, exist_ok=True)
    base, comparison = {"ladder": ladder, "scores": scores}[arguments.what](arguments.data)
    (folder / "base.yaml").write_text(yaml.safe_dump(base, allow_unicode=True))
    comparison |= {"base": str(folder / "base.yaml"), "output": str(folder)}
    (folder / "variants.yaml").write_text(yaml.safe_dump(comparison, sort_keys=False))
    print_verdict(compare_variants(load_variants(folder / "variants.yaml", tuple(arguments.overrides)), quiet=True))


if __name__ == "__main__":
    sys.exit(main())

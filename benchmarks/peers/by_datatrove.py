"""datatrove's heuristic filters, MinHash signatures, document dedup and sentence dedup, measured in datatrove's own environment."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
    SentDedupConfig,
    SentenceDedupFilter,
    SentenceDedupSignature,
    SentenceFindDedups,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.filters.base_filter import get_filter_result
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.logging import logger
from datatrove.utils.text import split_into_parts
from datatrove.utils.word_tokenizers import WordTokenizer
from peers.timing import Case, Found, main, spread, whole, write_kept

LANGUAGES = {"en": "eng", "zh": "cmn"}
"""datatrove's codes: spaCy's English tokenizer, and for Chinese spaCy with jieba."""

# its executor copies the steps, which fails once jieba is loaded ("cannot pickle 'module' object"): tokenizers are shared instead
WordTokenizer.__deepcopy__ = lambda self, memo: self  # type: ignore[attr-defined]


def heuristics(case: Case) -> dict[str, Any]:
    """Gopher repetition, Gopher quality, C4 and FineWeb in FineWeb's order, with their defaults; a dropped document goes no further."""

    def prepare(documents: list[str]) -> Callable[[], Found]:
        language = LANGUAGES[case["language"]]
        chain = [f(language=language) for f in (GopherRepetitionFilter, GopherQualityFilter, C4QualityFilter, FineWebQualityFilter)]

        def judge() -> Found:
            kept = 0
            for text in documents:
                split_into_parts.cache_clear()  # the cache serves the four filters, not the next repeat
                document = Document(text=text, id="")
                kept += all(get_filter_result(one.filter(document))[0] for one in chain)
            return {"kept": kept}

        return judge

    return spread(case, prepare)


def signatures(case: Case) -> dict[str, Any]:
    """Text to signatures of as many lanes as ours, by datatrove's own normal form and words."""

    def prepare(documents: list[str]) -> Callable[[], Found]:
        signing = MinhashDedupSignature(output_folder=case["folder"], config=minhash(case), language=LANGUAGES[case["language"]])

        def sign() -> Found:
            signed = 0
            for text in documents:
                shingles = signing.get_shingles(text)
                if shingles.size:
                    signing.get_signature(shingles)
                    signed += 1
            return {"signed": signed}

        return sign

    return spread(case, prepare)


def minhash(case: Case) -> MinhashConfig:
    """Its defaults, or the case's shingle, bands and rows."""
    given = {"n_grams": case["shingle"], "num_buckets": case["bands"], "hashes_per_bucket": case["rows"]} if "bands" in case else {}
    return MinhashConfig(**given, hash_config=HashConfig(precision=64))


def execute(case: Case, folder: Path, name: str, steps: list[Any], tasks: int) -> None:
    """One step of a pipeline with as many workers as cores."""
    workers = len(case["cores"])
    LocalPipelineExecutor(steps, tasks=tasks, workers=workers, logging_dir=str(folder / "logs" / name)).run()


def dedup(case: Case) -> dict[str, Any]:
    """The four steps of MinHash dedup, one task a file for signing and filtering, one task a bucket."""
    config, language, parts = minhash(case), LANGUAGES[case["language"]], len(list(Path(case["documents"]).iterdir()))

    def run(folder: Path) -> None:
        signed, buckets, removed = (str(folder / name) for name in ("signed", "buckets", "removed"))
        reader = JsonlReader(case["documents"])
        execute(case, folder, "sign", [reader, MinhashDedupSignature(signed, config=config, language=language)], parts)
        execute(case, folder, "buckets", [MinhashDedupBuckets(signed, buckets, config=config)], config.num_buckets)
        execute(case, folder, "cluster", [MinhashDedupCluster(buckets, removed, config=config)], 1)
        execute(case, folder, "filter", [reader, MinhashDedupFilter(removed), writer(folder)], parts)

    return whole(case, run, lambda folder: write_kept(case, rows(folder)))


def sentences(case: Case) -> dict[str, Any]:
    """The three steps of sentence dedup with its defaults: spans of three sentences that stand elsewhere."""
    config, language, parts = SentDedupConfig(), LANGUAGES[case["language"]], len(list(Path(case["documents"]).iterdir()))

    def run(folder: Path) -> None:
        signed, found = str(folder / "signed"), str(folder / "found")
        reader = JsonlReader(case["documents"])
        workers = len(case["cores"])
        signing = SentenceDedupSignature(signed, finder_workers=workers, config=config, language=language)
        execute(case, folder, "sign", [reader, signing], parts)
        execute(case, folder, "find", [SentenceFindDedups(signed, found, config=config)], workers)
        execute(case, folder, "filter", [reader, SentenceDedupFilter(found, config=config, language=language), writer(folder)], parts)

    return whole(case, run, lambda folder: write_kept(case, rows(folder)))


def writer(folder: Path) -> JsonlWriter:
    """What is kept, uncompressed."""
    return JsonlWriter(str(folder / "kept"), compression=None)


def rows(folder: Path) -> list[tuple[str, str]]:
    """Ids and texts that were kept."""
    lines = (line for path in sorted((folder / "kept").rglob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines())
    return [(row["id"], row["text"]) for row in map(json.loads, lines)]


if __name__ == "__main__":
    logger.remove()
    main({"heuristics": heuristics, "signatures": signatures, "dedup": dedup, "sentences": sentences}, "datatrove")

"""Measure tokenizers on the same texts; the report as one JSON value, which the tables and the page only show."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from pipeline import storage
from pipeline.compression import published
from pipeline.compression.config import Candidate, CompareConfig
from pipeline.compression.documents import held_out, measured, spam_phrases
from pipeline.compression.figures import group_rows
from pipeline.compression.output import prepare_output, write_report
from pipeline.compression.page import comparison_page
from pipeline.texts import texts
from pipeline.tokenizer import TRAINING_NAME, Phases, train_tokenizer
from tokenizer.codec import MODEL_NAME, Tokenizer
from tokenizer.compression.bootstrap import LEVEL
from tokenizer.compression.cost import embedding_parameters
from tokenizer.compression.measure import BYTES, Table
from tokenizer.compression.pieces import describe
from tokenizer.foreign import Measured, Pieces, SentencePiece, open_tokenizer
from tokenizer.heldout import Overlap
from tokenizer.recipe import TrainConfig

REPORT_NAME, PAGE_NAME = "compression.json", "compression.html"
LEAST_TIMED_MEGABYTES = 1
"""On less text the clock measures calls, and no speed is shown."""


def compare(config: CompareConfig, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Compare as configured and write `config.output`; what the JSON file holds. Raises `CorpusError`."""
    prepare_output(config.output, {REPORT_NAME, PAGE_NAME, "tokenizers"}, overwrite)
    read, say = texts(config.texts), Phases(quiet)
    tokenizers: dict[str, Measured] = {}
    overlaps: dict[str, Overlap] = {}
    for found in config.tokenizers:
        if found.path is None:
            facts = train_tokenizer(_training(config, found), overwrite=True, quiet=quiet)
            model = storage.read_bytes(storage.join(_folder(config, found), MODEL_NAME))
            tokenizers[found.name], sketch = SentencePiece(Tokenizer(model, found.name)), facts["learnt"]
        else:
            tokenizers[found.name], sketch = open_tokenizer(found.path, found.split), _learnt(Path(found.path))
        if sketch is not None:
            overlaps[found.name] = Overlap(sketch)
    documents = _checked(held_out(read(), config.held_out, config.held_out_seed), overlaps.values())
    table = measured(documents, tokenizers, say)
    report = _report(config, table, tokenizers, overlaps)
    write_report(config.output, report, comparison_page(report), REPORT_NAME)
    return report


def _checked(batches: Iterable[pa.RecordBatch], overlaps: Collection[Overlap]) -> Iterator[pa.RecordBatch]:
    """The same texts, once they were looked for among what each tokenizer has learnt from."""
    for batch in batches:
        for overlap in overlaps:
            overlap.add(batch["text"])
        yield batch


def _learnt(path: Path) -> dict[str, Any] | None:
    """What a tokenizer's `training.json` says of the texts that it learnt from, if there is one."""
    try:
        facts = orjson.loads(((path if path.is_dir() else path.parent) / TRAINING_NAME).read_bytes())
    except (OSError, ValueError):
        return None
    found: dict[str, Any] | None = facts.get("learnt") if isinstance(facts, dict) else None
    return found


def _folder(config: CompareConfig, found: Candidate) -> str:
    return storage.join(config.output, "tokenizers", found.name)


def _training(config: CompareConfig, found: Candidate) -> TrainConfig:
    return TrainConfig(
        input=config.texts,
        output=_folder(config, found),
        preset=found.preset or "",
        vocab_size=found.vocab_size,
        held_out=config.held_out,
        held_out_seed=config.held_out_seed,
        seed=config.seed,
    )


def _report(config: CompareConfig, table: Table, tokenizers: Mapping[str, Measured], overlaps: Mapping[str, Overlap]) -> dict[str, Any]:
    rows = group_rows(table, config.replicates, config.seed, config.context)
    names = {found.name: found.published for found in config.tokenizers if found.published}
    paths = {found.name: found.path or _folder(config, found) for found in config.tokenizers}
    return {
        "texts": {
            "inputs": list(config.texts),
            "held_out": config.held_out,
            "held_out_seed": config.held_out_seed,
            "documents_read": table.documents_read,
            "documents": len(table.langs),
        },
        "settings": {
            "hidden_size": config.hidden_size,
            "context": config.context,
            "replicates": config.replicates,
            "seed": config.seed,
            "level": LEVEL,
        },
        "tokenizers": {
            name: _whole(config, table, name, found.pieces)
            | {
                "path": paths[name],
                "format": found.format,
                "published": _published(names.get(name)),
                "learnt": {"checked": overlaps[name].checked, "learnt": overlaps[name].learnt} if name in overlaps else None,
            }
            for name, found in tokenizers.items()
        },
        "groups": rows,
        "order": [
            {"lang": row["lang"], "domain": row["domain"]} | found
            for row in rows
            for found in published.order(_rates(row), names)
            if row["lang"] == "zh"
        ],
        "published": {name: rate._asdict() for name, rate in published.RATES.items()},
        "pieces": {name: describe(found.pieces, table.uses[name].pieces, spam_phrases()) for name, found in tokenizers.items()},
        "warnings": _warnings(table, overlaps),
    }


def _whole(config: CompareConfig, table: Table, name: str, pieces: Pieces) -> dict[str, Any]:
    """What a tokenizer has one figure of."""
    use, ids = table.uses[name], len(pieces.kinds)
    megabytes = int(table.texts[:, BYTES].sum()) / 1e6
    return {
        "ids": ids,
        "used_ids": int((use.pieces > 0).sum()),
        "embedding_parameters": embedding_parameters(ids, config.hidden_size),
        "seconds": use.seconds,
        "megabytes_per_second": megabytes / use.seconds if megabytes >= LEAST_TIMED_MEGABYTES else None,
        "refused": use.refused,
        "named": use.named,
    }


def _published(name: str | None) -> dict[str, Any] | None:
    return {"name": name} | published.RATES[name]._asdict() if name else None


def _rates(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: found["tokens_per_char"] for name, found in row["tokenizers"].items() if found["tokens_per_char"]}


def _warnings(table: Table, overlaps: Mapping[str, Overlap]) -> list[str]:
    found = []
    for name, overlap in overlaps.items():
        if overlap.learnt:
            found.append(
                f"{name} has learnt from texts that it is measured on, or from copies of them: {overlap.learnt:,} of {overlap.checked:,} "
                "that could be checked. Its figures are better than on unseen texts: hold texts out, or remove copies with `corpus run`"
            )
    missing = table.documents_read - len(table.langs)
    if missing:
        found.append(f"{missing:,} documents are in no figure, since one of the tokenizers refuses them; they are named under `named`")
    return found

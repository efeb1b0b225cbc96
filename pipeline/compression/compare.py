"""Measure tokenizers on the same texts; the report as one JSON value, which the tables and the page only show."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError, RunError
from pipeline import storage
from pipeline.compression import published
from pipeline.compression.config import Candidate, CompareConfig
from pipeline.compression.page import comparison_page
from pipeline.texts import texts
from pipeline.tokenizer import TRAINING_NAME, Phases, train_tokenizer
from stages.batch import Batch
from stages.language import identify
from stages.safety.stage import read_list
from tokenizer.compression.bootstrap import LEVEL, interval, resampled_sums
from tokenizer.compression.cost import embedding_parameters
from tokenizer.compression.measure import BYTES, CHARACTERS, TOKENS, WORDS, Measurement, Rows, Table, figures, groups
from tokenizer.compression.pieces import describe
from tokenizer.foreign import Measured, Pieces, open_tokenizer
from tokenizer.heldout import Overlap, part
from tokenizer.recipe import TrainConfig

REPORT_NAME, PAGE_NAME = "compression.json", "compression.html"
LEAST_TIMED_MEGABYTES = 1
"""On less text the clock measures calls, and no speed is shown."""
SPAM_LISTS = ("safety/porn.txt", "safety/gambling.txt", "safety/fraud.txt")


def compare(config: CompareConfig, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Compare as configured and write `config.output`; what the JSON file holds. Raises `CorpusError`."""
    check_output(config.output, {REPORT_NAME, PAGE_NAME, "tokenizers"}, overwrite)
    read, say = texts(config.texts), Phases(quiet)
    paths = {found.name: found.path or _trained(config, found, quiet) for found in config.tokenizers}
    tokenizers = {found.name: open_tokenizer(paths[found.name], found.split) for found in config.tokenizers}
    overlaps = {name: Overlap(sketch) for name, path in paths.items() if (sketch := learnt_sketch(path))}
    measurement = Measurement(tokenizers)
    done = 0
    for batch in held_out(read(), config.held_out, config.held_out_seed):
        for overlap in overlaps.values():
            overlap.add(batch["text"])
        measurement.add(batch)
        done += int(pc.sum(pc.binary_length(batch["text"])).as_py() or 0)
        say("measure", done, 0)
    table = measurement.table()
    if not table.langs:
        raise InputError(f"{', '.join(config.texts)}: no document to measure; check `texts`, and `held_out` ({config.held_out})")
    report = _report(config, table, tokenizers, paths, overlaps)
    write_report(config.output, report, comparison_page(report))
    return report


def check_output(folder: str, own: set[str], overwrite: bool) -> None:
    """Raises `RunError` for a folder that holds something, unless it is all `own`, as we write it, and may be overwritten."""
    names = storage.list_names(folder)
    if names and not (overwrite and names <= own):
        raise RunError(f"{folder}: is not empty; choose another output" + (", or give --overwrite" if not overwrite else ""))


def held_out(batches: Iterable[pa.RecordBatch], share: float, seed: int) -> Iterator[pa.RecordBatch]:
    """The texts that are measured: id, text, domain, and lang, decided by their characters where none was given."""
    for batch in part(batches, share, seed, held_out=True):
        if batch.num_rows == 0:
            continue
        columns = {name: batch[name] for name in ("id", "text", "domain") if name in batch.schema.names}
        given = batch["lang"] if "lang" in batch.schema.names else pa.nulls(batch.num_rows, pa.string())
        if given.null_count:
            found = Batch(batch.select(["text"]))
            given = pc.coalesce(given.cast(pa.string()), identify(found.profile, found.text.lengths(), found.code.code))
        yield pa.RecordBatch.from_pydict(columns | {"lang": given})


def learnt_sketch(path: str) -> dict[str, Any] | None:
    """What a tokenizer's `training.json` says of the texts that it learnt from, if there is one."""
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    try:
        facts = orjson.loads((folder / TRAINING_NAME).read_bytes())
    except (OSError, ValueError):
        return None
    found: dict[str, Any] | None = facts.get("learnt") if isinstance(facts, dict) else None
    return found


def group_figures(table: Table, rows: Rows, replicates: int, seed: int, context: int) -> dict[str, dict[str, Any]]:
    """Figures of each tokenizer over a group, with intervals, beside the first tokenizer."""
    names = list(table.uses)
    found = {name: figures(table, name, rows) for name in names}
    columns = [table.texts[rows, CHARACTERS], *(table.uses[name].counts[rows, TOKENS] for name in names)]
    sums = resampled_sums(np.column_stack(columns), replicates, seed)
    first = found[names[0]]["tokens"]
    for place, name in enumerate(names, 1):
        rate = found[name]["tokens_per_char"]
        found[name] |= {
            "interval": interval(sums[:, place], sums[:, 0]),
            "of_first": found[name]["tokens"] / first if first else None,
            "of_first_interval": interval(sums[:, place], sums[:, 1]) if place > 1 else None,
            "context_chars": round(context / rate) if rate else None,
        }
    return found


def group_rows(table: Table, replicates: int, seed: int, context: int) -> list[dict[str, Any]]:
    """All groups with their sizes and the figures of each tokenizer."""
    found = []
    for lang, domain, rows in groups(table):
        texts = table.texts[rows]
        words = texts[:, WORDS]
        sizes = {"documents": len(texts), "characters": int(texts[:, CHARACTERS].sum()), "bytes": int(texts[:, BYTES].sum())}
        sizes["words"] = int(words[words >= 0].sum())
        figures_of = group_figures(table, rows, replicates, seed, context)
        found.append({"lang": lang, "domain": domain} | sizes | {"tokenizers": figures_of})
    return found


def write_report(folder: str, report: Mapping[str, Any], page: str, name: str = REPORT_NAME) -> None:
    """Write the JSON file and the page."""
    storage.make_folder(folder)
    storage.write_bytes(storage.join(folder, name), orjson.dumps(report, option=orjson.OPT_INDENT_2))
    storage.write_bytes(storage.join(folder, name.replace(".json", ".html")), page.encode())


def spam_phrases() -> tuple[str, ...]:
    """What advertising says, of the lists of the stage `safety`, as far as it is short enough to be a piece."""
    return tuple(phrase for phrase, weight in read_list(SPAM_LISTS).items() if weight > 0)


def _trained(config: CompareConfig, found: Candidate, quiet: bool) -> str:
    folder = storage.join(config.output, "tokenizers", found.name)
    training = TrainConfig(
        input=config.texts,
        output=folder,
        preset=found.preset or "",
        vocab_size=found.vocab_size,
        held_out=config.held_out,
        held_out_seed=config.held_out_seed,
        seed=config.seed,
    )
    train_tokenizer(training, overwrite=True, quiet=quiet)
    return folder


def _report(
    config: CompareConfig, table: Table, tokenizers: Mapping[str, Measured], paths: Mapping[str, str], overlaps: Mapping[str, Overlap]
) -> dict[str, Any]:
    rows = group_rows(table, config.replicates, config.seed, config.context)
    names = {found.name: found.published for found in config.tokenizers if found.published}
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

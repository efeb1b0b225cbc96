"""Compression of tokenizers in the report: what `corpus tokenizer compare` measured, by language and domain."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from configs.errors import InputError
from pipeline import storage

REPORT_NAME = "compression.json"
"""As `pipeline.compression.compare` names it, which would load every encoder there is."""
MOST_GROUPS = 40
"""Languages and domains that are shown, in the order of the comparison."""
MOST_TOKENIZERS = 12
METRICS = ("tokens_per_char", "bytes_per_token", "of_first")
_INTERVALS = {"tokens_per_char": "interval", "of_first": "of_first_interval"}


def read_tokenizers(folder: str) -> dict[str, Any]:
    """`names`, `facts` of each, `groups` with their figures, `charts` by metric. Raises `InputError` for a folder without a comparison."""
    uri = storage.join(folder, REPORT_NAME)
    if not storage.exists(uri):
        raise InputError(
            f"--tokenizer {folder}: no comparison of tokenizers, {REPORT_NAME} is missing; `corpus tokenizer compare` writes one"
        )
    report = orjson.loads(storage.read_bytes(uri))
    names = list(report["tokenizers"])[:MOST_TOKENIZERS]
    groups = report["groups"][:MOST_GROUPS]
    return {
        "names": names,
        "texts": report["texts"],
        "facts": {name: report["tokenizers"][name] for name in names},
        "everything": groups[0]["tokenizers"],
        "groups": groups,
        "warnings": report["warnings"],
        "charts": {metric: _chart(metric, groups, names) for metric in METRICS},
    }


def _chart(metric: str, groups: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """`groups`: what each row is, `[lang, domain]`; `values` by tokenizer: `[value, low, high]` by group, None where there is none."""
    values = {}
    for name in names:
        found = [group["tokenizers"][name] for group in groups]
        intervals = [one.get(_INTERVALS.get(metric, "")) or [None, None] for one in found]
        values[name] = [[one.get(metric), *interval] for one, interval in zip(found, intervals, strict=True)]
    return {"groups": [[group["lang"], group["domain"]] for group in groups], "values": values}

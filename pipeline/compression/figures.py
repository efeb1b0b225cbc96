"""Figures by language and domain, with intervals, as the JSON files hold them."""

from typing import Any

import numpy as np

from tokenizer.compression.bootstrap import interval, resampled_sums
from tokenizer.compression.measure import BYTES, CHARACTERS, TOKENS, WORDS, Rows, Table, figures, groups


def group_rows(table: Table, replicates: int, seed: int, context: int) -> list[dict[str, Any]]:
    """All groups with their sizes and the figures of each tokenizer."""
    found = []
    for lang, domain, rows in groups(table):
        texts = table.texts[rows]
        words = texts[:, WORDS]
        sizes = {"documents": len(texts), "characters": int(texts[:, CHARACTERS].sum()), "bytes": int(texts[:, BYTES].sum())}
        sizes["words"] = int(words[words >= 0].sum())
        figures_of = _group_figures(table, rows, replicates, seed, context)
        found.append({"lang": lang, "domain": domain} | sizes | {"tokenizers": figures_of})
    return found


def _group_figures(table: Table, rows: Rows, replicates: int, seed: int, context: int) -> dict[str, dict[str, Any]]:
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

"""The rates that Baichuan published, lower is better. Their definition and their texts were not.

Sources: README of Baichuan-7B (first table) and the Baichuan 2 report, arXiv 2309.10305, table 2 (second). The two tables give Baichuan 1
different rates, so they were made on different texts; only rates of one table can be compared.
"""

from typing import Any, NamedTuple


class Rate(NamedTuple):
    """A published rate."""

    table: str
    rate: float
    ids: int


FIRST, SECOND = "Baichuan-7B", "Baichuan 2"

RATES = {
    "Baichuan-7B": Rate(FIRST, 0.737, 64_000),
    "LLaMA": Rate(FIRST, 1.312, 32_000),
    "Falcon": Rate(FIRST, 1.049, 65_024),
    "mpt-7B": Rate(FIRST, 1.206, 50_254),
    "ChatGLM": Rate(FIRST, 0.631, 130_344),
    "moss-003": Rate(FIRST, 0.659, 106_029),
    "LLaMA 2": Rate(SECOND, 1.037, 32_000),
    "Bloom": Rate(SECOND, 0.501, 250_680),
    "ChatGLM 2": Rate(SECOND, 0.527, 64_794),
    "Baichuan 1": Rate(SECOND, 0.570, 64_000),
    "Baichuan 2": Rate(SECOND, 0.498, 125_696),
}


def order(measured: dict[str, float], published: dict[str, str]) -> list[dict[str, Any]]:
    """For each published table with at least two of the tokenizers: their order there, by what was measured, and whether it is the same.

    `measured` is tokens per character by tokenizer, `published` the published name by tokenizer.
    """
    found = []
    for table in (FIRST, SECOND):
        names = [name for name, known in published.items() if RATES[known].table == table and name in measured]
        if len(names) > 1:
            theirs = sorted(names, key=lambda name: RATES[published[name]].rate)
            ours = sorted(names, key=lambda name: measured[name])
            found.append({"table": table, "published": theirs, "measured": ours, "reproduced": theirs == ours})
    return found

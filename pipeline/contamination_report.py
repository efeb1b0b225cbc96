"""What evaluation sets a corpus held, by benchmark and source, with the texts that matched: in `summary.json`, and at the end of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.plan import Plan
from stages.decontaminate.stage import Decontaminate

SHOWN_CHARS = 80

_COUNTS, _TEXTS = ("documents", "quoting"), ("examples", "quotations")


def decontamination(
    plan: Plan, counts: Sequence[Mapping[str, Any]], statistics: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """`{"decontamination": {benchmark: {"questions", "searched", "by_source", "common"}}}`; nothing for a run without the stage.

    `by_source`: of each source that holds any, `documents`, `quoting`, `questions`, `examples` and `quotations`; see
    `pipeline.contamination`. `common`: the common quotations, by how many texts hold them.
    """
    stage = plan.stage(Decontaminate)
    if not isinstance(stage, Decontaminate):
        return {}
    searched = stage.searched()
    found: dict[str, dict[str, Any]] = {
        name: {"questions": total, "searched": num, "by_source": {}, "common": {}} for name, (total, num) in searched.items()
    }
    for count in counts:
        for name, held in count["contamination"].items():
            row = found[name]["by_source"].setdefault(
                count["source"], {key: [] if key in _TEXTS else 0 for key in (*_COUNTS, "questions", *_TEXTS)}
            )
            for key in (*_COUNTS, *_TEXTS):
                row[key] += held[key]
    for unit in statistics.get("common questions", ()):
        for name, texts in unit.get("common", {}).items():
            found[name.partition("/")[0]]["common"][name] = texts
        for name, sources in unit.get("questions", {}).items():
            for source, number in sources.items():
                found[name]["by_source"][source]["questions"] += number
    for benchmark in found.values():
        benchmark["common"] = dict(sorted(benchmark["common"].items(), key=lambda item: (-item[1], item[0])))
        benchmark["by_source"] = dict(sorted(benchmark["by_source"].items()))
        for row in benchmark["by_source"].values():
            for key in _TEXTS:
                row[key] = sorted(row[key], key=lambda example: (-example["share"], example["id"]))[: stage.examples]
    return {"decontamination": found}


def print_decontamination(summary: Mapping[str, Any], console: Console) -> None:
    """A table of benchmarks and sources, an example under each; nothing for a run without the stage."""
    if "decontamination" not in summary:
        return
    table = Table(title="questions of evaluation sets in the corpus", title_justify="left")
    for name in ("benchmark", "source", "documents", "only quoting", "questions", "an example"):
        table.add_column(name, justify="right" if name in ("documents", "only quoting", "questions") else "left")
    for name, found in summary["decontamination"].items():
        of = f"{name} ({found['searched']:,} of {found['questions']:,} looked for)"
        if not found["by_source"]:
            table.add_row(Text(of), "none", "0", "0", "0", "")
        for source, row in found["by_source"].items():
            example = next(iter(row["examples"] + row["quotations"]), None)
            shown = f"{example['question']}: {example['text'][:SHOWN_CHARS]}" if example else ""
            numbers = (f"{row[key]:,}" for key in ("documents", "quoting", "questions"))
            table.add_row(Text(of), Text(source), *numbers, Text(shown))
            of = ""
    console.print(table)
    for name, found in summary["decontamination"].items():
        if common := found["common"]:
            most = next(iter(common))
            shown = f"most common {most}, in {common[most]:,} texts"
            console.print(Text(f"{name}: {len(common):,} questions or parts of them are common quotations and not acted on; {shown}"))

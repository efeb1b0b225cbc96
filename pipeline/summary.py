"""What a run did, in numbers: `summary.json`, and the tables that the command prints.

Sizes are `[documents, characters, bytes]` of normalised text. The waterfall is the share of the raw data that is left after each stage,
in the order of the configuration, as in Baichuan 2's figure: a document leaves at the first stage that speaks against it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from configs.loader import find_file
from pipeline.alarms import alarms, largest_clusters
from pipeline.contamination_report import decontamination, print_decontamination
from pipeline.manifest import file_identity
from pipeline.mixture.report import print_mixture
from pipeline.output import MOST_LANGUAGES, OTHER_CODES
from pipeline.plan import Plan
from stages.heuristics import Heuristics
from stages.select import Select
from stages.stage import Stage

MOST_UNMATCHED = 10
"""Entries of a takedown or block list that the summary names where they matched nothing."""

LIBRARIES = ("baichuan-corpus", "ray", "pyarrow", "numpy", "numba", "datasketch", "fasttext")

Sizes = list[int]
"""[documents, characters, bytes]"""


def summarise(
    plan: Plan,
    counts: Sequence[Mapping[str, Any]],
    statistics: Mapping[str, Sequence[Mapping[str, Any]]],
    phase_seconds: Mapping[str, float],
    driver_memory_bytes: int,
    found: Mapping[str, Any],
) -> dict[str, Any]:
    """Add up what the units reported. `counts` are those of the write phase, by shard, see `pipeline.output`; `found` those of `Found`."""
    total = _tally()
    by_source: dict[str, dict[str, Any]] = defaultdict(_tally)
    by_domain: dict[str, dict[str, Any]] = defaultdict(_tally)
    by_language: dict[str, dict[str, Any]] = defaultdict(_tally)
    domains = {source.name: source.domain or source.name for source in plan.config.sources}
    for count in counts:
        source = count["source"]
        for lang, sizes in count["by_language"].items():
            for tally in (total, by_source[source], by_domain[domains[source]], by_language[lang]):
                _add(tally, sizes)
    documents = {"input": total["input"][0], "kept": total["kept"][0], "rejected": total["input"][0] - total["kept"][0]}
    checked = [sum(c[fate] for c in statistics.get("check", ())) for fate in ("kept", "rejected")]
    assert checked == [documents["kept"], documents["rejected"]], "the files hold other numbers of documents than were counted"
    return {
        "name": plan.config.name,
        "output": plan.config.output,
        "documents": documents,
        "characters": {"input": total["input"][1], "kept": total["kept"][1]},
        "bytes": {
            "input": total["input"][2],
            "kept": total["kept"][2],
            "raw": sum(s["bytes"] for s in statistics.get("annotate", ())),
        },
        "waterfall": _waterfall(total),
        "reasons": _sorted(total["reasons"]),
        "by_source": {name: _face(tally) for name, tally in sorted(by_source.items())},
        "by_domain": {name: _face(tally) for name, tally in sorted(by_domain.items())},
        "by_language": {name: _face(tally) for name, tally in sorted(_most(by_language).items())},
        "read": _read_counts(statistics.get("annotate", ())),
        "stages": _stage_speeds(statistics.get("annotate", ())),
        "phases": {name: {"seconds": round(seconds, 3), "units": len(statistics.get(name, ()))} for name, seconds in phase_seconds.items()},
        "duplicates": dict(found) | {"largest_clusters": largest_clusters(statistics)},
        "alarms": alarms(plan, by_source, by_domain, largest_clusters(statistics), found.get("shared_ids")),
        "edits": _edits(counts),
        "versions": versions(),
        "rule_files": rule_files(plan.stages),
        "lists": _lists(plan, counts),
        **decontamination(plan, counts, statistics),
        "peak_memory_bytes": {
            "driver": driver_memory_bytes,
            "worker": max((s["peak_memory_bytes"] for units in statistics.values() for s in units), default=0),
        },
    }


def versions() -> dict[str, str]:
    """The program and the libraries that decide most, as they are installed; a checkout that is not installed has none of its own."""
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def rule_files(stages: Sequence[Stage]) -> dict[str, str]:
    """Hashes of the rule files as they are, by the name that the configuration gives them."""
    return {file: file_identity(find_file(file)) for stage in stages if isinstance(stage, Heuristics) for file in stage.rules}


def _tally() -> dict[str, Any]:
    return {
        "input": [0, 0, 0],
        "kept": [0, 0, 0],
        "duplicates": [0, 0, 0],
        "left": defaultdict(lambda: [0, 0, 0]),
        "reasons": defaultdict(lambda: [0, 0, 0]),
    }


def _add(tally: dict[str, Any], found: Mapping[str, Any]) -> None:
    for key in ("input", "kept", "duplicates"):
        tally[key] = [a + b for a, b in zip(tally[key], found[key], strict=True)]
    for key in ("left", "reasons"):
        for name, sizes in found[key].items():
            tally[key][name] = [a + b for a, b in zip(tally[key][name], sizes, strict=True)]


def _most(by_language: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The `MOST_LANGUAGES` with most documents; the rest, of which each shard has already summed its own, as `OTHER_CODES`."""
    names = sorted(by_language.keys() - {OTHER_CODES}, key=lambda name: (-by_language[name]["input"][0], name))
    most = {name: by_language[name] for name in names[:MOST_LANGUAGES]}
    rest = [by_language[name] for name in (*names[MOST_LANGUAGES:], OTHER_CODES) if name in by_language]
    if rest:
        most[OTHER_CODES] = _tally()
        for tally in rest:
            _add(most[OTHER_CODES], tally)
    return most


def _sorted(sizes: Mapping[str, Sizes]) -> dict[str, Sizes]:
    return dict(sorted(sizes.items(), key=lambda item: (-item[1][0], item[0])))


def _waterfall(tally: Mapping[str, Any]) -> list[dict[str, Any]]:
    documents, _, size = tally["input"]
    return [
        {
            "stage": stage,
            "documents": left[0],
            "document_share": left[0] / max(1, documents),
            "bytes": left[2],
            "byte_share": left[2] / max(1, size),
        }
        for stage, left in tally["left"].items()
    ]


def _face(tally: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "input": tally["input"],
        "kept": tally["kept"],
        "duplicates": tally["duplicates"],
        "left": dict(tally["left"]),
        "reasons": _sorted(tally["reasons"]),
    }


def _read_counts(annotated: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    rows = sum(sum(s["rows"]) for s in annotated)
    records = sum(sum(s["records"]) for s in annotated)
    return {"rows": rows, "records": records, "records_without_a_document": max(0, records - rows)}


def _stage_speeds(annotated: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Seconds of one core by local stage, and MB/s of raw input."""
    seconds: dict[str, float] = defaultdict(float)
    for statistics in annotated:
        for stage, spent in statistics["seconds"].items():
            seconds[stage] += spent
    size = sum(s["bytes"] for s in annotated)
    return {stage: {"seconds": round(s, 3), "mb_per_second": round(size / 1e6 / max(s, 1e-9), 1)} for stage, s in seconds.items()}


def _edits(counts: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """`[documents, characters]` of the cuts by rule, most characters first."""
    edits: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for count in counts:
        for rule, sizes in count.get("edits", {}).items():
            edits[rule] = [a + b for a, b in zip(edits[rule], sizes, strict=True)]
    return dict(sorted(edits.items(), key=lambda item: (-item[1][1], item[0])))


def _lists(plan: Plan, counts: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each takedown and block list: its file, how many entries it has, and those that matched no document."""
    select = plan.stage(Select)
    assert isinstance(select, Select)
    matched: dict[str, set[int]] = defaultdict(set)
    for count in counts:
        for name, places in count["matched"].items():
            matched[name].update(places)
    found = {}
    for name, listed in select.listed.items():
        if file := getattr(select, name):
            unmatched = [entry for place, entry in enumerate(listed) if place not in matched[name]]
            found[name] = {"file": file, "entries": len(listed), "unmatched": len(unmatched), "examples": unmatched[:MOST_UNMATCHED]}
    return found


def print_summary(summary: Mapping[str, Any], console: Console | None = None) -> None:
    """The tables that end a run: by source and language, by reason, and the waterfall."""
    console = console or Console()
    if not console.is_terminal:
        console.width = 120
    documents, sizes = summary["documents"], summary["bytes"]
    for title, key in (("source", "by_source"), ("language", "by_language")):
        table = Table(title=f"by {title}", title_justify="left")
        table.add_column(title)
        for name in ("documents", "kept", "kept %", "characters kept %"):
            table.add_column(name, justify="right")
        for name, face in summary[key].items():
            shares = [100 * k / max(1, i) for k, i in zip(face["kept"], face["input"], strict=True)]
            table.add_row(Text(name), f"{face['input'][0]:,}", f"{face['kept'][0]:,}", f"{shares[0]:.1f}", f"{shares[1]:.1f}")
        console.print(table)
    table = Table(title="why documents were rejected (a document may have several reasons)", title_justify="left")
    table.add_column("reason")
    for name in ("documents", "% of input", "characters"):
        table.add_column(name, justify="right")
    for reason, (count, characters, _) in summary["reasons"].items():
        table.add_row(Text(reason), f"{count:,}", f"{100 * count / max(1, documents['input']):.2f}", f"{characters:,}")
    console.print(table)
    if summary["edits"]:
        table = Table(title="what was cut from kept documents", title_justify="left")
        table.add_column("rule")
        for name in ("documents", "characters", "% of kept"):
            table.add_column(name, justify="right")
        for rule, (count, characters) in summary["edits"].items():
            share = 100 * characters / max(1, summary["characters"]["kept"])
            table.add_row(Text(rule), f"{count:,}", f"{characters:,}", f"{share:.3f}")
        console.print(table)
    table = Table(title="waterfall: share of the raw data left after each stage", title_justify="left")
    for name in ("stage", "documents", "% of documents", "% of bytes", ""):
        table.add_column(name, justify="left" if name in ("stage", "") else "right", no_wrap=True)
    for row in summary["waterfall"]:
        bar = "█" * round(20 * row["byte_share"])
        percent = (f"{100 * row['document_share']:.2f}", f"{100 * row['byte_share']:.2f}")
        table.add_row(Text(row["stage"]), f"{row['documents']:,}", *percent, bar)
    console.print(table)
    print_decontamination(summary, console)
    print_mixture(summary, console)
    for name, found in summary["lists"].items():
        if found["unmatched"]:
            more = ", …" if found["unmatched"] > len(found["examples"]) else ""
            told = f"{found['unmatched']:,} of {found['entries']:,} entries matched no document"
            console.print(Text(f"{name} ({found['file']}): {told}: {', '.join(found['examples'])}{more}", style="yellow"))
    peak = summary["peak_memory_bytes"]
    console.print(
        f"input {documents['input']:,} = kept {documents['kept']:,} + rejected {documents['rejected']:,} documents, checked by id; "
        f"kept {sizes['kept'] / 1e6:,.1f} of {sizes['input'] / 1e6:,.1f} MB of text"
    )
    console.print(f"peak memory: driver {peak['driver'] / 1e6:,.0f} MB, worker {peak['worker'] / 1e6:,.0f} MB")

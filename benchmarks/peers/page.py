"""The page and its tables, from the report that `side_by_side.py` writes as JSON."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Row = dict[str, Any]

NOT_RUN = "not run"
COMPARISONS = {
    "heuristics": "Heuristic filters. Ours: text to reasons (normal form, profile, language, content hash, all scores, all rules, on every "
    "document). datatrove: Gopher repetition, Gopher quality, C4 and FineWeb with their defaults, in FineWeb's order; a dropped document "
    "goes no further. `result`: documents kept.",
    "signatures": "MinHash signatures of 128 lanes over shingles of 5 tokens. Ours and datatrove begin at the text; datasketch "
    "(`update_batch`, SHA-1) and rensa (`digest_matrix_from_token_sets`) are given our tokens, which they join to shingles.",
    "document dedup": "Fuzzy dedup of whole documents, from JSON lines to files of what is kept: whole programs with all that they do on "
    "the way (ours also checks each pair, writes a ledger with every document's fate, and reads its output again). Ours on two cores is "
    "Ray with two workers, its start counted. *Same settings* are ours: shingles of 5, 128 permutations, similarity .8 (datatrove: 16 "
    "bands of 8); words and characters are each program's own (data-juicer: `space` and `character`, as its manual wants it). At this size "
    "most of our time is fixed: files, ledger, checks ([more documents](dedup_evidence.md)).",
    "sentence dedup": "Sentence and passage dedup, from JSON lines to files. datatrove's defaults: exact spans of three sentences, "
    "documents left under 50 words or three sentences dropped.",
    "quality scores": "Scores of a fastText model, dim 32 and 262,144 buckets. Ours: from the text, documents and sentences. fastText: "
    "`predict` of a list, given its folded and spaced tokens ready, documents alone. `result`: the sum of all probabilities.",
    "encoding": "Text to ids with one vocabulary; tiktoken has another one, of another size. Each in its fastest batch from Python: ours "
    "returns Arrow arrays, theirs lists. `result`: how many ids.",
    "training": "A whole training step on the CPU beside transformers' Llama of the same shape, weights and batch, in turns in one "
    "process; two cores are two threads. Ratios are of steps that stand next to each other.",
}
_COLUMNS = (("en", 1), ("en", 2), ("zh", 1), ("zh", 2))
_NUMBER = {1: "one core", 2: "two cores"}
_PAIRS = (
    "`recall`: planted pairs that are so similar by both definitions, of which one text is removed. `precision`: removals that are so "
    "similar, by either definition, to a planted text that is kept (`benchmarks/peers/judge.py`)."
)
_BUSY = (
    " **Other programs kept the cores busy:** even CPU seconds rise when the neighbouring core works, so ratios may be off by more than "
    "the spread shown, and seconds by the clock (first calls, two cores) count for little."
)
_PASSAGES = (
    "Found: planted passages of which nine tenths are gone from one of two hosts, as they are or with 1 to 9 % of their characters "
    "changed. Beside it, what else is gone."
)


class Ratio(NamedTuple):
    """Their seconds by ours."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"**{number(self.median)}** ({number(self.least)}–{number(self.most)})"


def written(report: dict[str, Any]) -> str:
    """The whole page."""
    parts = [_head(report)]
    for comparison, what in COMPARISONS.items():
        rows = [row for row in report["cases"] if row["comparison"] == comparison]
        tables = [_training(rows)] if comparison == "training" else [_speeds(rows), _found(rows)]
        failures = sorted({f"- {_label(row)}, {_where(row)}: {row['failure']}" for row in rows if row.get("failure", NOT_RUN) != NOT_RUN})
        parts += [f"## {comparison.capitalize()}", what, *filter(None, [*tables, "\n".join(failures)])]
    return "\n\n".join([*parts, "## Where a peer is faster", _faster(report["cases"])]) + "\n"


def _head(report: dict[str, Any]) -> str:
    machine, facts = report["machine"], report["documents"]
    minutes = sum(row.get("seconds", 0) for row in report["cases"]) / 60
    loads = [row["load"] for row in report["cases"] if "load" in row] or [0]
    days = sorted({row["measured"][:10] for row in report["cases"] if "measured" in row}) or [report["date"]]
    sets = "; ".join(f"{name} {facts['documents'][name]:,} documents, {size:.1f} MB" for name, size in facts["megabytes"].items())
    return f"""# Beside our peers

Measured {" to ".join(dict.fromkeys((days[0], days[-1])))} by `make bench` (`python benchmarks/side_by_side.py`), which writes this page
and `benchmarks.json`. {machine["processor"]}, {machine["cores"]} cores, {machine["memory_gigabytes"]} GB, {machine["system"]}, \
Python {machine["python"]}; load average when a case began: {min(loads)} to {max(loads)}. \
All cases together took {number(minutes)} minutes.{_BUSY * (max(loads) > machine["cores"] + 0.5)}

Documents: {facts["source"]}; {sets}. Vocabulary: {facts["vocabulary"]}.

**How to read it.** Each case is a process of its own, pinned to its cores. The first call (loading, compiling) stands apart; then come
{report["repeats"]} repeats. Two cores are two processes or workers that share the documents. A peer's cell says **how many times as long
as ours** it takes, median to median, by CPU seconds on one core and by the clock on two; in brackets the least and the most that any two
repeats give; then its own speed in MB of text a second. Below 1 the peer is faster."""


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> Ratio:
    """Median to median, and the least and the most of any two repeats.

    >>> print(ratio([2.0, 3.0, 4.0], [1.0, 1.0, 2.0]))
    **3.00** (1.00–4.00)
    """
    return Ratio(statistics.median(theirs) / statistics.median(ours), min(theirs) / max(ours), max(theirs) / min(ours))


def ratio_of_turns(theirs: Sequence[float], ours: Sequence[float]) -> Ratio:
    """The same of measurements that took turns: each with its neighbour."""
    pairs = [a / b for a, b in zip(theirs, ours, strict=True)]
    return Ratio(statistics.median(pairs), min(pairs), max(pairs))


def number(value: float) -> str:
    """Three digits that say something.

    >>> [number(value) for value in (0.0123, 0.987, 4.561, 45.61, 456.1, 4561.0)]
    ['.0123', '.99', '4.56', '45.6', '456', '4,561']
    """
    if value < 0.1:
        return f"{value:.3g}".removeprefix("0")
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}".removeprefix("0")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def _label(row: Row) -> str:
    return ", ".join(filter(None, (row["who"], row["variant"])))


def _where(row: Row) -> str:
    return " ".join(filter(None, (row["language"], _NUMBER[row["cores"]])))


def _seconds(row: Row, key: str = "repeats") -> list[float]:
    """CPU seconds of one core, the clock of two."""
    return [one["cpu" if row["cores"] == 1 else "wall"] for one in row[key]]


def _speeds(rows: list[Row]) -> str:
    """A line for each program: ours in MB/s, peers beside it."""
    at = {(_label(row), row["language"], row["cores"]): row for row in rows}
    labels = list(dict.fromkeys(map(_label, rows)))
    lines = []
    for label in labels:
        cells = [_speed(at.get((label, *column)), at[(labels[0], *column)]) for column in _COLUMNS]
        versions = sorted({row["version"] for row in rows if _label(row) == label and "version" in row})
        one_core = [at[label, lang, 1] for lang in ("en", "zh")]
        first = " / ".join(number(row["first"]["wall"]) if "first" in row else "–" for row in one_core)
        who, _, variant = label.partition(", ")
        name = ", ".join(filter(None, (" ".join([who, *versions]), variant)))
        lines.append([name, *cells, first, _results(one_core)])
    return table(["", *(f"{lang}, {_NUMBER[cores]}" for lang, cores in _COLUMNS), "first call, s, en / zh", "result, en / zh"], lines)


def _results(rows: Sequence[Row]) -> str:
    """What came out, for a look whether programs did the same."""
    names = dict.fromkeys(name for row in rows for name in row.get("found", {}))
    shown = {name: [row["found"][name] if "found" in row else None for row in rows] for name in names}
    return ", ".join(f"{name} {' / '.join('–' if v is None else f'{v:,.4g}' if isinstance(v, float) else f'{v:,}' for v in values)}"
                     for name, values in shown.items())  # fmt: skip


def _speed(row: Row | None, ours: Row) -> str:
    if row is None:
        return "–"
    if "failure" in row:
        return NOT_RUN if row["failure"] == NOT_RUN else "failed, see below"
    seconds = _seconds(row)
    speed = f"{number(row['megabytes'] / statistics.median(seconds))} MB/s"
    if row is ours:
        started = row["cores"] > 1 and "start_seconds" in row
        return speed + started * f" ({number(row.get('start_seconds', 0))} of {number(statistics.median(seconds))} s are Ray's start)"
    return speed if "failure" in ours else f"{ratio(seconds, _seconds(ours))}, {speed}"


def _training(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        name = f"{row['variant']}, {_NUMBER[row['cores']]}"
        if "failure" in row:
            lines.append([name, NOT_RUN if row["failure"] == NOT_RUN else "failed, see below", "", "", ""])
            continue
        speeds = (f"{row['tokens'] / statistics.median(_seconds(row, key)):,.0f}" for key in ("ours", "llama"))
        lines.append([name, str(ratio_of_turns(_seconds(row, "llama"), _seconds(row, "ours"))), *speeds, row["version"]])
    return table(["model", "Llama's time : ours", "ours, tokens/s", "Llama, tokens/s", "transformers"], lines)


def _found(rows: list[Row]) -> str:
    """What was found and what was lost, on one core."""
    judged = [row for row in rows if row.get("judged") and row["cores"] == 1]
    if not judged:
        return ""
    names = list(judged[0]["judged"])
    lines = ([f"{_label(row)}, {row['language']}", *(_share(row["judged"][name]) for name in names)] for row in judged)
    return f"{_PAIRS if 'removed' in names else _PASSAGES}\n\n{table(['one core', *names], lines)}"


def _share(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}".removeprefix("0")


def _faster(rows: list[Row]) -> str:
    """Where a peer is faster, or may be."""
    ours = {(row["comparison"], row["language"], row["cores"]): row for row in reversed(rows) if row["who"] == "ours"}
    found = []
    for row in rows:
        own = ours[row["comparison"], row["language"], row["cores"]]
        if "failure" in row or "failure" in own:
            continue
        if row["comparison"] == "training":
            times, who = ratio_of_turns(_seconds(row, "llama"), _seconds(row, "ours")), f"transformers' Llama, {row['variant']}"
        else:
            times, who = ratio(_seconds(row), _seconds(own)), _label(row)
        if row is not own or row["comparison"] == "training":
            judged = "faster" if times.median < 1 else "not faster, but within the spread"
            found += [f"- {row['comparison']}, {who}, {_where(row)}: {times}, {judged}"] * (times.least < 1)
    return "\n".join(found) or "Nowhere in this run."

"""The tables of a report as texts, the same in the terminal and on the page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Report = Mapping[str, Any]
_EXAMPLES = 6


class Grid(NamedTuple):
    """A table: its first column names a row."""

    header: list[str]
    rows: list[list[str]]


def number(value: float | None, digits: int = 3) -> str:
    """A ratio; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def whole(value: int | None) -> str:
    """A count."""
    return "-" if value is None else f"{value:,}"


def share(value: float | None) -> str:
    """Of one, in per cent."""
    return "-" if value is None else f"{value:.2%}"


def with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    """`.552 (.549-.555)`."""
    return number(value) + (f" ({interval[0]:.3f}-{interval[1]:.3f})" if interval else "")


def group_name(row: Mapping[str, Any]) -> str:
    """A domain, a language, or all."""
    if row["domain"] is not None:
        return str(row["domain"]) or "no domain"
    return "all" if row["lang"] is None else f"all {row['lang'] or 'without language'}"


METRICS: dict[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "tokens per character": ("lower is better", lambda found: with_interval(found["tokens_per_char"], found["interval"])),
    "of the first": (
        "tokens of the first tokenizer on the same documents: 1",
        lambda found: with_interval(found["of_first"], found["of_first_interval"]),
    ),
    "bytes per token": ("higher is better; compares across languages", lambda found: number(found["bytes_per_token"])),
    "tokens per word": ("of languages with spaces between words", lambda found: number(found["tokens_per_word"])),
    "byte share": ("of tokens: a byte, or another part of a character", lambda found: share(found["byte_share"])),
    "unknown tokens": ("characters that a tokenizer cannot say", lambda found: whole(found["unknown_tokens"])),
    "round-trip failures": ("documents that do not come back as they were", lambda found: whole(found["round_trip_failures"])),
    "context": ("characters in as many tokens as the context holds", lambda found: whole(found["context_chars"])),
}
"""Name -> what it says, and how a tokenizer's figures of a group are shown."""


def summary(report: Report) -> Grid:
    """A column for each tokenizer."""
    everything = report["groups"][0]["tokenizers"]
    known = report["tokenizers"]
    rows = [["ids", *(whole(found["ids"]) for found in known.values())]]
    for row in report["groups"]:
        if row["domain"] is None and row["lang"] in ("zh", "en"):
            figures = [row["tokenizers"][name] for name in known]
            rows.append([f"tokens per character, {row['lang']}", *(number(found["tokens_per_char"]) for found in figures)])
            rows.append([f"context in characters, {row['lang']}", *(whole(found["context_chars"]) for found in figures)])
    metrics = ("bytes per token", "tokens per word", "byte share", "unknown tokens", "round-trip failures")
    rows += [[metric, *(METRICS[metric][1](everything[name]) for name in known)] for metric in metrics]
    rows.append(["texts refused", *(whole(found["refused"]) for found in known.values())])
    rows.append(["ids used", *(share(found["used_ids"] / found["ids"]) for found in known.values())])
    rows.append(["MB/s on a core", *(number(found["megabytes_per_second"], 1) for found in known.values())])
    rows.append(["embedding parameters", *(f"{found['embedding_parameters'] / 1e6:,.0f} M" for found in known.values())])
    return Grid(["", *known], rows)


def by_group(report: Report, metric: str, show: Callable[[Mapping[str, Any]], str] | None = None) -> Grid:
    """A metric of all tokenizers by language and domain; `show` instead of its own way."""
    show = show or METRICS[metric][1]
    names = list(report["tokenizers"])
    rows = [[group_name(row), whole(row["documents"]), *(show(row["tokenizers"][name]) for name in names)] for row in report["groups"]]
    return Grid(["group", "documents", *names], rows)


def published(report: Report) -> Grid:
    """The published rates, beside what was measured on all Chinese texts."""
    chinese = next((row for row in report["groups"] if row["lang"] == "zh" and row["domain"] is None), None)
    measured = {known["published"]["name"]: name for name, known in report["tokenizers"].items() if known["published"]}
    rows = []
    for name, rate in report["published"].items():
        here = measured.get(name)
        found = number(chinese["tokenizers"][here]["tokens_per_char"]) if here and chinese else "-"
        rows.append([name, rate["table"], whole(rate["ids"]), number(rate["rate"]), found])
    return Grid(["published as", "table", "ids", "published rate", "tokens/char, Chinese texts here"], rows)


def order(report: Report) -> Grid:
    """Whether the published order holds, by Chinese group."""
    rows = [
        [group_name(found), found["table"], "yes" if found["reproduced"] else "no", " < ".join(found["measured"])]
        for found in report["order"]
    ]
    return Grid(["group", "table", "order reproduced", "measured order"], rows)


def pieces(listed: Sequence[Mapping[str, Any]], visible: Callable[[str], str]) -> Grid:
    """Some pieces; `visible` shows their spaces."""
    rows = [
        [
            visible(piece["text"]),
            str(piece["id"]),
            str(piece["characters"]),
            piece["script"],
            whole(piece["uses"]),
            ", ".join(piece["signs"]),
        ]
        for piece in listed
    ]
    return Grid(["piece", "id", "characters", "script", "uses", "signs"], rows)


def piece_counts(found: Mapping[str, Any]) -> Grid:
    """Pieces by kind and script."""
    rows = [[kind, whole(count)] for kind, count in found["kinds"].items()]
    rows += [[f"text: {script}", whole(count)] for script, count in found["scripts"].items()]
    if found["never_used"] is not None:
        rows.append(["text: never used", whole(found["never_used"])])
    return Grid(["", "pieces"], rows)


def signs(found: Mapping[str, Any], visible: Callable[[str], str]) -> Grid:
    """Signs of a dirty corpus, with the longest pieces that show each."""
    rows = [
        [sign, whole(of_sign["pieces"]), "  ".join(visible(piece["text"]) for piece in of_sign["longest"][:_EXAMPLES])]
        for sign, of_sign in found["signs"].items()
        if of_sign["pieces"]
    ]
    return Grid(["sign", "pieces", "longest"], rows)


def lengths(found: Mapping[str, Any]) -> Grid:
    """Pieces by length."""
    return Grid(["characters", "pieces"], [[length, whole(count)] for length, count in found["lengths"].items()])


def main_groups(report: Report) -> list[Mapping[str, Any]]:
    """All texts, and the languages that have at least a tenth of the characters."""
    least = report["groups"][0]["characters"] / 10
    return [row for row in report["groups"] if row["domain"] is None and row["characters"] >= least]


def sizes(report: Report, intervals: bool) -> Grid:
    """Tokens per character by vocabulary size, for all texts and each main language."""
    groups = main_groups(report)
    rows = []
    for size in report["sizes"]:
        figures = [row["tokenizers"][str(size["ids"])] for row in groups]
        rates = [with_interval(found["tokens_per_char"], found["interval"] if intervals else None) for found in figures]
        rows.append([whole(size["ids"]), f"{size['coverage']:g}", "yes" if size["trained"] else "nested", *rates])
    return Grid(["ids", "coverage", "trained", *(group_name(row) for row in groups)], rows)


def costs(report: Report, row: Mapping[str, Any]) -> Grid:
    """FLOPs for a character of a group's texts by model and size; the cheapest size of a model is 1."""
    ids = [str(size["ids"]) for size in report["sizes"]]
    rows = []
    for name, cost in row["cost"].items():
        body = report["models"][name]["parameters_without_embeddings"]
        rows.append([name, f"{body / 1e6:,.1f} M", whole(cost["cheapest"]), *(number(cost["of_cheapest"].get(size)) for size in ids)])
    return Grid(["model", "without embeddings", "cheapest", *(whole(int(size)) for size in ids)], rows)


def break_even(report: Report, row: Mapping[str, Any]) -> Grid:
    """From how many parameters without embeddings on each step to a larger vocabulary pays, by the shape of each model."""
    rows = []
    header: list[str] = []
    for name, cost in row["cost"].items():
        steps = cost["break_even_parameters"]
        header = [f"{step['from']:,} to {step['to']:,}" for step in steps]
        pays = ["never" if step["parameters"] is None else f"{step['parameters'] / 1e6:,.1f} M" for step in steps]
        rows.append([name, whole(report["models"][name]["hidden"]), *pays])
    return Grid(["model", "hidden", *header], rows)


def embeddings(report: Report) -> Grid:
    """Parameters of input and output embeddings by model and size, and their share of all."""
    rows = []
    for name, model in report["models"].items():
        body = model["parameters_without_embeddings"]
        cells = [f"{count / 1e6:,.0f} M ({count / (count + body):.0%})" for count in model["embedding_parameters"].values()]
        rows.append([name, f"{body / 1e6:,.1f} M", *cells])
    return Grid(["model", "without embeddings", *(whole(size["ids"]) for size in report["sizes"])], rows)


def refusals(report: Report) -> Grid:
    """Sizes that the text does not allow."""
    return Grid(["ids", "why"], [[whole(found["ids"]), found["why"]] for found in report["refused"]])

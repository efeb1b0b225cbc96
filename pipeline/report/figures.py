"""What the report takes from `summary.json`, in the shape in which the page shows it."""

from collections.abc import Mapping
from typing import Any

GROUPINGS = {"source": "by_source", "domain": "by_domain", "lang": "by_language"}
MOST_GROUPS = 200
"""Sources, domains or languages that are shown by name, the largest ones; `summary.json` has all."""
MOST_ALARMS = 50

Words = Mapping[str, Mapping[str, str]]


def tiles(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures at the top, each with its key in `words.yaml`."""
    duplicates = sum(face["duplicates"][0] for face in summary["by_source"].values())
    found = [
        (f"{summary['documents']['input']:,}", "documents_in"),
        (f"{summary['documents']['kept']:,}", "documents_kept"),
        (megabytes(summary["bytes"]["input"]), "text_in"),
        (megabytes(summary["bytes"]["kept"]), "text_kept"),
        (f"{duplicates:,}", "duplicates"),
    ]
    cut = sum(sizes[0] for sizes in summary["edits"].values())
    return [*found, (f"{cut:,}", "cuts")] if cut else found


def megabytes(size: int) -> str:
    """Bytes as people say them."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def alarms(summary: Mapping[str, Any], words: Words) -> list[dict[str, Any]]:
    """The first `MOST_ALARMS`, each with its words' key and figures, and the command to look at it."""
    return [_alarm(alarm, words) for alarm in summary["alarms"][:MOST_ALARMS]]


def _alarm(alarm: Mapping[str, Any], words: Words) -> dict[str, Any]:
    if alarm["kind"] == "cluster":
        values = {"size": f"{alarm['size']:,}", "name": alarm["name"], "limit": f"{alarm['limit']:,}"}
        return {"key": "alarm_cluster", "figures": values, "look": alarm["look"]}
    if alarm["kind"] == "shared_ids":
        values = {"size": f"{alarm['size']:,}", "name": alarm["name"], "runs": ", ".join(alarm["runs"])}
        return {"key": "alarm_shared_ids", "figures": values, "look": alarm["look"]}
    shares = {name: f"{100 * alarm[name]:.1f} %" for name in ("share", "limit")}
    if alarm["kind"] == "held_out":
        return {"key": "alarm_held_out", "figures": shares | {"name": alarm["name"]}, "look": alarm["look"]}
    values = shares | {"name": alarm["name"]} | {f"kind_{language}": words[alarm["kind"]][language] for language in ("en", "zh")}
    return {"key": "alarm_source", "figures": values, "look": alarm["look"]}


def groupings(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Sources, domains and languages: `key`, the `faces` of the largest by name, and how many `more` there are."""
    found = []
    for key, name in GROUPINGS.items():
        largest = sorted(summary[name], key=lambda group: (-summary[name][group]["input"][0], group))[:MOST_GROUPS]
        faces = {group: summary[name][group] for group in sorted(largest)}
        found.append({"key": key, "faces": faces, "more": len(summary[name]) - len(faces)})
    return found


def waterfalls(summary: Mapping[str, Any]) -> dict[str, list[list[Any]]]:
    """`grouping/name` -> [stage, documents, share of documents, share of bytes] by stage; `""` is everything."""
    found = {"": [[row["stage"], row["documents"], row["document_share"], row["byte_share"]] for row in summary["waterfall"]]}
    for grouping in groupings(summary):
        for group, face in grouping["faces"].items():
            documents, _, size = (max(1, total) for total in face["input"])
            rows = [[stage, left[0], left[0] / documents, left[2] / size] for stage, left in face["left"].items()]
            found[f"{grouping['key']}/{group}"] = rows
    return found


def mixture(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """The shares of each domain, with the bootstrap's interval where they were learned, and the greatest share for the bars."""
    found = summary.get("mixture")
    if not found:
        return None
    learned = found.get("learned")
    intervals = learned["intervals"] if learned and not learned["abstained"] else {}
    rows = {name: row | {"interval": intervals.get(name)} for name, row in found["by_domain"].items()}
    most = max((max(row["natural_share"], row["share"]) for row in rows.values()), default=1.0)
    return {"method": found["method"], "learned": learned, "by_domain": rows, "most": most or 1.0}


def benchmarks(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each evaluation set and source in which its questions were found."""
    return [
        {"benchmark": name, "questions": found["questions"], "source": source, "documents": by_source["documents"]}
        for name, found in summary.get("decontamination", {}).items()
        for source, by_source in found["by_source"].items()
    ]

"""One self-contained page: no network, light and dark, Chinese and English, readable on a phone and on paper.

Tables are HTML, so that the page says everything without a script and to a screen reader; charts are drawn by ECharts, bundled in the page
(SVG). A content security policy lets nothing in or out. Parts that a run does not have are absent.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import orjson
import yaml
from markupsafe import Markup

from pipeline import storage
from pipeline.config import as_settings
from pipeline.finished import FinishedRun
from pipeline.report import examples
from pipeline.report.counts import count

HERE = Path(__file__).parent
GROUPINGS = {"source": "by_source", "domain": "by_domain", "lang": "by_language"}
MOST_WATERFALLS = 200
"""Sources, domains or languages whose own waterfall can be chosen, the largest ones."""
_LIBRARIES = ("baichuan-corpus", "ray", "pyarrow", "numpy", "numba", "datasketch", "fasttext")


def write_report(run_folder: str) -> str:
    """Write `RUN/report/index.html` of a finished run; its place. Raises `InputError` for a folder that holds none."""
    run = FinishedRun(run_folder)
    summary: dict[str, Any] = orjson.loads(storage.read_bytes(storage.join(run_folder, "summary.json")))
    counts = count(run, summary, run.config.seed)
    shown = {
        "summary": summary,
        "counts": counts.as_json(),
        "examples": examples.dropped(run_folder, counts.examples),
        "cuts": examples.cuts(run_folder, run.config.seed) if summary["edits"] else {},
        "configuration": yaml.safe_dump(as_settings(run.config), allow_unicode=True, sort_keys=False),
        "versions": {name: version(name) for name in _LIBRARIES},
    }
    uri = storage.join(run_folder, "report", "index.html")
    storage.write_bytes(uri, page(shown).encode())
    return uri


def page(shown: Mapping[str, Any]) -> str:
    """The page from what `write_report` collected. All texts are escaped by the template."""
    words: dict[str, dict[str, str]] = yaml.safe_load((HERE / "words.yaml").read_text(encoding="utf-8"))
    summary, counts = shown["summary"], shown["counts"]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined)
    drawn = {
        "words": words,
        "waterfalls": _waterfalls(summary),
        "signals": counts["signals"],
        "quality": _with_sum(counts["quality"]),
        "clusters": counts["clusters"],
    }
    return environment.get_template("page.html").render(
        **shown,
        words=words,
        tiles=_tiles(summary),
        alarms=[_alarm(alarm, words) for alarm in summary["alarms"]],
        groupings=[{"key": key, "faces": summary[name]} for key, name in GROUPINGS.items()],
        reasons=list(summary["reasons"].items()),
        signals=sorted(counts["signals"], key=lambda name: -summary["reasons"].get(name, [0])[0]),
        most_documents=max((sizes[0] for sizes in summary["reasons"].values()), default=1),
        most_characters=max([1, *(sizes[1] for sizes in summary["edits"].values())]),
        overlaps=counts["overlaps"],
        alone=dict(zip(counts["overlaps"]["names"], counts["overlaps"]["alone"], strict=True)),
        benchmarks=_benchmarks(summary),
        personal={kind: found for kind, found in counts["personal"].items() if found[0]},
        mixture=_mixture(summary),
        memory={name: _megabytes(size) for name, size in summary["peak_memory_bytes"].items()},
        css=_bundled("page.css"),
        js=_bundled("page.js"),
        echarts=_bundled("echarts.common.min.js"),
        data=_in_script(drawn),
    )


def _bundled(name: str) -> Markup:
    """A file of ours, as it stands."""
    return Markup((HERE / name).read_text(encoding="utf-8"))  # noqa: S704 - shipped with the program


def _in_script(value: Any) -> Markup:
    """JSON that cannot end the script element that it stands in, whatever names documents have."""
    text = orjson.dumps(value).decode().replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return Markup(text)  # noqa: S704 - no "<" is left


def _tiles(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    duplicates = sum(face["duplicates"][0] for face in summary["by_source"].values())
    tiles = [
        (f"{summary['documents']['input']:,}", "documents_in"),
        (f"{summary['documents']['kept']:,}", "documents_kept"),
        (_megabytes(summary["bytes"]["input"]), "text_in"),
        (_megabytes(summary["bytes"]["kept"]), "text_kept"),
        (f"{duplicates:,}", "duplicates"),
    ]
    cut = sum(sizes[0] for sizes in summary["edits"].values())
    return [*tiles, (f"{cut:,}", "cuts")] if cut else tiles


def _megabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def _alarm(alarm: Mapping[str, Any], words: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    if alarm["kind"] == "cluster":
        values = {"size": f"{alarm['size']:,}", "name": alarm["name"], "limit": f"{alarm['limit']:,}"}
        return {"key": "alarm_cluster", "figures": values, "look": alarm["look"]}
    shares = {name: f"{100 * alarm[name]:.1f} %" for name in ("share", "limit")}
    values = shares | {"name": alarm["name"]} | {f"kind_{language}": words[alarm["kind"]][language] for language in ("en", "zh")}
    return {"key": "alarm_source", "figures": values, "look": alarm["look"]}


def _waterfalls(summary: Mapping[str, Any]) -> dict[str, list[list[Any]]]:
    """`grouping/name` -> [stage, documents, share of documents, share of bytes] by stage; `""` is everything."""
    found = {"": [[row["stage"], row["documents"], row["document_share"], row["byte_share"]] for row in summary["waterfall"]]}
    for key, name in GROUPINGS.items():
        for group, face in sorted(summary[name].items(), key=lambda item: -item[1]["input"][0])[:MOST_WATERFALLS]:
            documents, _, size = (max(1, total) for total in face["input"])
            found[f"{key}/{group}"] = [[stage, left[0], left[0] / documents, left[2] / size] for stage, left in face["left"].items()]
    return found


def _mixture(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """The shares of each domain, with the bootstrap's interval where they were learned, and the greatest share for the bars."""
    found = summary.get("mixture")
    if not found:
        return None
    learned = found.get("learned")
    intervals = learned["intervals"] if learned and not learned["abstained"] else {}
    rows = {name: row | {"interval": intervals.get(name)} for name, row in found["by_domain"].items()}
    most = max((max(row["natural_share"], row["share"]) for row in rows.values()), default=1.0)
    return {"method": found["method"], "learned": learned, "by_domain": rows, "most": most or 1.0}


def _with_sum(by_domain: Mapping[str, list[list[int]]]) -> dict[str, list[list[int]]]:
    """With `""`, all domains together, first."""
    return {"": [[sum(bins) for bins in zip(*fate, strict=True)] for fate in zip(*by_domain.values(), strict=True)], **by_domain}


def _benchmarks(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"benchmark": name, "questions": found["questions"], "source": source, "documents": by_source["documents"]}
        for name, found in summary.get("decontamination", {}).items()
        for source, by_source in found["by_source"].items()
    ]

"""One self-contained page: no network, light and dark, Chinese and English, readable on a phone and on paper.

Tables are HTML, so that the page says everything without a script and to a screen reader; charts are drawn by ECharts, bundled in the page
(SVG). A content security policy lets nothing in or out. Parts that a run does not have are absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import orjson
import yaml
from markupsafe import Markup

from pipeline import storage
from pipeline.config import as_settings
from pipeline.finished import FinishedRun
from pipeline.report import examples, figures
from pipeline.report.counts import count
from pipeline.report.tokenizers import read_tokenizers
from pipeline.report.trainings import read_trainings
from pipeline.report.verdicts import read_verdicts
from pipeline.summary import rule_files, versions

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Folders of what was made of a corpus, which its report shows too."""

    tokenizer: str | None = None
    """Of `corpus tokenizer compare`."""
    trainings: tuple[str, ...] = ()
    """Of `corpus train` or `corpus smoke`."""
    variants: str | None = None
    """Of `corpus variants`."""


def write_report(run_folder: str, beside: Beside | None = None) -> str:
    """Write `RUN/report/index.html` of a finished run; its place. Raises `InputError` for a folder that does not hold what it should."""
    beside = beside or Beside()
    run = FinishedRun(run_folder)
    summary: dict[str, Any] = orjson.loads(storage.read_bytes(storage.join(run_folder, "summary.json")))
    made = {
        "tokenizers": read_tokenizers(beside.tokenizer) if beside.tokenizer else None,
        "trainings": read_trainings(beside.trainings),
        "verdicts": read_verdicts(beside.variants) if beside.variants else None,
    }
    now = rule_files(run.config.stages)
    counts = count(run, summary, run.config.seed)
    shown = {
        **made,
        "summary": summary,
        "counts": counts.as_json(),
        "examples": examples.dropped(run_folder, counts.examples),
        "cuts": examples.cuts(run_folder, run.config.seed) if summary["edits"] else {},
        "configuration": yaml.safe_dump(as_settings(run.config), allow_unicode=True, sort_keys=False),
        "versions": summary.get("versions") or versions(),
        "rules_changed": summary.get("rule_files", now) != now,
    }
    uri = storage.join(run_folder, "report", "index.html")
    storage.write_bytes(uri, page(shown).encode())
    return uri


def page(shown: Mapping[str, Any]) -> str:
    """The page from what `write_report` collected. All texts are escaped by the template."""
    words: dict[str, dict[str, str]] = yaml.safe_load((HERE / "words.yaml").read_text(encoding="utf-8"))
    summary, counts = shown["summary"], shown["counts"]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("page.html").render(
        **shown,
        words=words,
        tiles=figures.tiles(summary),
        alarms=figures.alarms(summary, words),
        groupings=figures.groupings(summary),
        reasons=list(summary["reasons"].items()),
        signals=sorted(counts["signals"], key=lambda name: -summary["reasons"].get(name, [0])[0]),
        most_documents=max((sizes[0] for sizes in summary["reasons"].values()), default=1),
        most_characters=max([1, *(sizes[1] for sizes in summary["edits"].values())]),
        overlaps=counts["overlaps"],
        alone=dict(zip(counts["overlaps"]["names"], counts["overlaps"]["alone"], strict=True)),
        benchmarks=figures.benchmarks(summary),
        personal={kind: found for kind, found in counts["personal"].items() if found[0]},
        mixture=figures.mixture(summary),
        wall_seconds=sum(phase["seconds"] for phase in summary["phases"].values()),
        memory={name: figures.megabytes(size) for name, size in summary["peak_memory_bytes"].items()},
        css=_bundled("page.css"),
        js=_bundled("page.js") + _bundled("models.js") + _bundled("start.js"),
        echarts=_bundled("echarts.common.min.js"),
        data=_in_script(_drawn(shown, words)),
    )


def _drawn(shown: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    """What the scripts of the page read."""
    counts, tokenizers, verdicts = shown["counts"], shown["tokenizers"], shown["verdicts"]
    return {
        "words": words,
        "waterfalls": figures.waterfalls(shown["summary"]),
        "signals": counts["signals"],
        "quality": counts["quality"],
        "clusters": counts["clusters"],
        "tokenizers": tokenizers and tokenizers["charts"],
        "trainings": [{key: one[key] for key in ("name", "control", "entropy", "curves")} for one in shown["trainings"]],
        "forest": verdicts and verdicts["forest"],
        "buckets": verdicts and verdicts["buckets"],
    }


def _bundled(name: str) -> Markup:
    """A file of ours, as it stands."""
    return Markup((HERE / name).read_text(encoding="utf-8"))  # noqa: S704 - shipped with the program


def _in_script(value: Any) -> Markup:
    """JSON that cannot end the script element that it stands in, whatever names documents have."""
    text = orjson.dumps(value).decode().replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return Markup(text)  # noqa: S704 - no "<" is left

"""The dataset card: what a corpus is made of, beside the corpus, in the form that the Hugging Face hub reads."""

from collections.abc import Mapping
from typing import Any

import yaml

from pipeline import storage
from pipeline.alarms import in_words
from pipeline.config import RunConfig, as_settings


def write_card(config: RunConfig, summary: Mapping[str, Any]) -> None:
    """Write `README.md` with sources, licences, counts, what was removed and why, and the configuration."""
    storage.write_bytes(storage.join(config.output, "README.md"), card(config, summary).encode())


def card(config: RunConfig, summary: Mapping[str, Any]) -> str:
    """The card's text."""
    languages = sorted({lang.split("-")[0] for lang in summary["by_language"]} & {"zh", "en"})
    licences = sorted({source.licence for source in config.sources if source.licence})
    front = {
        "pretty_name": config.name,
        "language": languages,
        "license": licences[0].lower() if len(licences) == 1 else "other",
        "configs": [{"config_name": "default", "data_files": "corpus/*.parquet"}],
    }
    documents, sizes = summary["documents"], summary["bytes"]
    lines = [
        "---",
        yaml.safe_dump(front, allow_unicode=True, sort_keys=False).rstrip(),
        "---",
        f"# {config.name}",
        "",
        f"{documents['kept']:,} documents, {summary['characters']['kept']:,} characters, {sizes['kept']:,} bytes of text, selected from "
        f"{documents['input']:,} documents and {sizes['input']:,} bytes by baichuan-corpus. `ledger/` has the fate of every input "
        "document, `rejected/` what was removed and why.",
        "",
        "## Sources",
        "",
        "| source | domain | licence | documents | kept | characters kept |",
        "|---|---|---|---:|---:|---:|",
    ]
    for source in sorted(config.sources, key=lambda s: s.name):
        face = summary["by_source"].get(source.name, {"input": [0, 0, 0], "kept": [0, 0, 0]})
        numbers = f"{face['input'][0]:,} | {face['kept'][0]:,} | {face['kept'][1]:,}"
        lines.append(f"| {source.name} | {source.domain or source.name} | {source.licence or 'not stated'} | {numbers} |")
    lines += ["", "## Languages", "", "| language | documents | kept |", "|---|---:|---:|"]
    lines += [f"| {lang} | {face['input'][0]:,} | {face['kept'][0]:,} |" for lang, face in summary["by_language"].items()]
    lines += ["", "## Reasons for rejection", "", "| reason | documents | characters |", "|---|---:|---:|"]
    lines += [f"| {reason} | {count:,} | {characters:,} |" for reason, (count, characters, _) in summary["reasons"].items()]
    if summary["alarms"]:
        lines += ["", "## Alarms", "", "What this run took away that somebody should look at:", ""]
        lines += [f"- {in_words(alarm)}: `{alarm['look']}`" for alarm in summary["alarms"]]
    settings = {key: value for key, value in as_settings(config).items() if key != "engine"}
    lines += [
        "",
        "## Configuration",
        "",
        "```yaml",
        yaml.safe_dump(settings, allow_unicode=True, sort_keys=False).rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)

"""A comparison from start to end, and what it writes: `verdict.json` and pictures."""

from typing import Any

import orjson

from pipeline import storage
from pipeline.config import as_settings
from pipeline.variants.config import VariantsConfig
from pipeline.variants.pictures import pictures
from pipeline.variants.results import conclude, describe_corpora, describe_held_out
from pipeline.variants.steps import prepared


def compare_variants(config: VariantsConfig, quiet: bool = False) -> dict[str, Any]:
    """Compare, or continue; what `verdict.json` holds. Raises `CorpusError`."""
    with prepared(config, quiet) as comparison:
        alarms, packs = comparison.look_for_leaks(), comparison.pack()
        measured = comparison.measure(packs)
        held_out = comparison.held_out
        result = {
            "settings": as_settings(config) | {"parameters": comparison.parameters, "against": config.against},
            "held_out": comparison.frozen | describe_held_out(held_out),
            **conclude(config, held_out, alarms, measured),
            "corpora": describe_corpora(config, held_out, comparison.selections, alarms, packs, measured),
        }
        storage.write_bytes(comparison.folder("verdict.json"), orjson.dumps(result, option=orjson.OPT_INDENT_2))
        for name, picture in pictures(result).items():
            storage.write_bytes(comparison.folder(name), picture.encode())
        return result

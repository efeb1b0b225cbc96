"""Vocabularies of many sizes on the same held-out texts, and from which model on a larger one pays for its embeddings."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa

from configs.errors import RunError
from model.config import BaichuanConfig
from model.presets import preset
from pipeline import storage
from pipeline.compression.config import SweepConfig
from pipeline.compression.documents import held_out, measured
from pipeline.compression.figures import group_rows
from pipeline.compression.output import prepare_output, write_report
from pipeline.compression.page import sweep_page
from pipeline.texts import texts
from pipeline.tokenizer import Phases
from tokenizer.codec import MODEL_NAME, Tokenizer
from tokenizer.compression.bootstrap import LEVEL
from tokenizer.compression.cost import ModelShape, best_size, break_even_parameters, embedding_parameters, flops_per_char
from tokenizer.compression.sweep import Swept
from tokenizer.compression.sweep import sweep as train_sizes
from tokenizer.foreign import SentencePiece
from tokenizer.heldout import part
from tokenizer.recipe import TrainConfig

REPORT_NAME, PAGE_NAME = "sweep.json", "sweep.html"


def sweep(config: SweepConfig, overwrite: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Train, measure and write `config.output`; what the JSON file holds. Raises `CorpusError`."""
    prepare_output(config.output, {REPORT_NAME, PAGE_NAME, "models"}, overwrite)
    read, say = texts(config.texts), Phases(quiet)

    def learnable() -> Iterable[pa.RecordBatch]:
        return part(read(), config.held_out, config.held_out_seed, held_out=False)

    training = TrainConfig(
        input=config.texts,
        output=config.output,
        preset=config.preset,
        languages=config.languages,
        domains=config.domains,
        memory=config.memory,
        seed=config.seed,
    )
    swept = train_sizes(training, config.sizes, config.coverages, learnable, say)
    if not swept.models:
        reasons = "; ".join(f"{size:,}: {why}" for size, why in sorted(swept.refused.items()))
        raise RunError(f"{', '.join(config.texts)}: none of the sizes can be trained: {reasons}")
    made = {str(size): SentencePiece(Tokenizer(model, str(size))) for size, model in sorted(swept.models.items())}
    table = measured(held_out(read(), config.held_out, config.held_out_seed), made, say, round_trip=False)
    rows = group_rows(table, config.replicates, config.seed, config.context)
    report = _report(config, swept, rows)
    for size, model in swept.models.items():
        folder = storage.join(config.output, "models", str(size))
        storage.make_folder(folder)
        storage.write_bytes(storage.join(folder, MODEL_NAME), model)
    write_report(config.output, report, sweep_page(report), REPORT_NAME)
    return report


def _report(config: SweepConfig, swept: Swept, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    sizes = sorted(swept.models)
    shapes = {name: _shape(preset(name)) for name in config.models}
    return {
        "texts": {"inputs": list(config.texts), "held_out": config.held_out, "held_out_seed": config.held_out_seed},
        "settings": {"preset": config.preset, "replicates": config.replicates, "seed": config.seed, "level": LEVEL},
        "sizes": [
            {
                "ids": size,
                "coverage": swept.coverages[size],
                "trained": size in swept.facts,
                "cuts_changed_nothing": swept.facts[size]["cuts_changed_nothing"] if size in swept.facts else None,
            }
            for size in sizes
        ],
        "refused": [{"ids": size, "why": why} for size, why in sorted(swept.refused.items())],
        "models": {
            name: {
                "hidden": shape.hidden,
                "parameters_without_embeddings": shape.without_embeddings,
                "embedding_parameters": {str(size): embedding_parameters(size, shape.hidden) for size in sizes},
            }
            for name, shape in shapes.items()
        },
        "groups": [dict(row) | {"cost": _cost(row, sizes, shapes)} for row in rows],
    }


def _shape(config: BaichuanConfig) -> ModelShape:
    return ModelShape(
        hidden=config.hidden_size, intermediate=config.intermediate_size, layers=config.num_hidden_layers, context=config.max_length
    )


def _cost(row: Mapping[str, Any], sizes: Sequence[int], shapes: Mapping[str, ModelShape]) -> dict[str, Any]:
    """By model: FLOPs per character of each size, the cheapest, and the break-even of each step to the next size."""
    rates = {size: rate for size in sizes if (rate := row["tokenizers"][str(size)]["tokens_per_char"])}
    found = {}
    for name, shape in shapes.items() if rates else ():
        best = best_size(rates, shape)
        least = flops_per_char(rates[best], best, shape)
        steps = [
            {"from": small, "to": large, "parameters": break_even_parameters((small, rates[small]), (large, rates[large]), shape)}
            for small, large in pairwise(rates)
        ]
        found[name] = {
            "cheapest": best,
            "flops_per_char": {str(size): flops_per_char(rate, size, shape) for size, rate in rates.items()},
            "of_cheapest": {str(size): flops_per_char(rate, size, shape) / least for size, rate in rates.items()},
            "break_even_parameters": steps,
        }
    return found

"""What can be known to be wrong before anything is read, and before anything is trained."""

from collections.abc import Mapping
from typing import Any

from configs.errors import ConfigError, RunError
from pipeline import storage
from pipeline.config import RunConfig
from pipeline.variants.config import VariantsConfig
from tokenizer.encoder import load_encoder

MEGABYTE = 1_000_000
TIERS = {"smoke": (0, 0), "decision": (15_000_000, 20), "confirm": (150_000_000, 20)}
"""Of each tier the least number of parameters, and of tokens for each."""


def check_before_reading(config: VariantsConfig, base: RunConfig) -> int:
    """The number of parameters of the model. Raises `ConfigError` for what no amount of text could mend."""
    if not storage.is_local(config.output):
        raise ConfigError(f"output: got {config.output}; trainings write to local folders")
    domains = {source.domain or source.name for source in base.sources}
    if len(domains) < 2:
        raise ConfigError(f"base: {config.base} has one domain only, '{min(domains)}': a corpus is judged by the mean over domains")
    if config.training.model.weights is not None:
        raise ConfigError("training.model.weights: fresh models are compared; name a preset")
    encoder = load_encoder(config.training.tokenizer)
    parameters = config.training.model.shape(encoder.vocab_size, config.training.length).num_parameters()
    least, tokens_each = TIERS[config.tier]
    if parameters < least:
        raise ConfigError(f"tier: {config.tier} needs at least {least:,} parameters, and the model has {parameters:,}; smoke has no bound")
    if config.training.tokens < tokens_each * parameters:
        needed = tokens_each * parameters
        raise ConfigError(
            f"training.tokens: got {config.training.tokens:,}; the tier {config.tier} needs {tokens_each} for each of {parameters:,} "
            f"parameters: {needed:,}"
        )
    if config.tier != "smoke" and config.held_out.min_bytes < MEGABYTE:
        raise ConfigError(f"held_out.min_bytes: got {config.held_out.min_bytes:,}; the tier {config.tier} needs at least {MEGABYTE:,}")
    return parameters


def check_budgets(config: VariantsConfig, packs: Mapping[tuple[str, int], Mapping[str, Any]]) -> None:
    """Raise `RunError` if a corpus, by name and seed, has too little text for the budget of a training."""
    variants = [variant.name for variant in config.variants]
    for (name, seed), found in packs.items():
        if not found["enough"]:
            of = config.score_buckets.of if config.score_buckets and name.startswith("bucket_") else config.against
            corpus = f"variant '{name}'" if name in variants else f"'{name}', a part of '{of}'"
            raise RunError(
                f"{corpus}, seed {seed}: {found['one_pass']:,} tokens give {found['tokens']:,} in {config.max_epochs:g} epochs, "
                f"less than training.tokens, {config.training.tokens:,}; lower the budget, or add text: each of {len(config.seeds)} seeds "
                f"has documents of its own, and the controls train on each half of those of the reference, '{config.against}'"
            )

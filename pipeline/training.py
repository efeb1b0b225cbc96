"""`corpus train`: the same as `torchrun -m model.train`, with the command line's manners."""

import os
import sys
from pathlib import Path


def wait_passively() -> None:
    """Let torch's idle threads take no time from other programs: twice as fast where these use the other core. Before torch loads."""
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def train_model(path: Path, overrides: tuple[str, ...], overwrite: bool, quiet: bool) -> None:
    """Train as a YAML file says, or go on; print what came of it. Raises `CorpusError`."""
    from model.train import load_config, train

    config = load_config(path, overrides)
    result = train(config, quiet=quiet, overwrite=overwrite)
    if quiet:
        return
    print(
        f"trained  {result.tokens:,} tokens in {result.num_steps:,} steps, {result.tokens_per_second:,.0f} tokens/s; loss {result.loss:.3f}"
    )
    if result.heldout_loss is not None and result.unigram_entropy is not None:
        print(f"held out {result.heldout_loss:.3f} nats a token; the entropy of its tokens is {result.unigram_entropy:.3f}")
    if result.faults:
        print(f"faults   {result.faults} batches were not learnt from: {result.folder}/faults.jsonl")
    print(f"model    {result.folder}/model             corpus model generate {result.folder}/model PROMPT")
    print(f"records  {result.folder}/metrics.jsonl, timing.jsonl, training.json, loss.png")

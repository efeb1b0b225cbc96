"""A whole training step on a CPU beside transformers' Llama of the same shape, weights and batch, in the same run.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/training_speed.py [--presets nano micro] [--length 256] [--batch 8] [--rounds 7] [--threads 2]

Ours: `Trainer.step` as `corpus train` calls it (forward, backward, norm, clipping, update, records not counted). Llama's: the same written
out as its users do: loss.backward(), clip_grad_norm_, torch's fused AdamW. Plain batches, a linear head, fp32 and bf16 autocast; they take
turns in each round. Ratios are Llama's seconds to ours, median of rounds, by the clock and by CPU time, which other programs disturb less.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import transformers
from model_speed import llama_of
from torch.nn.utils import clip_grad_norm_

from model import preset
from model.train import Batch, StepSettings, build
from model.training.distributed import World


def main() -> None:
    """Print a line for each preset and number type."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["nano", "micro"])
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}; {arguments.threads} threads")
    print(f"{arguments.batch} sequences of {arguments.length}; tokens/s, ratio by the clock (least-most of a round) and by CPU time")
    print(f"{'preset':8}{'type':6}{'Llama':>9}{'ours':>9}{'ratio':>7}{'':12}{'CPU':>6}   losses of the last step")
    for name in arguments.presets:
        for precision in ("fp32", "bf16"):
            report(name, precision, arguments)


def report(name: str, precision: str, arguments: argparse.Namespace) -> None:
    """One line."""
    found = measured(name, precision, arguments.length, arguments.batch, arguments.rounds, arguments.threads)
    clock, processor = ({key: [seconds[kind] for seconds in found[key]] for key in ("llama", "ours")} for kind in ("wall", "cpu"))
    ratios = [a / b for a, b in zip(clock["llama"], clock["ours"], strict=True)]
    by_processor = statistics.median(a / b for a, b in zip(processor["llama"], processor["ours"], strict=True))
    llama_speed, our_speed = (found["tokens"] / statistics.median(clock[key]) for key in ("llama", "ours"))
    losses = found["losses"]
    print(
        f"{name:8}{precision:6}{llama_speed:9,.0f}{our_speed:9,.0f}{statistics.median(ratios):7.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        f"{by_processor:6.2f}   {losses['llama']:.5f} {losses['ours']:.5f}",
        flush=True,
    )


def measured(name: str, precision: str, length: int, batch: int, rounds: int, threads: int) -> dict[str, Any]:
    """Wall and CPU seconds of each step of `llama` and `ours`, which take turns; tokens of a step, the last losses, both versions."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    config = preset(name, norm_head=False, z_loss_weight=0.0)
    trainer = build(config, StepSettings(precision=precision, compile=False), world=World())
    llama = llama_of(trainer.model)
    optimizer = torch.optim.AdamW(llama.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    torch.manual_seed(1)
    ids = torch.randint(3, config.vocab_size, (batch, length))

    def step_of_llama() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = llama(input_ids=ids, labels=ids).loss
        loss.backward()
        clip_grad_norm_(llama.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    steps: dict[str, Callable[[], float]] = {"llama": step_of_llama, "ours": lambda: trainer.step(Batch(ids, ids), 1e-3).loss}
    seconds: dict[str, list[dict[str, float]]] = {key: [] for key in steps}
    losses: dict[str, float] = {}
    for turn in range(rounds + 1):
        for key in list(steps) if turn % 2 else list(steps)[::-1]:
            start, start_processor = time.perf_counter(), time.process_time()
            losses[key] = steps[key]()
            seconds[key].append({"wall": time.perf_counter() - start, "cpu": time.process_time() - start_processor})
    first = {key: some.pop(0) for key, some in seconds.items()}  # warms up
    versions = f"{transformers.__version__}, torch {torch.__version__}"
    return {**seconds, "first": first, "tokens": ids.numel(), "losses": losses, "version": versions}


if __name__ == "__main__":
    main()

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
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}; {arguments.threads} threads")
    print(f"{arguments.batch} sequences of {arguments.length}; tokens/s, ratio by the clock (least-most of a round) and by CPU time")
    print(f"{'preset':8}{'type':6}{'Llama':>9}{'ours':>9}{'ratio':>7}{'':12}{'CPU':>6}   losses of the last step")
    for name in arguments.presets:
        for precision in ("fp32", "bf16"):
            report(name, precision, arguments)


def report(name: str, precision: str, arguments: argparse.Namespace) -> None:
    """One line."""
    config = preset(name, norm_head=False, z_loss_weight=0.0)
    trainer = build(config, StepSettings(precision=precision, compile=False), world=World())
    llama = llama_of(trainer.model)
    optimizer = torch.optim.AdamW(llama.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    torch.manual_seed(1)
    ids = torch.randint(3, config.vocab_size, (arguments.batch, arguments.length))

    def step_of_llama() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = llama(input_ids=ids, labels=ids).loss
        loss.backward()
        clip_grad_norm_(llama.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    steps: dict[str, Callable[[], float]] = {"llama": step_of_llama, "ours": lambda: trainer.step(Batch(ids, ids), 1e-3).loss}
    clock: dict[str, list[float]] = {key: [] for key in steps}
    processor: dict[str, list[float]] = {key: [] for key in steps}
    losses: dict[str, float] = {}
    for turn in range(arguments.rounds + 1):
        for key in list(steps) if turn % 2 else list(steps)[::-1]:
            start, start_processor = time.perf_counter(), time.process_time()
            losses[key] = steps[key]()
            if turn:  # the first round warms up
                clock[key].append(time.perf_counter() - start)
                processor[key].append(time.process_time() - start_processor)
    ratios = [a / b for a, b in zip(clock["llama"], clock["ours"], strict=True)]
    by_processor = statistics.median(a / b for a, b in zip(processor["llama"], processor["ours"], strict=True))
    llama_speed, our_speed = (ids.numel() / statistics.median(clock[key]) for key in ("llama", "ours"))
    print(
        f"{name:8}{precision:6}{llama_speed:9,.0f}{our_speed:9,.0f}{statistics.median(ratios):7.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        f"{by_processor:6.2f}   {losses['llama']:.5f} {losses['ours']:.5f}",
        flush=True,
    )


if __name__ == "__main__":
    main()

"""Forward and backward on a CPU beside transformers' Llama of the same shape and weights, in the same run.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/model_speed.py [--presets micro small] [--length 256] [--batch 4] [--rounds 5] [--threads 2]

For each preset, in fp32 and in bf16 autocast: `model(input_ids=ids, labels=ids).loss.backward()` of Baichuan with RoPE and a linear head,
which computes what Llama computes; of Llama; and of Baichuan with NormHead and z-loss and with ALiBi. The models take turns in each round.
Ratios are Llama's seconds to ours, medians over rounds, by the clock and by CPU time, which other programs on the machine disturb less
(PASSIVE: a waiting thread takes none). Losses are printed to show that both compute the same.
"""

import argparse
import dataclasses
import statistics
import time
from typing import Any

import torch
import transformers

from model import Baichuan, preset
from model.config import BaichuanConfig


def main() -> None:
    """Print a line for each preset and number type."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["micro", "small"])
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}; {arguments.threads} threads")
    print(f"{arguments.batch} sequences of {arguments.length}; tokens/s, ratios by the clock (least-most of a round) and by CPU time")
    print(f"{'preset':8}{'type':6}{'Llama':>8}{'ours':>8}{'ratio':>7}{'':12}{'CPU':>6}{'NormHead':>10}{'ALiBi':>8}   losses")
    for name in arguments.presets:
        plain = preset(name, norm_head=False, z_loss_weight=0.0)
        for dtype in (torch.float32, torch.bfloat16):
            report(name, plain, dtype, arguments)


def report(name: str, config: BaichuanConfig, dtype: torch.dtype, arguments: argparse.Namespace) -> None:
    """One line."""
    torch.manual_seed(1)
    ours = Baichuan(config)
    models = {
        "llama": llama_of(ours),
        "ours": ours,
        "norm_head": Baichuan(dataclasses.replace(config, norm_head=True, z_loss_weight=2e-4)),
        "alibi": Baichuan(dataclasses.replace(config, position="alibi")),
    }
    ids = torch.randint(3, config.vocab_size, (arguments.batch, arguments.length))
    clock: dict[str, list[float]] = {key: [] for key in models}
    processor: dict[str, list[float]] = {key: [] for key in models}
    losses: dict[str, float] = {}
    for turn in range(arguments.rounds + 1):
        for key in list(models) if turn % 2 else list(models)[::-1]:
            models[key].zero_grad(set_to_none=True)
            start, start_processor = time.perf_counter(), time.process_time()
            with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
                loss = models[key](input_ids=ids, labels=ids).loss
            loss.backward()
            if turn:  # the first round warms up
                clock[key].append(time.perf_counter() - start)
                processor[key].append(time.process_time() - start_processor)
            losses[key] = loss.item()
    ratios = [a / b for a, b in zip(clock["llama"], clock["ours"], strict=True)]
    by_processor = statistics.median(a / b for a, b in zip(processor["llama"], processor["ours"], strict=True))
    llama, plain, norm_head, alibi = (ids.numel() / statistics.median(clock[key]) for key in models)
    kind = "fp32" if dtype == torch.float32 else "bf16"
    print(
        f"{name:8}{kind:6}{llama:8,.0f}{plain:8,.0f}{statistics.median(ratios):7.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        f"{by_processor:6.2f}{norm_head:10,.0f}{alibi:8,.0f}   {losses['llama']:.5f} {losses['ours']:.5f}",
        flush=True,
    )


def llama_of(model: Baichuan) -> Any:
    """Llama with the model's weights."""
    config = model.config
    llama = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            max_position_embeddings=config.max_length,
            rms_norm_eps=config.rms_norm_eps,
            pad_token_id=config.pad_token_id,
            tie_word_embeddings=False,
            use_cache=False,
        )
    )
    state = model.state_dict()
    for packed in [key for key in state if key.endswith("W_pack.weight")]:
        for part, rows in zip("qkv", state.pop(packed).chunk(3), strict=True):
            state[packed.replace("W_pack", f"{part}_proj")] = rows
    llama.load_state_dict(state)
    return llama.train()


if __name__ == "__main__":
    main()

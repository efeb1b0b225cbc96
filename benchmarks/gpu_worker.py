"""One job of benchmarks/gpu.py in a process of its own, so that a crash, a poisoned device or too little memory ends this job alone.

    python -m benchmarks.gpu_worker '{"job": "device"}'

Jobs: `device` (what it is, and whether it works), `ceiling` (matrix products and copies), `parity` (checks by name), `time` (a case).
Each result is a line `RESULT {json}` on standard output, written as soon as it is known.
"""

import gc
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.gpu_cases import SHAPES, Case
from benchmarks.gpu_parity import CHECKS
from configs.errors import ConfigError
from model.train import Batch, OptimizerSettings, StepSettings, Trainer, build

WARM_STEPS = 2
TIMED_SECONDS, LEAST_STEPS, MOST_STEPS = 6.0, 3, 20


def main() -> None:
    """Do the job of the first argument."""
    job = json.loads(sys.argv[1])
    device = torch.device("cpu" if job.get("dry") else "cuda")
    if job["job"] == "device":
        say(describe(device))
    elif job["job"] == "ceiling":
        say(ceiling(device))
    elif job["job"] == "parity":
        for name in job["names"]:
            say(parity(name, device))
    else:
        say(timed(Case(**job["case"]), device))


def say(result: dict[str, Any]) -> None:
    """A line for benchmarks/gpu.py."""
    print("RESULT " + json.dumps(result), flush=True)


def describe(device: torch.device) -> dict[str, Any]:
    """The device and the software, after one product and two gigabytes of memory."""
    facts: dict[str, Any] = {"torch": torch.__version__, "python": platform.python_version(), "cores": os.cpu_count()}
    if device.type == "cpu":
        return facts | {"device": "CPU, a dry run", "memory_bytes": None}
    torch.empty(2 << 30, dtype=torch.uint8, device=device)
    (torch.ones(64, 64, device=device) @ torch.ones(64, 64, device=device)).sum().item()
    properties = torch.cuda.get_device_properties(device)
    return facts | {
        **{"device": properties.name, "memory_bytes": properties.total_memory, "multiprocessors": properties.multi_processor_count},
        **{"capability": list(torch.cuda.get_device_capability(device)), "cuda": torch.version.cuda},
        **{"cudnn": torch.backends.cudnn.version(), "smi": nvidia_smi()},
    }


def nvidia_smi() -> str | None:
    """Clocks, power and temperature now, if the tool is there."""
    query = "driver_version,clocks.sm,clocks.mem,power.draw,power.limit,temperature.gpu,clocks_event_reasons.active"
    try:
        done = subprocess.run(
            ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return f"{query}: {done.stdout.strip()}" if done.returncode == 0 else None


def ceiling(device: torch.device) -> dict[str, Any]:
    """TFLOPS of bf16 products of random numbers, square and in the shapes of a 7B layer, and GB/s of a copy, bytes read and written."""
    size = 8192 if device.type == "cuda" else 128
    shape = SHAPES["7b"]
    tokens, hidden, wide = (16384, shape.hidden_size, shape.intermediate_size) if device.type == "cuda" else (64, 64, 176)
    products = {"square": (size, size, size), "W_pack": (tokens, hidden, 3 * hidden), "o_proj": (tokens, hidden, hidden)}
    products |= {"gate": (tokens, hidden, wide), "down": (tokens, wide, hidden)}
    tflops = {}
    for name, (m, k, n) in products.items():
        a, b = (torch.randn(*dims, device=device, dtype=torch.bfloat16) for dims in ((m, k), (n, k)))
        tflops[name] = round(2 * m * k * n / seconds_of(lambda a=a, b=b: a @ b.T, device, 40) / 1e12, 1)
    data = torch.empty(2 << 30 if device.type == "cuda" else 1 << 20, dtype=torch.uint8, device=device)
    copied = torch.empty_like(data)
    bandwidth = 2 * data.numel() / seconds_of(lambda: copied.copy_(data), device, 20) / 1e9
    return {"tflops": tflops, "copy_gb_per_second": round(bandwidth), "smi_after": nvidia_smi() if device.type == "cuda" else None}


def seconds_of(work: Any, device: torch.device, count: int) -> float:
    """Mean time of `count` calls in a row, after five."""
    for _ in range(5):
        work()
    wait(device)
    start = time.perf_counter()
    for _ in range(count):
        work()
    wait(device)
    return (time.perf_counter() - start) / count


def wait(device: torch.device) -> None:
    """Until the device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def parity(name: str, device: torch.device) -> dict[str, Any]:
    """The result of a check; an error is a failure with its reason."""
    start = time.perf_counter()
    try:
        result = CHECKS[name](device)
    except Exception as error:  # any: the kernels of a device fail in their own ways, and the sweep goes on
        traceback.print_exc()
        result = {"passed": False, "error": _first_line(error)}
    torch.compiler.reset()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return {"check": name} | result | {"seconds": round(time.perf_counter() - start, 1)}


def timed(case: Case, device: torch.device) -> dict[str, Any]:
    """Speed and memory of a case: `state` is ok, out of memory, or failed."""
    start = time.perf_counter()
    try:
        return {"state": "ok"} | _timed(case, device, start)
    except ConfigError as error:  # this machine cannot, as fp8 before Hopper
        return {"state": "not timed", "error": str(error)}
    except torch.OutOfMemoryError as error:
        peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
        return {"state": "out of memory", "error": _first_line(error), "peak_bytes": peak, "seconds": round(time.perf_counter() - start, 1)}
    except Exception as error:
        traceback.print_exc()
        return {"state": "failed", "error": _first_line(error), "seconds": round(time.perf_counter() - start, 1)}


def _timed(case: Case, device: torch.device, start: float) -> dict[str, Any]:
    dry = device.type == "cpu"
    shape = case.shape(dry)
    settings = StepSettings(
        micro_batch=case.micro_batch,
        precision=case.precision,  # type: ignore[arg-type]
        compile=case.compile != "off" and not dry,
        compile_scope="model" if case.compile == "model" else "layer",
        attention=case.attention,  # type: ignore[arg-type]
        activations=case.activations,  # type: ignore[arg-type]
        recompute_every=case.recompute_every,
        optimizer=OptimizerSettings(kind=case.optimizer),  # type: ignore[arg-type]
    )
    trainer = build(shape, settings)
    batches = _batches(case, shape.vocab_size)
    built = time.perf_counter() - start
    first = trainer.step(next(batches), 1e-4)
    wait(device)
    warm = time.perf_counter() - start - built
    for _ in range(WARM_STEPS - 1):
        trainer.step(next(batches), 1e-4)
    if not dry:
        torch.cuda.reset_peak_memory_stats(device)
    steps: list[float] = []
    while len(steps) < LEAST_STEPS or (sum(steps) < TIMED_SECONDS and len(steps) < (MOST_STEPS if not dry else LEAST_STEPS)):
        batch = next(batches)
        wait(device)
        begin = time.perf_counter()
        last = trainer.step(batch, 1e-4)
        wait(device)
        steps.append(time.perf_counter() - begin)
    update = _update_seconds(trainer, next(batches), statistics.median(steps), device)
    if not (math.isfinite(last.loss) and last.applied):
        raise RuntimeError(f"the loss is {last.loss}: figures of such steps mean nothing")
    return {
        **{"parameters": shape.num_parameters(), "tokens_per_step": case.sequences * case.length, "steps": len(steps)},
        **{"step_seconds": statistics.median(steps), "step_seconds_least": min(steps), "step_seconds_most": max(steps)},
        **{"update_seconds": update, "build_seconds": round(built, 1), "first_step_seconds": round(warm, 1)},
        **{"loss_first": first.loss, "loss_last": last.loss},
        "peak_bytes": None if dry else torch.cuda.max_memory_allocated(device),
        "reserved_bytes": None if dry else torch.cuda.max_memory_reserved(device),
        "flops_per_token": shape.flops_per_token(case.length),
        "flops_per_token_causal": shape.flops_per_token(case.length, causal=True),
        "smi_after": None if dry else nvidia_smi(),
        "seconds": round(time.perf_counter() - start, 1),
    }


def _update_seconds(trainer: Trainer, batch: Batch, step_seconds: float, device: torch.device) -> float:
    """What norm, clipping and update take of a step: the rest is paid for each token, this for each step."""
    wait(device)
    begin = time.perf_counter()
    trainer.forward_backward(batch)
    wait(device)
    seconds = time.perf_counter() - begin
    trainer.optimizer.zero_grad()
    return max(0.0, step_seconds - seconds)


def _batches(case: Case, vocabulary: int) -> Iterator[Batch]:
    """Random ids on the host, other ones for each step, as a loader gives them; documents of 50 to 2,000 tokens where they are packed."""
    generator = torch.Generator().manual_seed(0)
    dims = (case.sequences, case.length)
    while True:
        ids = torch.randint(3, vocabulary, dims, generator=generator)
        if not case.documents:
            yield Batch(ids, ids)
            continue
        begins = torch.zeros(dims, dtype=torch.bool)
        for row in begins:
            row[torch.randint(50, 2000, (dims[1] // 50,), generator=generator).cumsum(0).clamp(max=dims[1] - 1)] = True
        segments = (begins.cumsum(1) + 1).to(torch.int32)
        labels = ids.masked_fill(begins, -100)
        labels[:, 0] = -100
        yield Batch(ids, labels, segments)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:500]


if __name__ == "__main__":
    main()

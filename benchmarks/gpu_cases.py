"""What benchmarks/gpu.py times: the cases, most promising first, what they need to be right first, and the memory that they plan for."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from model.config import BaichuanConfig
from model.presets import preset

SHAPES = {"7b": preset("baichuan-7b"), "1b": preset("1b")}
TINY = {
    "7b": preset("nano", vocab_size=320, num_hidden_layers=3, norm_head=False, z_loss_weight=0.0),
    "1b": preset("nano", vocab_size=320, num_hidden_layers=2),
}
"""Of a dry run: the same choices (linear head; NormHead with z-loss) in shapes for a CPU."""

PEAK_BF16 = {"H200": 989.5, "H100 PCIe": 756.0, "H100": 989.5, "H800": 989.5, "A800": 312.0, "A100": 312.0, "B200": 2250.0, "L40S": 362.0}
"""Dense bf16 TFLOPS by the makers' data sheets; the first name that is part of the device's counts."""
GOALS = {"7b": 54.5, "1b": 52.0}
"""MFU, per cent, headline count: the best honest figure found for 8B on one H200; for 1b ours. Baichuan reports 58.3 for 7B on A800s."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to compute a step."""

    model: Literal["7b", "1b"]
    micro_batch: int
    sequences: int
    """Of a step: gradients of sequences / micro_batch parts are added up before each update."""
    length: int = 4096
    optimizer: str = "adamw"
    precision: str = "bf16"
    attention: str = "auto"
    activations: str = "keep"
    recompute_every: int = 1
    compile: Literal["off", "layer", "model"] = "layer"
    documents: bool = False
    """Whether sequences are packed documents that do not see each other."""
    position: Literal["rope", "alibi"] = "rope"

    @property
    def name(self) -> str:
        """What differs from the defaults, readable."""
        parts = [self.model, self.optimizer, f"{self.micro_batch}x{self.length}", f"of {self.sequences}", self.activations]
        parts += [f"every {self.recompute_every}"] * (self.activations != "keep" and self.recompute_every > 1)
        parts += [self.attention] * (not self.flex) + ["documents"] * self.documents + ["alibi"] * (self.position == "alibi")
        return " ".join(parts + [self.precision] * (self.precision != "bf16") + [f"compile {self.compile}"])

    @property
    def flex(self) -> bool:
        """Whether FlexAttention runs."""
        return self.documents or self.position == "alibi"

    def shape(self, dry: bool) -> BaichuanConfig:
        """The model."""
        return dataclasses.replace((TINY if dry else SHAPES)[self.model], position=self.position, max_length=self.length)

    def needs(self) -> list[str]:
        """The parity checks that must have passed."""
        names = [f"optimizer_{self.optimizer}"]
        if self.flex:
            names.append("flex_" + "_".join(["alibi"] * (self.position == "alibi") + ["documents"] * self.documents))
        else:
            names.append("sdpa_" + ("cudnn" if self.attention == "auto" else self.attention))
        names += [f"compile_{self.compile}"] * (self.compile != "off") + [f"activations_{self.activations}"] * (self.activations != "keep")
        names += ["step_alibi_documents" if self.position == "alibi" else "step_documents"] * (self.documents and self.compile == "layer")
        return [*names, "chunked_loss", *(["fp8"] if self.precision == "fp8" else [])]

    def tiny(self) -> "Case":
        """For a CPU."""
        micro_batch = min(2, self.micro_batch)
        return dataclasses.replace(self, length=64, sequences=2 * micro_batch, micro_batch=micro_batch)


_7B: dict[str, Any] = {"model": "7b", "optimizer": "adamw_bf16"}
_1B: dict[str, Any] = {"model": "1b", "sequences": 16}

CASES = [
    Case(**_7B, micro_batch=4, sequences=8),
    Case(**_1B, micro_batch=8),
    Case(**_7B | {"optimizer": "adamw_split"}, micro_batch=2, sequences=8),  # exact fp32 weights and moments
    Case(**_7B, micro_batch=4, sequences=8, attention="flash"),
    Case(**_1B, micro_batch=16),
    Case(**_7B, micro_batch=4, sequences=8, documents=True),
    Case(**_7B, micro_batch=2, sequences=8),
    Case(**_7B | {"optimizer": "adamw"}, micro_batch=2, sequences=8, activations="recompute"),  # what everyone starts from
    Case(**_1B, micro_batch=8, position="alibi", documents=True),
    Case(**_7B, micro_batch=4, sequences=8, precision="fp8"),
    Case(**_1B, micro_batch=8, attention="flash"),
    Case(**_7B, micro_batch=6, sequences=12, activations="selective", compile="model"),
    Case(**_7B, micro_batch=2, sequences=8, compile="off"),
    Case(**_1B, micro_batch=8, compile="model"),
    Case(**_7B, micro_batch=4, sequences=8, compile="model"),
]
"""In the order in which they are timed: a short budget reaches the first ones."""

STATE_BYTES = {"adamw": (4, 4, 8), "adamw_split": (4, 2, 8), "adamw_bf16": (2, 2, 4)}
"""Bytes a parameter: weights (with the lower half of split ones), gradients, both moments."""
CONTEXT_BYTES = 1.5e9
"""CUDA's own memory, cuBLAS' workspaces and what the allocator cannot use."""


def plan(case: Case, shape: BaichuanConfig) -> dict[str, float]:
    """Bytes that a case will hold at its peak, by what for; `total` is what must fit.

    Activations of a compiled layer: 10 D + 3 I numbers of bf16 a token (both norms' outputs, queries, keys, values, attention's output, two
    residuals, gate, up and their product), measured on the graph; not compiled 14.7 D + 3 I. `recompute` keeps the layer's input, D,
    `selective` the products and attention too: 7 D + 2 I (counted, not measured). With fp32 weights the bf16 copies of the layers'
    matrices stay for the backward pass.
    """
    weights, gradients, moments = (shape.num_parameters() * size for size in STATE_BYTES[case.optimizer])
    hidden, wide, layers = shape.hidden_size, shape.intermediate_size, shape.num_hidden_layers
    kept = (10 if case.compile != "off" else 14.7) * hidden + 3 * wide
    forgotten = {"keep": kept, "recompute": hidden, "selective": 7 * hidden + 2 * wide}[case.activations]
    num_forgetting = -(-layers // case.recompute_every) if case.activations != "keep" else 0
    numbers = num_forgetting * forgotten + (layers - num_forgetting) * kept + (kept if num_forgetting else 0)
    layer_matrices = 4 * hidden * hidden + 3 * hidden * wide
    copies = 2 * layer_matrices * (layers - num_forgetting + (num_forgetting > 0)) if case.optimizer == "adamw" else 0
    # Three tensors of a chunk of logits in fp32, and the head's gradient in fp32
    head = 3 * 4 * (1 << 26) + 6 * shape.vocab_size * hidden
    parts = {
        **{"weights": weights, "gradients": gradients, "moments": moments, "copies": copies},
        **{"activations": 2 * numbers * case.micro_batch * case.length, "head": head, "context": CONTEXT_BYTES},
    }
    return parts | {"total": sum(parts.values())}


def peak_tflops(device: str) -> float | None:
    """What the maker says, if the device is known."""
    return next((value for name, value in PEAK_BF16.items() if name in device), None)

"""What a training is: its data, its budget, and how a step is computed. Read from YAML by `configs.loader`, checked before anything starts.

Defaults are those of Baichuan 2's pre-training where it published them (arXiv 2309.10305): AdamW .9/.95, decay .1, clipping at .5, linear
warm-up, cosine. The learning rate has none: it depends on the width (2e-4 for 7B, about 3e-3 for the nano preset).
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from configs.bounds import Between, Count, Positive, SettingError, Share
from model.config import BaichuanConfig
from model.presets import preset

ROUNDED_TO = 64
"""Rows of embedding and head are a multiple: matrix units like it, and Baichuan's 64,000 and 125,696 are."""


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """A preset with fields changed, fresh or from weights."""

    preset: str = "nano"
    weights: str | None = None
    """A folder with config.json and weights to go on from; the preset and all changes below are then not allowed."""
    vocab_size: Positive | None = None
    """Default: the tokenizer's, rounded up to a multiple of 64."""
    hidden_size: Positive | None = None
    intermediate_size: Positive | None = None
    num_hidden_layers: Positive | None = None
    num_attention_heads: Positive | None = None
    position: Literal["rope", "alibi"] | None = None
    norm_head: bool | None = None
    z_loss_weight: Annotated[float, Between(0)] | None = None

    def changes(self) -> dict[str, Any]:
        """The fields that differ from the preset."""
        named = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("preset", "weights")}
        return {name: value for name, value in named.items() if value is not None}

    def __post_init__(self) -> None:
        if self.weights is not None and self.changes():
            raise SettingError("weights", f"come with their own shape; take out {', '.join(self.changes())}")

    def shape(self, vocab_size: int, length: int) -> BaichuanConfig:
        """The model for a tokenizer of so many ids and sequences of `length`. Raises `ConfigError`."""
        rows = -(-vocab_size // ROUNDED_TO) * ROUNDED_TO
        return preset(self.preset, **{"vocab_size": rows, "max_length": length} | self.changes())


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """AdamW."""

    kind: Literal["adamw", "adamw_split", "adamw_bf16"] = "adamw"
    """`adamw`: weights and moments in fp32, 16 bytes a parameter with gradients, and 2 for bf16 copies. `adamw_split`: the same, weights
    in two halves of which the upper computes, bf16 gradients, 14. `adamw_bf16`: all in bf16, rounded stochastically, 8."""
    learning_rate: Annotated[float, Between(0)] = 1e-3
    """The highest of the schedule."""
    beta1: Share = 0.9
    beta2: Share = 0.95
    eps: Annotated[float, Between(0)] = 1e-8
    weight_decay: Annotated[float, Between(0)] = 0.1
    """Of matrices; gains of the norms do not decay."""
    clip: Annotated[float, Between(0)] = 0.5
    """Largest norm of all gradients together; 0: not clipped."""


@dataclass(frozen=True, kw_only=True)
class StepSettings:
    """How a step is computed. Nothing here changes what is learnt by more than rounding, but for the optimizer."""

    micro_batch: Positive | None = None
    """Sequences that a device takes at a time; gradients of the parts are added up. Default: all of its share."""
    precision: Literal["fp32", "bf16", "fp8"] = "bf16"
    """Of matrix products and of the residual stream. Weights, moments and positions stay fp32. fp8: the layers' products on a GPU of
    compute capability 8.9 or more, scaled by tensor; figures made so carry its name."""
    compile: bool | None = None
    """Default: on CUDA. On a CPU compiling takes half a minute and gains little."""
    compile_scope: Literal["layer", "model"] = "layer"
    """`layer`: one graph that all layers share, compiled in a fraction of the time. `model`: the whole step in one graph, on one device
    only; with ALiBi torch 2.13 could not lower it on a CPU."""
    attention: Literal["auto", "cudnn", "flash", "efficient", "math"] = "auto"
    """Kernel of causal attention without segments on CUDA; `auto` takes the first of this order that runs."""
    activations: Literal["keep", "selective", "recompute"] = "keep"
    """`recompute`: forget a layer's activations and compute them again; `selective`: all but matrix products and attention."""
    recompute_every: Positive = 1
    """With `recompute` and `selective`: only every n-th layer."""
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings:
    """The learning rate by step."""

    kind: Literal["cosine", "wsd", "constant"] = "cosine"
    """`wsd`: constant until the last `decay_share` of the steps, then down in a straight line."""
    warmup_steps: Count = 0
    """Up from 0 in a straight line."""
    final_share: Share = 0.1
    """Of the highest rate, at the last step."""
    decay_share: Share = 0.2


@dataclass(frozen=True, kw_only=True)
class FaultSettings:
    """What happens when a loss is no number, or jumps."""

    policy: Literal["skip", "rewind", "stop"] = "skip"
    """`skip`: no update from this batch. `rewind`: also back to the weights of the last checkpoint; data and schedule go on."""
    spike: Annotated[float, Between(0)] = 8.0
    """A loss is a spike when it is so many deviations (1.4826 x the median absolute one, at least .05 nats) above the median; 0: never."""
    window: Annotated[int, Between(8)] = 64
    """Of the last so many losses; until they are full nothing is a spike."""
    most_in_a_row: Positive = 8
    """After so many faults in a row the training stops: data or settings are wrong."""


@dataclass(frozen=True, kw_only=True)
class CheckpointSettings:
    """When the state is saved."""

    every: Count = 200
    """Steps; 0: only at the end."""
    keep: Positive = 2
    """The last so many stay."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training, as its YAML file says it."""

    data: str
    """Folder of packed shards, as `corpus pack` makes them."""
    output: str
    """Folder for metrics, checkpoints and the model."""
    heldout: str | None = None
    """Folder of packed shards on which the loss is measured, never learnt from."""
    heldout_every: Count = 0
    """Steps; 0: only at the end."""
    heldout_tokens: Positive = 1_000_000
    """At most so many of them."""
    tokenizer: str | None = None
    """A tokenizer.model, or its folder, that the packs must have been made with."""
    seed: Count = 0
    """Of the fresh weights. The order of the data is the pack's."""
    model: ModelSettings = field(default_factory=ModelSettings)
    length: Annotated[int, Between(2)] = 1024
    """Tokens of a sequence."""
    batch: Positive = 32
    """Sequences of a step, over all devices."""
    tokens: Positive | None = None
    """Budget; default: all of the pack, once. Epochs are the packing's: `corpus pack --epochs`."""
    segments: bool = True
    """Whether a document sees only itself; else all of a sequence sees what is before it."""
    shuffle_tokens: bool = False
    """The control: all tokens but ends of documents change places, so that nothing but their frequencies can be learnt. Held in memory."""
    step: StepSettings = field(default_factory=StepSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)
    faults: FaultSettings = field(default_factory=FaultSettings)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Count = 0
    """Of a CPU; 0: as torch finds. The same number gives the same bits."""
    tensorboard: bool = False
    """Also write what TensorBoard reads, to OUTPUT/tensorboard; needs the package."""

    def __post_init__(self) -> None:
        if self.tokens is not None and self.tokens < self.batch * self.length:
            needed = f"batch {self.batch} x length {self.length} = {self.batch * self.length:,}"
            raise SettingError("tokens", f"got {self.tokens:,}, which is less than one step: {needed}")
        if self.heldout is None and self.heldout_every:
            raise SettingError("heldout_every", "has no held-out data to measure on; name it: heldout: FOLDER")
